"""Sets as folders."""

import json
import os
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _container as container
from ._data import Data, Preprocessing
from ._errors import FormatError
from ._plan import manifest_of_plan
from ._sets import Distilled, SingleSet, as_bytes, class_numbers

#: Layout of the manifest that is written.
_FORMAT = 4


def save(distilled: Distilled, folder: str | os.PathLike[str]) -> None:
    """See `Distilled.save`."""
    root = _new_folder(folder)
    single = len(distilled.sets) == 1
    places = ["" if single else f"{n:02}-{file_stem(one.method)}/" for n, one in enumerate(distilled.sets, 1)]
    plan = manifest_of_plan(distilled.plan, [one.images_per_class for one in distilled.sets])
    manifest = {
        "format": _FORMAT,
        "source": distilled.source,
        "source_license": distilled.license,
        "class_names": list(distilled.class_names),
        "preprocessing": _preprocessing(distilled.preprocessing, root),
        "training": plan,
        "sets": [_entry(one, place) for one, place in zip(distilled.sets, places)],
    }
    for one, place in zip(distilled.sets, places):
        (root / place).mkdir(exist_ok=True)
        arrays: dict[str, npt.NDArray[Any]] = {"images": one.images, "labels": one.labels}
        arrays |= {f"learnable.{name}": array for name, array in one.learnables.items()}
        if one.step_size is not None:
            arrays["step_size"] = np.array([one.step_size])
        container.write(root / place / "images.safetensors", arrays)
    (root / "manifest.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _preprocessing(preprocessing: Preprocessing, root: Path) -> dict[str, Any]:
    note: dict[str, Any] = {"normalize": preprocessing.kind, "digest": preprocessing.digest}
    if preprocessing.kind == "standard":
        note |= {"mean": list(preprocessing.mean), "std": list(preprocessing.std), "origin": "given"}
    if preprocessing.kind == "zca":
        note["epsilon"] = preprocessing.epsilon
        if preprocessing.zca is not None:
            container.write(root / "zca.safetensors", dict(preprocessing.zca))
            note["file"] = "zca.safetensors"
    return note


def _entry(one: SingleSet, place: str) -> dict[str, Any]:
    return {
        "method": one.method,
        "stage": one.stage,
        "images_per_class": one.images_per_class,
        "file": f"{place}images.safetensors",
        "images": list(one.images.shape),
        "labels": "probabilities" if one.soft else "class numbers",
        "step_size": one.step_size,
        "learnables": sorted(one.learnables),
        "recipe": dict(one.recipe),
        "made_by": dict(one.made_by),
    }


def save_as_data(distilled: Distilled, folder: str | os.PathLike[str], test: Data | None) -> str:
    """See `Distilled.save_as_data`."""
    if test is not None and test.class_names != distilled.class_names:
        raise FormatError("the data have other classes than the set, or in another order")
    root = _new_folder(folder)
    names = [f"{number:03}-{file_stem(name)}" for number, name in enumerate(distilled.class_names)]
    _write_class_folders(root / "train", names, distilled.pixels, class_numbers(distilled.labels))
    if test is not None:
        _write_class_folders(root / "test", names, test.pixels["test"], test.labels["test"])
    mean, std = list(distilled.preprocessing.mean), list(distilled.preprocessing.std)
    # Whitening is fitted anew by the program, on what it is given: here it has been undone.
    how = f"{{ standard: {{ mean: {mean}, std: {std} }} }}" if distilled.preprocessing.kind == "standard" else "none"
    path = json.dumps(str(root.absolute()), ensure_ascii=False)
    return f"kind: dataset\nwith:\n  source: {{ image-folder: {{ path: {path} }} }}\n  normalize: {how}\n"


def _write_class_folders(root: Path, names: list[str], pixels: npt.NDArray[np.uint8], labels: npt.NDArray[Any]) -> None:
    counts = dict.fromkeys(range(len(names)), 0)
    for image, label in zip(pixels, labels):
        folder = root / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{counts[label]:05}.png").write_bytes(png(image))
        counts[label] += 1
    empty = [names[label] for label, count in counts.items() if count == 0]
    if empty:
        raise FormatError(f"the class {empty[0]} has no image, and the source `image-folder` takes no empty class")


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """A grey or coloured image `[c, h, w]` as PNG."""
    channels, height, width = image.shape
    if channels not in (1, 3):
        raise FormatError(f"a picture has 1 or 3 channels, this one has {channels}")

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = image.transpose(1, 2, 0).reshape(height, width * channels)
    filtered = np.concatenate([np.zeros((height, 1), dtype=np.uint8), rows], axis=1).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(filtered)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def file_stem(label: str) -> str:
    """A name that is fit for a file: letters, digits, `-`, `_`, `.`, `+`, `=`; anything else becomes `-`."""
    stem = re.sub(r"[^\w.+=-]", "-", label)[:100].strip("-.")
    return stem or "set"


def _new_folder(folder: str | os.PathLike[str]) -> Path:
    root = Path(folder)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FormatError(f"{root}: there is something there already; choose a new or empty folder")
    root.mkdir(parents=True, exist_ok=True)
    return root
