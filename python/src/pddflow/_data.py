"""Real images with their classes, and how pixels become the numbers that nets see."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field as dataclass_field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _container as container
from ._container import field, numbers, texts
from ._errors import FormatError
from ._program import arguments_of, call

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Preprocessing:
    """What is done to pixels from 0 to 1 (byte / 255) before a net sees them.

    | kind | value |
    |---|---|
    | `none` | x |
    | `standard` | (x - mean) / std, for each channel |
    | `zca` | (flatten(x) - center) @ transform |
    """

    kind: str = "none"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    epsilon: float | None = None
    #: Of everything that decides the numbers, where the program told it.
    digest: str | None = None
    #: `mean` [d], `transform` [d, d] and `inverse` [d, d] of whitening, where they are at hand.
    zca: Mapping[str, Floats] | None = dataclass_field(default=None, repr=False, compare=False)

    def apply(self, images: npt.NDArray[Any]) -> Floats:
        """Pixels `[n, c, h, w]`, bytes or floats from 0 to 1, as nets see them."""
        pixels = _as_pixels(images)
        if self.kind == "standard":
            mean, std = (np.asarray(one).reshape(1, -1, 1, 1) for one in self._moments(pixels))
            return np.asarray((pixels - mean) / std, dtype=np.float32)
        if self.kind == "zca":
            zca = self._matrices()
            rows = pixels.reshape(len(pixels), -1).astype(np.float32)
            return np.asarray((rows - zca["mean"]) @ zca["transform"], dtype=np.float32).reshape(pixels.shape)
        return pixels.astype(np.float32)

    def invert(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """What nets see, `[n, c, h, w]`, as pixels; values outside 0 to 1 are not cut."""
        values = np.asarray(images, dtype=np.float64)
        if self.kind == "standard":
            mean, std = (np.asarray(one).reshape(1, -1, 1, 1) for one in self._moments(values))
            return np.asarray(values * std + mean)
        if self.kind == "zca":
            zca = self._matrices()
            rows = values.reshape(len(values), -1) @ zca["inverse"].astype(np.float64) + zca["mean"]
            return np.asarray(rows.reshape(values.shape))
        return values

    def agrees_with(self, other: "Preprocessing") -> bool:
        """Whether both do the same, as far as is known of them."""
        if self.digest is not None and other.digest is not None:
            return self.digest == other.digest
        return (self.kind, self.mean, self.std, self.epsilon) == (other.kind, other.mean, other.std, other.epsilon)

    def _moments(self, images: npt.NDArray[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        if len(self.mean) != images.shape[1]:
            raise FormatError(f"the mean has {len(self.mean)} channels, the images have {images.shape[1]}")
        return self.mean, self.std

    def _matrices(self) -> Mapping[str, Floats]:
        if self.zca is None:
            raise FormatError(
                "the whitening matrices are not at hand: export the set by a node of kind `export` with the data as input, or "
                "give `data=` where there is such a parameter"
            )
        return self.zca


def _as_pixels(images: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    images = np.asarray(images)
    if images.ndim != 4:
        raise FormatError(f"images have the axes [image, channel, row, column]; these have the shape {list(images.shape)}")
    if images.dtype == np.uint8:
        return np.asarray(images / 255.0)
    if not np.issubdtype(images.dtype, np.floating):
        raise FormatError(f"pixels are bytes or floats from 0 to 1; these are {images.dtype}")
    return images.astype(np.float64)


def preprocessing_of(note: Mapping[str, Any], what: str, zca: Mapping[str, Floats] | None = None) -> Preprocessing:
    """From what a manifest, a set or a data set says of it."""
    kind = field(note, "normalize" if "normalize" in note else "kind", str, what)
    digest = field(note, "digest", str, what, None)
    if kind == "none":
        return Preprocessing(digest=digest)
    if kind == "standard":
        mean, std = numbers(note, "mean", what), numbers(note, "std", what)
        if len(mean) != len(std) or not mean or min(std) <= 0:
            raise FormatError(f"{what}: mean {list(mean)} and std {list(std)} do not go together")
        return Preprocessing("standard", mean, std, digest=digest)
    if kind == "zca":
        epsilon = float(field(note, "epsilon", (int, float), what))
        if zca is not None and not {"mean", "transform", "inverse"} <= zca.keys():
            raise FormatError(f"{what}: the whitening has {sorted(zca)}, expected mean, transform and inverse")
        return Preprocessing("zca", epsilon=epsilon, digest=digest, zca=zca)
    raise FormatError(f"{what}: the normalisation `{kind}` is not known; expected none, standard or zca")


@dataclass(frozen=True)
class Data:
    """A data set of the program: what a node of kind `dataset` gives."""

    #: Bytes `[n, c, h, w]` of each part: `train`, `test`, and `held_out` where there is one.
    pixels: Mapping[str, npt.NDArray[np.uint8]] = dataclass_field(repr=False)
    #: Class of each image of each part.
    labels: Mapping[str, Integers] = dataclass_field(repr=False)
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    source: str
    license: str | None = None

    def part(self, name: str) -> tuple[Floats, Integers]:
        """Images as nets see them, and their classes.

        Raises:
            FormatError: there is no such part.
        """
        if name not in self.pixels or len(self.pixels[name]) == 0:
            parts = [part for part, images in self.pixels.items() if len(images)]
            raise FormatError(f"the data have no images `{name}`; they have {', '.join(parts)}")
        return self.preprocessing.apply(self.pixels[name]), self.labels[name]

    @property
    def train(self) -> tuple[Floats, Integers]:
        """The training images as nets see them `[n, c, h, w]`, and their classes `[n]`."""
        return self.part("train")

    @property
    def test(self) -> tuple[Floats, Integers]:
        """The test images as nets see them `[n, c, h, w]`, and their classes `[n]`."""
        return self.part("test")


def load_data(
    file: str | os.PathLike[str],
    node: str | None = None,
    *,
    set: Mapping[str, Any] | None = None,
    profile: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Data:
    """The data of a node of a pipeline that has run, or of a file that `pddflow export` wrote of it (without `node`).

    Raises:
        FormatError: this is no data set.
        ProgramError: the node does not exist, or has not run.
    """
    if node is None:
        return _read(Path(file))
    with tempfile.TemporaryDirectory() as folder:
        places = {"--cache-dir": cache_dir, "--to": folder}
        call(["export", os.fspath(file), node, *arguments_of(set, profile, places)])
        found = sorted(Path(folder).glob("*.safetensors"))
        if len(found) != 1:
            raise FormatError(f"the node `{node}` gives no data set")
        return _read(found[0])


def _read(path: Path) -> Data:
    arrays, note = container.read(path)
    if note.get("artifact") != "dataset":
        raise FormatError(f"{path}: this is no data set but `{note.get('artifact', 'something else')}`")
    zca = {name.removeprefix("zca."): array for name, array in arrays.items() if name.startswith("zca.")}
    parts = [name.removesuffix(".images") for name in arrays if name.endswith(".images")]
    return Data(
        pixels={part: arrays[f"{part}.images"] for part in parts},
        labels={part: arrays[f"{part}.labels"].astype(np.int64) for part in parts},
        class_names=texts(note, "class_names", str(path)),
        preprocessing=preprocessing_of(field(note, "normalize", dict, str(path)), str(path), zca or None),
        source=field(note, "source", str, str(path)),
        license=field(note, "license", str, str(path), None),
    )
