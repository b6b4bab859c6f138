"""Runs of pipelines, and their tables."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field as dataclass_field
from pathlib import Path
from typing import Any

from ._container import as_object, field
from ._errors import FormatError, ProgramError
from ._program import arguments_of, call as ask, message_of, stream

#: The results table of a node of kind `table`, as rows; a pandas `DataFrame` where pandas is installed.
Table = Any

_FIRST = ("row", "column", "mean", "std_between_nets", "std_between_seeds", "nets", "seeds")


@dataclass(frozen=True)
class Run:
    """What a run gave."""

    #: `tables["table"]` is the table of the node `table`: one row for each cell.
    tables: Mapping[str, Table] = dataclass_field(repr=False)
    #: Metrics of each node, such as `metrics["eval[1]"]["accuracy"]` in percent.
    metrics: Mapping[str, Mapping[str, float]] = dataclass_field(repr=False)
    #: Nodes that ran, and those whose results were there already.
    ran: tuple[str, ...]
    cached: tuple[str, ...]
    #: Folder with the results of the pipeline.
    folder: Path

    @property
    def table(self) -> Table:
        """The only table."""
        return _only(self.tables, self.folder)


def run(
    file: str | os.PathLike[str],
    nodes: str | Sequence[str] = (),
    *,
    set: Mapping[str, Any] | None = None,
    profile: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    results_dir: str | os.PathLike[str] = "results",
    arguments: Sequence[str] = (),
    progress: Callable[[dict[str, Any]], object] | None = None,
) -> Run:
    """Runs what is stale of a pipeline.

    Args:
        file: the pipeline file.
        nodes: only these and what they need.
        set: parameters: `{"ipc": 10, "nodes.eval.with.nets": 3}`.
        profile: profile of the file.
        cache_dir: the store, if it is not to be where the program looks for it.
        results_dir: folder for tables, pictures and exports.
        arguments: further arguments of `pddflow run`, such as `["--jobs", "2"]`.
        progress: called with each event of the run.

    Raises:
        ProgramError: the file has errors, or a node failed; with what the program said.
    """
    chosen = [nodes] if isinstance(nodes, str) else list(nodes)
    places = {"--cache-dir": cache_dir, "--results": results_dir}
    call = ["run", os.fspath(file), *chosen, "--json", *arguments_of(set, profile, places), *arguments]
    seen = _Seen(progress)
    status, said = stream(call, seen.line)
    if status != 0:
        failures = "\n".join(seen.failures)
        message = f"`pddflow run` failed with status {status}:\n{failures}" if failures else message_of(said, status, call)
        raise ProgramError(message, status=status)
    folder = Path(results_dir) / seen.pipeline
    if seen.folders:
        folder = Path(next(iter(seen.folders.values()))).parent
    tables = {node: _read_table(Path(place)) for node, place in seen.folders.items() if (Path(place) / "table.json").is_file()}
    return Run(tables, seen.metrics, tuple(seen.ran), tuple(seen.cached), folder)


class _Seen:
    """What the events of a run tell."""

    def __init__(self, progress: Callable[[dict[str, Any]], object] | None) -> None:
        self.progress, self.pipeline = progress, ""
        self.metrics: dict[str, dict[str, float]] = {}
        self.folders: dict[str, str] = {}
        self.ran: list[str] = []
        self.cached: list[str] = []
        self.failures: list[str] = []

    def line(self, text: str) -> None:
        try:
            event = json.loads(text)
        except ValueError:
            return
        kind, node = event.get("event"), str(event.get("node", ""))
        if kind == "run_started":
            self.pipeline = str(event.get("pipeline", ""))
        elif kind == "node_finished":
            self.metrics[node] = event.get("metrics") or {}
            self.ran.append(node)
        elif kind == "node_fresh":
            self.metrics[node] = event["record"].get("metrics") or {}
            self.cached.append(node)
        elif kind == "results":
            self.folders[node] = str(event["folder"])
        elif kind == "node_failed":
            error = event.get("error")
            message = error.get("message", error) if isinstance(error, dict) else error
            self.failures.append(f"{node}: {message}")
        if self.progress is not None:
            self.progress(event)


def compare(
    *runs: str,
    pipeline: str | None = None,
    nodes: str | None = None,
    each_seed: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Table:
    """The results of several runs in one table, as `pddflow compare`: one row for each node and point of a sweep, with the parameters in
    which rows differ and each metric, averaged over seeds.

    Args:
        runs: ids or prefixes of them, tags, `last`, `last~1`; the last ten of one pipeline if none is named.
        pipeline: only runs of the pipeline of this name.
        nodes: a node, a family or a pattern, such as `eval[of=dm]`.
        each_seed: a row for each seed instead of the mean and the deviation over them.
        cache_dir: the store, if it is not where the program looks for it.

    Raises:
        ProgramError: there are no such runs.
    """
    call = ["compare", *runs, "--json", *arguments_of(None, None, {"--cache-dir": cache_dir})]
    call += [f"{option}={value}" for option, value in (("--pipeline", pipeline), ("--nodes", nodes)) if value is not None]
    said = ask([*call, *(["--each-seed"] if each_seed else [])])
    return _frame([_compared(row) for row in field(as_object(said.encode(), "compare"), "rows", list, "compare")])


def _compared(row: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters, then each metric with its deviation and count where it is a mean."""
    cells: dict[str, Any] = dict(row["params"])
    for name, found in row["metrics"].items():
        cells[name] = found["mean"]
        if found["count"] > 1:
            cells |= {f"{name}_std_between_seeds": found["std"], f"{name}_seeds": found["count"]}
    return cells


def results(place: str | os.PathLike[str]) -> dict[str, Table]:
    """The tables in a folder of results, `results/<pipeline>`, by their nodes.

    Raises:
        FormatError: there is no such folder, or no table in it.
    """
    root = Path(place)
    if not root.is_dir():
        raise FormatError(f"{root}: there is no such folder; results are in results/<name of the pipeline>")
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    tables = {folder.name: _read_table(folder) for folder in folders if (folder / "table.json").is_file()}
    if not tables:
        raise FormatError(f"{root}: there is no table in it; tables are made by a node of kind `table`")
    return tables


def _read_table(folder: Path) -> Table:
    path = folder / "table.json"
    return _frame([_ordered(cell) for cell in field(as_object(path.read_bytes(), str(path)), "cells", list, str(path))])


def _frame(rows: list[Any]) -> Table:
    try:
        import pandas
    except ModuleNotFoundError:
        return rows
    return pandas.DataFrame(rows)


def _ordered(cell: Any) -> Any:
    """What a reader looks for stands first."""
    first = [name for name in _FIRST if name in cell]
    return {name: cell[name] for name in [*first, *(name for name in cell if name not in first)]}


def _only(tables: Mapping[str, Table], folder: Path) -> Table:
    if len(tables) != 1:
        raise FormatError(f"{folder}: there are {len(tables)} tables: {', '.join(tables) or 'none'}; take one by its node")
    return next(iter(tables.values()))
