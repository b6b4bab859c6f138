"""Distilled data sets of pddflow in NumPy and PyTorch.

>>> distilled = pddflow.load("results/quickstart/release")      # an exported folder, or a pipeline file and a node
>>> distilled.images.shape, distilled.class_names, distilled.plan.stages
>>> distilled.torch()                                           # a TensorDataset
>>> distilled.train(net)                                        # by the set's own recipe, stage after stage

NumPy and safetensors are all that loading needs; `torch()`, `train()`, `evaluate()` and the import of `.pt` files need PyTorch,
tables become data frames where pandas is installed.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._data import Data, Preprocessing, load_data
    from ._errors import FormatError, MissingPackage, PddflowError, ProgramError
    from ._imports import from_image_folder, from_mtt, from_torch
    from ._load import load
    from ._plan import Plan, Stage, Step
    from ._program import find_program
    from ._run import Run, Table, compare, results, run
    from ._sets import Distilled, SingleSet, StageData
    from .nets import convnet

_HOMES = {
    "_data": ["Data", "Preprocessing", "load_data"],
    "_errors": ["FormatError", "MissingPackage", "PddflowError", "ProgramError"],
    "_imports": ["from_image_folder", "from_mtt", "from_torch"],
    "_load": ["load"],
    "_plan": ["Plan", "Stage", "Step"],
    "_program": ["find_program"],
    "_run": ["Run", "Table", "compare", "results", "run"],
    "_sets": ["Distilled", "SingleSet", "StageData"],
    "nets": ["convnet"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__version__ = "0.1.0"
__all__ = [
    "Data", "Distilled", "FormatError", "MissingPackage", "PddflowError", "Plan", "Preprocessing", "ProgramError", "Run",
    "SingleSet", "Stage", "StageData", "Step", "Table", "compare", "convnet", "find_program", "from_image_folder", "from_mtt",
    "from_torch", "load", "load_data", "results", "run",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Modules are read when something of them is asked for, so that the command starts without NumPy."""
    if name not in _HOME_OF:
        raise AttributeError(f"module `pddflow` has no `{name}`")
    return getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
