"""A run of `sets.yaml` by the program, shared by all tests; they are skipped, and say so, where there is no program."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pddflow
from pddflow import _container as container
from pddflow._program import call

PIPELINE = Path(__file__).with_name("sets.yaml")


@dataclass
class Ran:
    """The run, and where its files are."""

    run: pddflow.Run
    store: Path

    def export(self, name: str) -> pddflow.Distilled:
        return pddflow.load(self.run.folder / name)

    def artifact(self, node: str, kind: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """The arrays of a node's artifact, and its note."""
        call(["export", str(PIPELINE), node, "--to", str(folder), "--cache-dir", str(self.store)])
        found = [container.read(path) for path in folder.glob("*.safetensors")]
        return next(one for one in found if one[1]["artifact"] == kind)

    def data(self) -> pddflow.Data:
        return pddflow.load_data(PIPELINE, "data", cache_dir=self.store)


@pytest.fixture(scope="session")
def program() -> Path:
    try:
        return pddflow.find_program()
    except pddflow.ProgramError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def ran(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("ran")
    run = pddflow.run(PIPELINE, cache_dir=folder / "store", results_dir=folder / "results")
    yield Ran(run, folder / "store")


@pytest.fixture
def tiny() -> pddflow.Distilled:
    """Two stages of two classes, made by no program."""
    random = np.random.default_rng(0)
    images = [random.normal(size=(4, 1, 8, 8)).astype(np.float32) for _ in range(2)]
    return pddflow.from_torch(
        images, [np.array([0, 0, 1, 1])] * 2, class_names=["a", "b"], normalize=((0.5,), (0.25,)), step_size=[0.02, 0.01]
    )  # fmt: skip
