"""The worked example of the docs runs."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "core" / "docs" / "python.md"


def block(name: str) -> str:
    found = re.search(rf"<!-- {re.escape(name)} -->\n```\w+\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"{DOCS.name} has no block {name}"
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
