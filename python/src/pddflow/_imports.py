"""Sets that were made elsewhere."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ._data import Data, Preprocessing
from ._errors import FormatError, need
from ._plan import own_plan
from ._sets import Distilled, SingleSet, class_numbers

Normalize = str | tuple[Sequence[float], Sequence[float]] | Preprocessing
_NO_CLASSES = "name the classes: `class_names=` in the order of their numbers, or `data=` of the data set"


def from_torch(
    images: Any,
    labels: Any,
    *,
    data: Data | None = None,
    class_names: Sequence[str] | None = None,
    normalize: Normalize | None = None,
    step_size: float | Sequence[float | None] | None = None,
    method: str = "imported",
    source: str | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> Distilled:
    """A set from tensors or arrays; lists of them are the stages of progressive training, in order.

    Args:
        images: float `[n, c, h, w]`, as nets see them, or bytes, which are normalised.
        labels: class numbers `[n]`, or probabilities `[n, class]`.
        data: the data set that they were made from: gives classes, normalisation and source.
        class_names: one name for each class, in the order of their numbers.
        normalize: what was done to the pixels: `none`, `zca`, (mean, std) per channel, or a `Preprocessing`.
        step_size: the learned learning rate, of each stage if there are several.
        method: label for tables.
        source: what the real data are.
        recipe: what is known of the training: `epochs`, `lr` (a number or `learned`), `schedule` (`constant`, `dc`, `pdd`, `idc`),
            `batch`, `augment`, `cutmix`, `momentum`, `weight_decay`, `carry_momentum`; the rest is that of DSA.

    Raises:
        FormatError: the arrays do not fit each other, or classes or normalisation are not known.
    """
    several = isinstance(images, (list, tuple))
    all_images, all_labels = (list(images), list(labels)) if several else ([images], [labels])
    given: Any = step_size
    rates = given.tolist() if hasattr(given, "tolist") else given
    rates = list(rates) if isinstance(rates, Sequence) else [rates] * len(all_images)
    if not len(all_images) == len(all_labels) == len(rates) or not all_images:
        raise FormatError(f"{len(all_images)} sets of images, {len(all_labels)} of labels and {len(rates)} learned learning rates")
    names = _class_names(data, class_names)
    preprocessing = _preprocessing(data, normalize)
    learned = any(rate is not None for rate in rates)
    recipe = {**({"lr": "learned"} if learned else {}), **(recipe or {})}
    sets = []
    for number, (one_images, one_labels, rate) in enumerate(zip(all_images, all_labels, rates), 1):
        one = _single(_array(one_images), _array(one_labels), preprocessing, len(names), f"set {number}")
        sets.append(SingleSet(*one, method, _per_class(one[1], len(names)), number, rate, recipe, {"kind": "import"}))
    return Distilled(
        sets=tuple(sets),
        class_names=names,
        preprocessing=preprocessing,
        plan=own_plan([recipe] * len(sets), rates, "recipe"),
        source=source or (data.source if data is not None else ""),
        license=data.license if data is not None else None,
    )


def from_mtt(
    images: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    step_size: float | str | os.PathLike[str] | None = None,
    **known: Any,
) -> Distilled:
    """A set of the releases of MTT and its followers: `images_best.pt` and `labels_best.pt`.

    Files are read with `weights_only=True`: one that holds anything but tensors is refused and nothing of it runs.

    Args:
        images: the file, or the folder with `images_best.pt` and `labels_best.pt` (and `lr_best.pt`, if there is one).
        labels: the file, if `images` is one.
        step_size: the learned learning rate, a number or a file; MTT's release prints it and does not write it.
        known: the rest is as in `from_torch`.
    """
    place = Path(images)
    if place.is_dir():
        images, labels = place / "images_best.pt", labels or place / "labels_best.pt"
        if step_size is None and (place / "lr_best.pt").is_file():
            step_size = place / "lr_best.pt"
    if labels is None:
        raise FormatError(f"{images}: name the file with the labels too")
    if isinstance(step_size, (str, os.PathLike)):
        step_size = _number(read_pt(step_size), str(step_size))
    known.setdefault("method", "MTT")
    return from_torch(read_pt(images), read_pt(labels), step_size=step_size, **known)


def from_image_folder(
    folder: str | os.PathLike[str], *, class_names: Sequence[str] | None = None, data: Data | None = None, **known: Any
) -> Distilled:
    """A set of pictures, one folder for each class, as the releases of SRe2L, RDED and D4M write them. Needs Pillow.

    The numbers of the classes are those of `class_names` (or of `data`); the folders must have the same names, in any order. Without
    either, the order is that of the folders' names. A leading number (`003-Dress`, `new003`, `00003`) stands for the class of
    that number where no name fits.

    Raises:
        FormatError: a folder is no class, a class has no folder, or pictures differ in size.
    """
    image_module = need("PIL.Image", "images", "reading pictures")
    root = Path(folder)
    if not root.is_dir():
        raise FormatError(f"{root}: there is no such folder")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    names = tuple(path.name for path in folders) if class_names is None and data is None else _class_names(data, class_names)
    numbers = _numbers_of_folders([path.name for path in folders], names, root)
    images, labels = [], []
    for path, number in sorted(zip(folders, numbers), key=lambda one: one[1]):
        for file in sorted(path.iterdir()):
            if file.suffix.lower() not in (".png", ".jpg", ".jpeg") or file.name.startswith("."):
                continue
            images.append(_picture(image_module, file))
            labels.append(number)
            if images[-1].shape != images[0].shape:
                raise FormatError(f"{file}: it is of the size {list(images[-1].shape)}, the first of {list(images[0].shape)}")
    if not images:
        raise FormatError(f"{root}: there is no PNG or JPEG picture in its folders")
    return from_torch(np.stack(images), np.array(labels), class_names=names, data=data, **known)


def read_pt(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """The tensor in a `.pt` file.

    Raises:
        FormatError: there is no file, or it holds anything but one tensor.
    """
    torch = need("torch", "torch", "reading .pt files")
    import pickle

    if not Path(path).is_file():
        raise FormatError(f"{path}: there is no such file")
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise FormatError(
            f"{path}: it holds more than tensors and was refused, since reading it could run a program that is hidden in it. "
            "Make it again by torch.save(tensor.detach().cpu(), file)"
        ) from error
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        raise FormatError(f"{path}: this is no file of torch.save, or a damaged one: {error}") from error
    return _array(value, str(path))


def _array(value: Any, what: str = "the array") -> npt.NDArray[Any]:
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, (int, float)):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise FormatError(f"{what} is no tensor or array but {type(value).__name__}")
    return value


def _number(value: npt.NDArray[Any], what: str) -> float:
    if value.size != 1:
        raise FormatError(f"{what}: it has {value.size} numbers, and a learning rate is one")
    return float(value.reshape(-1)[0])


def _single(
    images: npt.NDArray[Any], labels: npt.NDArray[Any], preprocessing: Preprocessing, classes: int, what: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
    """Images and labels, class by class."""
    if images.dtype == np.uint8:
        images = preprocessing.apply(images)
    if images.dtype.kind != "f" or images.ndim != 4:
        raise FormatError(f"{what}: images are {images.dtype} {list(images.shape)}; they must be float or bytes [n, c, h, w]")
    if labels.dtype.kind not in "iuf" or labels.ndim not in (1, 2):
        raise FormatError(f"{what}: labels are {labels.dtype} {list(labels.shape)}; they must be [n] or [n, class]")
    if labels.ndim == 1 and labels.dtype.kind == "f":
        if not np.array_equal(labels, np.rint(labels)):
            raise FormatError(f"{what}: class numbers must be whole")
        labels = labels.astype(np.int64)
    labels = labels.astype(np.int64 if labels.ndim == 1 else np.float32)
    if len(labels) != len(images):
        raise FormatError(f"{what}: there are {len(images)} images and {len(labels)} labels")
    if labels.ndim == 2 and labels.shape[1] == classes and not (labels >= 0).all() | (labels.sum(1) > 1e-6).all():
        raise FormatError(f"{what}: labels of several numbers must be probabilities")
    order = np.argsort(class_numbers(labels), kind="stable")
    return images[order].astype(np.float32), labels[order]


def _per_class(labels: npt.NDArray[Any], classes: int) -> int:
    return int(np.bincount(class_numbers(labels).clip(0), minlength=classes).max())


def _class_names(data: Data | None, class_names: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(class_names) if class_names is not None else data.class_names if data is not None else None
    if names is None:
        raise FormatError(_NO_CLASSES)
    if data is not None and names != data.class_names:
        raise FormatError("`class_names` are not those of `data`, or in another order")
    if len(set(names)) != len(names) or not names or not all(isinstance(name, str) and name for name in names):
        raise FormatError("the names of the classes must be texts that differ")
    return names


def _preprocessing(data: Data | None, normalize: Normalize | None) -> Preprocessing:
    if normalize is None:
        if data is None:
            raise FormatError("say what was done to the pixels: `normalize=` none, zca or (mean, std), or `data=` of the data set")
        return data.preprocessing
    if isinstance(normalize, Preprocessing):
        found = normalize
    elif normalize == "none":
        found = Preprocessing()
    elif normalize == "zca":
        # 0.1 is what MTT's release and the program whiten by.
        found = data.preprocessing if data is not None and data.preprocessing.kind == "zca" else Preprocessing("zca", epsilon=0.1)
    elif isinstance(normalize, tuple) and len(normalize) == 2:
        mean, std = (tuple(float(one) for one in part) for part in normalize)
        found = Preprocessing("standard", mean, std)
    else:
        raise FormatError(f"normalize is {normalize!r}; it must be none, zca, (mean, std) or a Preprocessing")
    if data is not None and not found.agrees_with(data.preprocessing):
        raise FormatError("`normalize` is not what was done to the pixels of `data`")
    return found


def _numbers_of_folders(folders: Sequence[str], names: Sequence[str], root: Path) -> list[int]:
    known = {name: number for number, name in enumerate(names)}
    numbers = []
    for folder in folders:
        number = known.get(folder)
        digits = re.match(r"(?:new)?(\d+)", folder)
        if number is None and digits and int(digits[1]) < len(names):
            number = int(digits[1])
        if number is None:
            raise FormatError(f"{root / folder}: this is none of the classes {', '.join(names[:12])}")
        numbers.append(number)
    if sorted(numbers) != list(range(len(names))):
        missing = sorted(set(range(len(names))) - set(numbers))
        said = f"the class {names[missing[0]]} has no folder" if missing else "two folders are of one class"
        raise FormatError(f"{root}: {said}")
    return numbers


def _picture(image_module: Any, file: Path) -> npt.NDArray[np.uint8]:
    try:
        with image_module.open(file) as picture:
            grey = picture.mode in ("1", "L", "I", "I;16", "LA")
            array = np.asarray(picture.convert("L" if grey else "RGB"))
    except (OSError, ValueError) as error:
        raise FormatError(f"{file}: this is no picture that can be read: {error}") from error
    return array[None] if grey else array.transpose(2, 0, 1)
