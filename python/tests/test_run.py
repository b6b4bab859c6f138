"""Runs, tables, and the command."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PIPELINE, Ran

import pddflow

SMALL = """\
format: 1
name: small
params: { count: 1, model: { convnet: { width: 2, depth: 2 } } }
profiles: { more: { params: { count: 2 } } }
nodes:
  data: { kind: dataset, with: { source: fashion-mini, train_per_class: 5, test_per_class: 2 } }
  pick: { kind: select, needs: { data: data }, with: { method: random, ipc: "${count}" } }
  eval:
    kind: evaluate
    needs: { data: data, sets: pick }
    with: { model: "${model}", recipe: dsa, nets: 2, epochs: 1 }
  table: { kind: table, needs: { results: eval }, with: { columns: ipc } }
"""


def rows(table: Any) -> list[dict[str, Any]]:
    return table if isinstance(table, list) else table.to_dict("records")  # type: ignore[no-any-return]


def test_a_run_gives_its_tables(program: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    places: dict[str, Any] = {"cache_dir": tmp_path / "store", "results_dir": tmp_path / "results"}
    events: list[str] = []
    first = pddflow.run(tmp_path / "small.yaml", progress=lambda event: events.append(event["event"]), **places)
    assert first.ran == ("data", "pick", "eval", "table") and first.cached == ()
    assert events[0] == "run_started" and "run_finished" in events
    (cell,) = rows(first.table)
    assert cell["row"] == "random" and cell["column"] == "1" and cell["nets"] == 2
    assert cell["mean"] == pytest.approx(first.metrics["eval"]["accuracy"])
    again = pddflow.run(tmp_path / "small.yaml", **places)
    assert again.ran == () and again.metrics["eval"] == first.metrics["eval"]
    assert rows(pddflow.results(tmp_path / "results" / "small")["table"]) == rows(first.table)
    changed = pddflow.run(tmp_path / "small.yaml", set={"count": 3, "model": {"convnet": {"width": 3, "depth": 1}}}, **places)
    assert rows(changed.table)[0]["column"] == "3" and changed.cached == ("data",)
    profiled = pddflow.run(tmp_path / "small.yaml", "pick", profile="more", **places)
    assert profiled.ran == ("pick",) and profiled.tables == {}


def test_runs_are_joined_in_one_table(program: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    places: dict[str, Any] = {"cache_dir": tmp_path / "store", "results_dir": tmp_path / "results"}
    runs = [pddflow.run(tmp_path / "small.yaml", set={"count": count}, **places) for count in (1, 2)]
    joined = rows(pddflow.compare(cache_dir=tmp_path / "store"))
    assert [row["count"] for row in joined] == [1, 2]
    assert [row["accuracy"] for row in joined] == [pytest.approx(run.metrics["eval"]["accuracy"]) for run in runs]
    (last,) = rows(pddflow.compare("last", cache_dir=tmp_path / "store", nodes="eval"))
    assert last["accuracy"] == joined[1]["accuracy"]
    with pytest.raises(pddflow.ProgramError, match="nothing"):
        pddflow.compare("nothing", cache_dir=tmp_path / "store")


def test_tables_are_data_frames_where_pandas_is(ran: Ran) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = ran.run.table
    assert isinstance(table, pandas.DataFrame) and len(table) == 6
    means = table.set_index("row")["mean"]
    assert means["DM"] == pytest.approx(ran.run.metrics["eval[of=dm]"]["accuracy"])


def test_errors_of_the_program_are_told(program: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("format: 1\nnodes: { a: { kind: nope } }\n", encoding="utf-8")
    with pytest.raises(pddflow.ProgramError, match=r"bad\.yaml:2:\d+: there is no kind `nope`") as caught:
        pddflow.run(tmp_path / "bad.yaml")
    assert caught.value.status == 3
    (tmp_path / "fails.yaml").write_text(SMALL.replace("ipc: \"${count}\"", "ipc: 4000"), encoding="utf-8")
    with pytest.raises(pddflow.ProgramError, match="pick: ") as failed:
        pddflow.run(tmp_path / "fails.yaml", cache_dir=tmp_path / "store", results_dir=tmp_path / "results")
    assert failed.value.status == 1
    with pytest.raises(pddflow.FormatError, match="no such folder"):
        pddflow.results(tmp_path / "none")
    with pytest.raises(pddflow.FormatError, match="no table"):
        pddflow.results(tmp_path)


def test_a_program_that_is_absent_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pddflow import _program

    monkeypatch.setattr(_program, "_PACKED", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PDDFLOW", raising=False)
    with pytest.raises(pddflow.ProgramError, match="was not found"):
        pddflow.run(PIPELINE)
    monkeypatch.setenv("PDDFLOW", str(tmp_path / "gone"))
    with pytest.raises(pddflow.ProgramError, match="no such file"):
        pddflow.find_program()


@pytest.mark.skipif(sys.platform == "win32", reason="scripts with a first line are those of Unix")
def test_the_command_does_not_find_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pddflow import _program

    for name, text in (("own", "#!/usr/bin/env python3\n"), ("real", "\x7fELF")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pddflow").write_text(text)
        (tmp_path / name / "pddflow").chmod(0o755)
    monkeypatch.setattr(_program, "_PACKED", tmp_path / "none")
    monkeypatch.delenv("PDDFLOW", raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "own"), str(tmp_path / "real")]))
    assert pddflow.find_program() == tmp_path / "real" / "pddflow"


def test_the_module_is_the_program(program: Path) -> None:
    said = subprocess.run([sys.executable, "-m", "pddflow", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("pddflow ")
    wrong = subprocess.run([sys.executable, "-m", "pddflow", "run"], capture_output=True, text=True)
    assert wrong.returncode == 2, "the exit status is the program's"


def test_names_are_all_there() -> None:
    assert all(getattr(pddflow, name) is not None for name in pddflow.__all__)
    with pytest.raises(AttributeError, match="no `nothing`"):
        pddflow.nothing  # noqa: B018
