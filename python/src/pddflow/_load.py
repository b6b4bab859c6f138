"""Distilled sets from exported folders and from the store."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from . import _container as container
from ._container import as_object, field, texts
from ._data import preprocessing_of
from ._errors import FormatError
from ._plan import own_plan, plan_of_manifest
from ._program import arguments_of, call
from ._sets import Distilled, SingleSet

_MANIFEST = "manifest.json"
#: Layouts of the manifest that are read.
_FORMATS = (2, 3, 4)


def load(
    place: str | os.PathLike[str],
    node: str | Sequence[str] | None = None,
    *,
    set: Mapping[str, Any] | None = None,
    profile: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Distilled:
    """Distilled sets.

    Args:
        place: an exported folder; a folder of results in which there is one; or a pipeline file, with `node`.
        node: a node of kind `export`, or one that gives a set, which has run; several of the latter are stages, in this order.
        set: parameters that the pipeline was run with.
        profile: profile that it was run with.
        cache_dir: its store, if it is not where the program looks for it.

    Raises:
        FormatError: this is no distilled set, or a damaged one; the message says what and where.
        ProgramError: the node does not exist, or has not run.
    """
    if node is None:
        return _read_folder(_folder_with_manifest(Path(place)))
    nodes = [node] if isinstance(node, str) else list(node)
    parts: list[tuple[SingleSet, dict[str, Any]]] = []
    for name in nodes:
        with tempfile.TemporaryDirectory() as folder:
            call(["export", os.fspath(place), name, *arguments_of(set, profile, {"--cache-dir": cache_dir, "--to": folder})])
            if (Path(folder) / _MANIFEST).is_file():
                if len(nodes) > 1:
                    raise FormatError(f"`{name}` is an export, which stands alone: give it without other nodes")
                return _read_folder(Path(folder))
            parts.append(_read_artifact(Path(folder), name))
    return _of_artifacts(parts)


def _folder_with_manifest(place: Path) -> Path:
    if place.is_file() and place.name == _MANIFEST:
        return place.parent
    if place.is_file():
        raise FormatError(f"{place}: for a pipeline file give a node too: load({str(place)!r}, 'distill')")
    if not place.is_dir():
        raise FormatError(f"{place}: there is no such folder")
    if (place / _MANIFEST).is_file():
        return place
    found = sorted(path.parent for path in [*place.glob(f"*/{_MANIFEST}"), *place.glob(f"*/*/{_MANIFEST}")])
    if len(found) == 1:
        return found[0]
    if not found:
        raise FormatError(f"{place}: there is no {_MANIFEST} in it; exports are made by a node of kind `export`")
    names = ", ".join(str(folder) for folder in found[:8])
    raise FormatError(f"{place}: there are {len(found)} exports in it; load one of {names}")


def _read_folder(folder: Path) -> Distilled:
    path = folder / _MANIFEST
    what = str(path)
    manifest = as_object(path.read_bytes(), what)
    version = field(manifest, "format", int, what)
    if version not in _FORMATS:
        raise FormatError(f"{what}: the format is {version}; this package reads {_FORMATS[0]} to {_FORMATS[-1]}")
    note, zca = field(manifest, "preprocessing", dict, what), None
    if "file" in note:
        zca = container.read(_inside(folder, field(note, "file", str, what), what))[0]
    entries = field(manifest, "sets", list, what)
    return Distilled(
        sets=tuple(_read_entry(folder, entry, number, what) for number, entry in enumerate(entries, 1)),
        class_names=texts(manifest, "class_names", what),
        preprocessing=preprocessing_of(note, what, zca),
        plan=plan_of_manifest(manifest, what),
        source=field(manifest, "source", str, what, ""),
        license=field(manifest, "source_license", str, what, None),
    )


def _read_entry(folder: Path, entry: Any, number: int, what: str) -> SingleSet:
    if not isinstance(entry, dict):
        raise FormatError(f"{what}: set {number} is no object")
    what = f"{what}, set {number}"
    path = _inside(folder, field(entry, "file", str, what), what)
    return _single(container.read(path)[0], entry, "images_per_class", str(path))


def _inside(folder: Path, name: str, what: str) -> Path:
    """A file of the folder; names that lead out of it are refused."""
    pure = PurePosixPath(name)
    unsafe = pure.is_absolute() or PureWindowsPath(name).anchor or "\\" in name or "\0" in name or ".." in pure.parts
    if unsafe or not pure.parts:
        raise FormatError(f"{what}: the file {name!r} is not inside the folder")
    return folder / pure


def _read_artifact(folder: Path, node: str) -> tuple[SingleSet, dict[str, Any]]:
    """The set of a node, with its note."""
    found = [(path, *container.read(path)) for path in sorted(folder.glob("*.safetensors"))]
    sets = [one for one in found if one[2].get("artifact") == "set"]
    if len(sets) != 1:
        given = ", ".join(str(note.get("artifact")) for _, _, note in found) or "nothing that holds arrays"
        raise FormatError(f"the node `{node}` gives no set but {given}")
    _, arrays, note = sets[0]
    return _single(arrays, note, "ipc", f"`{node}`"), note


def _single(arrays: container.Arrays, note: Mapping[str, Any], per_class: str, what: str) -> SingleSet:
    missing = {"images", "labels"} - arrays.keys()
    if missing:
        raise FormatError(f"{what}: the array `{sorted(missing)[0]}` is missing")
    step_size = arrays.get("step_size")
    if step_size is not None and step_size.size != 1:
        raise FormatError(f"{what}: `step_size` is not one number")
    labels = arrays["labels"]
    return SingleSet(
        images=arrays["images"].astype(np.float32),
        labels=labels.astype(np.int64 if labels.dtype.kind in "iu" else np.float32),
        method=field(note, "method", str, what),
        images_per_class=field(note, per_class, int, what),
        stage=field(note, "stage", int, what),
        step_size=None if step_size is None else float(step_size.reshape(-1)[0]),
        recipe=field(note, "recipe", dict, what, {}),
        made_by=field(note, "made_by", dict, what, {}),
        learnables={name.removeprefix("learnable."): a for name, a in arrays.items() if name.startswith("learnable.")},
    )


def _of_artifacts(parts: Sequence[tuple[SingleSet, dict[str, Any]]]) -> Distilled:
    if not parts:
        raise FormatError("no node was named")
    sets, notes = [one for one, _ in parts], [note for _, note in parts]
    first, what = notes[0], "the first set"
    names, preprocessing = texts(first, "class_names", what), field(first, "preprocessing", dict, what)
    for number, note in enumerate(notes, 1):
        if note.get("class_names") != list(names) or note.get("preprocessing") != preprocessing:
            raise FormatError(f"set {number} has other classes or another normalisation than the first")
    return Distilled(
        sets=tuple(sets),
        class_names=names,
        preprocessing=preprocessing_of(preprocessing, what),
        plan=own_plan(
            [one.recipe for one in sets],
            [one.step_size for one in sets],
            "the last set's recipe",
            [one.learnables for one in sets],
        ),
        source=field(first, "source", str, what),
    )
