"""Errors, and packages that may be absent."""

import importlib
from typing import Any


class PddflowError(Exception):
    """Every error of this package that a user can do something about."""


class FormatError(PddflowError, ValueError):
    """A file or an array is not what it has to be."""


class ProgramError(PddflowError, RuntimeError):
    """The program is absent, or said that something is wrong."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        #: Exit status of the program; `None` where it did not run.
        self.status = status


class MissingPackage(PddflowError, ImportError):
    """A package that is needed for this is not installed."""


def need(module: str, extra: str, what: str) -> Any:
    """The module, or an error that says how to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingPackage(f"{what} needs the package `{module}`: pip install 'pddflow[{extra}]'") from error
