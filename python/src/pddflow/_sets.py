"""Distilled sets and their stages."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._data import Data, Floats, Integers, Preprocessing
from ._errors import FormatError, need
from ._plan import Plan, Stage

if TYPE_CHECKING:
    from torch import device as Device
    from torch.nn import Module
    from torch.utils.data import TensorDataset

    from ._train import Evaluation, Trained

Labels = npt.NDArray[Any]


@dataclass(frozen=True)
class SingleSet:
    """One distilled set, alone."""

    #: float32 `[n, c, h, w]`, as nets see them: normalised, and decoded where the method stores them in another form (IDC).
    images: Floats = field(repr=False)
    #: Class numbers int64 `[n]`, or probabilities float32 `[n, class]`.
    labels: Labels = field(repr=False)
    method: str
    #: In the form that was learned; a method may decode several images from one.
    images_per_class: int
    #: Place in the order of training, from 1.
    stage: int = 1
    #: The learned learning rate.
    step_size: float | None = None
    #: What the set says of its training.
    recipe: Mapping[str, Any] = field(default_factory=dict, repr=False)
    #: Matcher, model and their parameters.
    made_by: Mapping[str, Any] = field(default_factory=dict, repr=False)
    #: What distillation optimised, by name.
    learnables: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict, repr=False)

    @property
    def soft(self) -> bool:
        """Whether the labels are probabilities."""
        return self.labels.ndim == 2

    def check(self, classes: int, what: str) -> "SingleSet":
        """The set, if images and labels fit each other and the number of classes.

        Raises:
            FormatError: they do not, or a number is not finite.
        """
        shape, labels = self.images.shape, self.labels
        if len(shape) != 4 or 0 in shape:
            raise FormatError(f"{what}: images have the axes [image, channel, row, column]; these have the shape {list(shape)}")
        expected = (shape[0], classes) if self.soft else (shape[0],)
        if labels.shape != expected:
            raise FormatError(f"{what}: {shape[0]} images of {classes} classes have labels of the shape {list(labels.shape)}")
        if not np.isfinite(self.images).all() or (self.soft and not np.isfinite(labels).all()):
            raise FormatError(f"{what}: there are numbers that are not finite")
        if not self.soft and not (labels.dtype.kind in "iu" and 0 <= labels.min() and labels.max() < classes):
            raise FormatError(f"{what}: labels must be whole numbers from 0 to {classes - 1}")
        if self.step_size is not None and not np.isfinite(self.step_size):
            raise FormatError(f"{what}: the learned learning rate is not finite")
        return self


@dataclass(frozen=True)
class StageData:
    """What one stage trains on, and how."""

    stage: Stage
    #: The union of the stage's sets.
    images: Floats = field(repr=False)
    labels: Labels = field(repr=False)

    @property
    def number(self) -> int:
        """From 1."""
        return self.stage.number

    @property
    def lr(self) -> float | None:
        """Learning rate at its beginning."""
        return self.stage.lr

    @property
    def epochs(self) -> int:
        """Epochs that it runs, or that each of its steps does."""
        return self.stage.epochs

    def torch(self) -> "TensorDataset":
        """The same as a `TensorDataset`."""
        return _tensors(self.images, self.labels)


@dataclass(frozen=True)
class Distilled:
    """Distilled sets in the order of their training, with the training that they were made for."""

    sets: tuple[SingleSet, ...]
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    plan: Plan = field(repr=False)
    #: What the real data are.
    source: str = ""
    #: Their licence, as far as known.
    license: str | None = None

    def __post_init__(self) -> None:
        if not self.sets:
            raise FormatError("there is no set")
        for number, one in enumerate(self.sets, 1):
            one.check(len(self.class_names), f"set {number}")
            if one.images.shape[1:] != self.sets[0].images.shape[1:]:
                raise FormatError(f"set {number} has images of another size than the first")
        for stage in self.plan.stages:
            count = sum(len(self.sets[number - 1].images) for number in stage.sets)
            last = max((row for step in stage.steps for row in step.rows), default=-1)
            if last >= count:
                raise FormatError(f"stage {stage.number} has a step on row {last} of {count}")

    @property
    def images(self) -> Floats:
        """All images, set after set."""
        return self._union(range(1, len(self.sets) + 1))[0]

    @property
    def labels(self) -> Labels:
        """All labels: int64 `[n]`, or float32 `[n, class]` where any set has probabilities."""
        return self._union(range(1, len(self.sets) + 1))[1]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the training."""
        return self.plan.stages

    @property
    def recipe(self) -> Mapping[str, Any]:
        """What the last set says of its training; `plan` is what comes of it."""
        return self.sets[-1].recipe

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """All images as bytes `[n, c, h, w]`, to look at: rounded and cut, so not to train on."""
        return as_bytes(self.preprocessing.invert(self.images))

    def progressive(self) -> Iterator[StageData]:
        """The stages, each with the union of its sets."""
        for stage in self.plan.stages:
            yield StageData(stage, *self._union(stage.sets))

    def torch(self) -> "TensorDataset":
        """All images and labels as a `TensorDataset`, ready for a `DataLoader`."""
        return _tensors(self.images, self.labels)

    def with_plan(self, **changes: Any) -> "Distilled":
        """The same sets with another training: see `Plan.changed`."""
        return replace(self, plan=self.plan.changed(**changes))

    def train(
        self,
        net: "Module",
        *,
        test: "Data | tuple[Any, Any] | None" = None,
        seed: int = 0,
        device: "Device | str | None" = None,
        progress: "Callable[[int, int, float], object] | None" = None,
        **changes: Any,
    ) -> "Trained":
        """Trains a net in place by the plan, and tests it after each stage.

        Args:
            test: real data whose test images are tested on; or images as nets see them with their classes.
            seed: of the order of images and of the augmentation.
            device: where the net is trained; by default where it is.
            progress: called after each epoch, or step of a script, with stage, number (from 1) and mean loss.
            changes: other numbers than the plan's: `epochs`, `lr` (neither where the sets have a script of steps), `batch`, `augment`,
                `cutmix`, `momentum`, `weight_decay`.
        """
        from ._train import train

        return train(self.with_plan(**changes), net, test=test, seed=seed, device=device, progress=progress)

    def evaluate(
        self,
        make_net: "Callable[[], Module]",
        test: "Data | tuple[Any, Any]",
        *,
        nets: int = 5,
        seed: int = 0,
        device: "Device | str | None" = None,
        **changes: Any,
    ) -> "Evaluation":
        """Trains that many new nets, each with first weights of its own, and tests them: the program's `evaluate`."""
        from ._train import evaluate

        return evaluate(self.with_plan(**changes), make_net, test, nets=nets, seed=seed, device=device)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes the folder that `load` reads: `manifest.json` and `images.safetensors` of each set."""
        from ._save import save

        save(self, folder)

    def save_as_data(self, folder: str | os.PathLike[str], *, test: Data | None = None) -> str:
        """Writes PNG files for the source `image-folder`, with the test images of `test`; gives the node for a pipeline.

        The images are rounded to bytes, and cut where they leave the range of pixels: `evaluate` with `training: full` on them
        is near what the set is worth, not the same.
        """
        from ._save import save_as_data

        return save_as_data(self, folder, test)

    def _union(self, numbers: Sequence[int]) -> tuple[Floats, Labels]:
        chosen = [self.sets[number - 1] for number in numbers]
        soft = any(one.soft for one in self.sets)
        images = np.concatenate([one.images for one in chosen])
        labels = [soft_labels(one, len(self.class_names)) if soft else one.labels for one in chosen]
        return images, np.concatenate(labels)


def soft_labels(one: SingleSet, classes: int) -> Floats:
    """The labels of a set as probabilities."""
    return one.labels.astype(np.float32) if one.soft else np.eye(classes, dtype=np.float32)[one.labels]


def as_bytes(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Pixels from 0 to 1, rounded and cut."""
    return np.asarray(np.clip(np.rint(pixels * 255.0), 0, 255), dtype=np.uint8)


def class_numbers(labels: Labels) -> Integers:
    """The class of each image: the most probable one where labels are probabilities."""
    return np.asarray(labels.argmax(axis=1) if labels.ndim == 2 else labels, dtype=np.int64)


def _tensors(images: Floats, labels: Labels) -> "TensorDataset":
    torch = need("torch", "torch", "a TensorDataset")
    return torch.utils.data.TensorDataset(torch.from_numpy(images.copy()), torch.from_numpy(labels.copy()))
