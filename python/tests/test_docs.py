"""The worked example of the docs runs."""

import os
import re
import sys
from pathlib import Path

import pytest

import pddflow

DOCS = Path(__file__).parents[2] / "core" / "docs"


def block(name: str, page: str = "python.md") -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(rf"<!-- {re.escape(name)} -->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found, f"{page} has no block {name}"
    return found[1]


def test_the_worked_example_runs(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PDDFLOW_CACHE_DIR", raising=False)
    Path("example.yaml").write_text(block("example.yaml"), encoding="utf-8")
    exec(compile(block("example.py"), "example.py", "exec"), names := {"__name__": "example"})
    assert (names["same"].images == names["distilled"].images).all() and names["same"].images.shape[0] == 20
    assert "DM" in capsys.readouterr().out, "the first column of a table is its row"
    # Three nets each: their standard error is about one point.
    assert abs(100 * names["evaluation"].mean - names["run"].metrics["eval"]["accuracy"]) < 6
    assert 0.4 < names["trained"].accuracy < 0.9


def test_the_matcher_of_the_docs_distills(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its gradients are those of `dm`, see `core/host/tests/python.rs`; here it is run as the page says."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PDDFLOW_CACHE_DIR", raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    for name in ("my_dm.py", "my_dm.yaml"):
        Path(name).write_text(block(name, "matchers_in_python.md"), encoding="utf-8")
    run = pddflow.run("my_dm.yaml")
    assert run.metrics["eval"]["accuracy"] > 45, "ten classes by 20 images"
    first = run.metrics["distill"]["loss"]
    assert 0 < first < 1e4
