"""Arrays in safetensors files, and the note that the program writes beside them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ._errors import FormatError

#: The metadata entry of the program's own files.
NOTE = "pddflow"

Arrays = dict[str, npt.NDArray[Any]]


def read(path: str | os.PathLike[str]) -> tuple[Arrays, dict[str, Any]]:
    """All arrays of a file, and its note; an empty one where it has none.

    Raises:
        FormatError: the file is absent, damaged, or not safetensors.
    """
    if not Path(path).is_file():
        raise FormatError(f"{path}: there is no such file")
    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
            note = (file.metadata() or {}).get(NOTE, "{}")
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        raise FormatError(f"{path}: this is no safetensors file that can be read: {error}") from error
    return arrays, as_object(note, f"{path}: the note")


def write(path: str | os.PathLike[str], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes arrays, in C order."""
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, os.fspath(path))


def as_object(text: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        FormatError: it is none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise FormatError(f"{what} is no JSON object")
    return value


def field(value: Mapping[str, Any], name: str, kind: type | tuple[type, ...], what: str, default: Any = ...) -> Any:
    """A field of a JSON object.

    Raises:
        FormatError: it is absent and has no default, or is of another type.
    """
    found = value.get(name)
    if found is None and default is not ...:
        return default
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if isinstance(found, float) and not np.isfinite(found):
        raise FormatError(f"{what}: `{name}` is {found}, which is no number")
    if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
        said = "is missing" if found is None else f"is {json.dumps(found)[:60]}"
        raise FormatError(f"{what}: `{name}` {said}; expected {' or '.join(one.__name__ for one in kinds)}")
    return found


def texts(value: Mapping[str, Any], name: str, what: str) -> tuple[str, ...]:
    """A field with a list of texts."""
    found = field(value, name, list, what)
    if not all(isinstance(one, str) for one in found):
        raise FormatError(f"{what}: `{name}` must be a list of texts")
    return tuple(found)


def numbers(value: Mapping[str, Any], name: str, what: str) -> tuple[float, ...]:
    """A field with a list of finite numbers."""
    found = field(value, name, list, what)
    if not all(isinstance(one, (int, float)) and not isinstance(one, bool) and np.isfinite(one) for one in found):
        raise FormatError(f"{what}: `{name}` must be a list of numbers")
    return tuple(float(one) for one in found)
