#!/usr/bin/env python3
"""Compares pddflow with PyTorch eager on the same work, on this machine, in pairs.

pddflow does each unit of work as in a user's run: `pddflow run units.yaml NODE --profile-ops`, with random images of the shape of
CIFAR-10 or MNIST; timed are the iterations of that node after the first. `peer.py` has the same in PyTorch. Each pair runs pddflow,
PyTorch, and PyTorch with freed memory kept by the allocator, one after the other, each in a process of its own; reported are medians
over the pairs, the ratios within pairs, what matrix products and convolutions come to per second (as their definitions count them),
and the largest resident memory. A virtual environment with PyTorch is made under `target/` once, unless `--python` has one.

    tests/bench/compare.py [--pairs 3] [--widths 128 32] [--threads 2] [--units dm dc ...]
    tests/bench/compare.py --device cuda:0 --build FOLDER --seconds 470        on a GPU: launches and reads instead of memory kept
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
ENVIRONMENT = TARGET / "bench-venv"
# glibc gives freed large blocks back to the system; these settings make it keep them.
MEMORY_KEPT = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_TOP_PAD_": "1000000000",
}


@dataclass
class Unit:
    """A unit of work: the node of `units.yaml` that does it, what its iterations are called, and how many units are in one."""

    node: str
    span: str
    units: int = 1
    set: dict = field(default_factory=dict)
    # Repetitions in PyTorch at width 128.
    repeats: int = 3
    # Whether it has only first derivatives, which `torch.compile` passes.
    plain: bool = False


GRAY = {"source": "gray"}
UNITS = {
    "train": Unit("experts", "step", plain=True),
    "train-gray": Unit("experts", "step", set=GRAY, repeats=5, plain=True),
    "train-batch": Unit("experts", "step", set={"norm": "batch"}, plain=True),
    "epoch-100": Unit("train", "step", repeats=6, plain=True),
    "test-1000": Unit("experts", "test", plain=True),
    "forgetting": Unit("forgetting", "step", plain=True),
    "dm": Unit("dm", "iteration", repeats=2),
    "dc": Unit("dc", "iteration", repeats=1),
    "dc-10": Unit("dc_10", "iteration", repeats=1),
    "idc": Unit("idc", "iteration", units=10, repeats=5),
    "mtt-10": Unit("mtt", "iteration", repeats=9),
    "mtt-100": Unit("mtt_100", "iteration", repeats=1),
}


def python_with_torch():
    """The Python of an environment that has PyTorch."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        print(f"making {ENVIRONMENT} (once)", file=sys.stderr)
        venv.create(ENVIRONMENT, with_pip=True)
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)
    return python


def build():
    """The folder of the program."""
    # All of it: a part alone would build its dependencies with other features.
    subprocess.run(["cargo", "build", "--quiet", "--release", "--workspace"], cwd=ROOT, check=True)
    return TARGET / "release"


IMAGES = """
import sys
import numpy as np
random = np.random.default_rng(0)
for name, channels, side in ("color", 3, 32), ("gray", 1, 28):
    images = lambda count: random.integers(0, 256, (count, channels, side, side), np.uint8)
    labels = lambda count: (np.arange(count) % 10).astype(np.int64)
    np.savez(f"{sys.argv[1]}/{name}.npz", x_train=images(2560), y_train=labels(2560), x_test=images(1000), y_test=labels(1000))
"""


def process(command, extra):
    """Standard output of a command, and its peak resident MiB; nothing if it fails."""
    with tempfile.TemporaryFile("w+") as errors:
        environment = os.environ | extra
        child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        text = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        if status == 0:
            return text, usage.ru_maxrss / 1024
        errors.seek(0)
        print(f"failed: {' '.join(map(str, command))}\n{text}{errors.read()}", file=sys.stderr)
        return None


def ours(unit, width, options, folder):
    """What a unit takes in pddflow."""
    profile = folder / "profile.json"
    many = options.iterations or (7 if width > 32 else 15)
    # Tests would stand between the steps of a GPU.
    values = {"curve": int(unit.span == "test"), "source": "color", "real": 256, "width": width, "iterations": many, "epochs": 2 * many} | unit.set
    values["source"] = json.dumps({"npz": {"path": f"{folder}/{values['source']}.npz"}})
    command = [options.build / "pddflow", "run", HERE / "units.yaml", unit.node, "--profile-ops", profile, "--quiet", "--jobs", 1]
    command += ["--device", options.device, "--cache-dir", folder / f"store-{time.monotonic_ns()}"]
    for name, value in values.items():
        command += ["--set", f"{name}={value}"]
    done = process(command, {"RAYON_NUM_THREADS": str(options.threads)})
    return done and {"peak_mib": done[1]} | amounts(unit, json.loads(profile.read_text())["traceEvents"], options.device == "cpu")


def amounts(unit, events, on_cpu):
    """Seconds of the iterations of a node after the first, and what is computed in one."""
    spans = [event for event in events if event["cat"] == "span"]
    node = next(span for span in spans if span["name"] == unit.node)
    within = lambda event, span: span["ts"] <= event["ts"] and event["ts"] + event["dur"] <= span["ts"] + span["dur"]
    named = [span for span in spans if span["name"].split(" ")[0] == unit.span and within(span, node)]
    iterations = sorted(named, key=lambda span: span["ts"])[1:]
    units = len(iterations) * unit.units
    if on_cpu:
        seconds = statistics.median(span["dur"] for span in iterations) / 1e6 / unit.units
    else:
        # A GPU computes on when an iteration is over for the program; over many it keeps up.
        seconds = (iterations[-1]["ts"] - iterations[0]["ts"]) / 1e6 / (units - unit.units)
    found = {"operation": 0, "launch": 0, "read": 0, "operations": 0}
    # Both in the order of time; operations of one thread do not overlap.
    at, computed = 0, sorted((event for event in events if event["cat"] != "span"), key=lambda event: event["ts"])
    for span in iterations:
        while at < len(computed) and computed[at]["ts"] < span["ts"]:
            at += 1
        while at < len(computed) and computed[at]["ts"] < span["ts"] + span["dur"]:
            event, at = computed[at], at + 1
            found[event["cat"]] = found.get(event["cat"], 0) + 1 / units
            if event["cat"] == "operation":
                found["operations"] += event["args"]["operations"] / units
    return {"seconds": seconds} | found


def theirs(name, unit, width, options, extra, *more):
    """What it takes in PyTorch; on a GPU the memory is that of the GPU."""
    repeats = unit.repeats * (1 if width > 32 else 3)
    device = options.device.split(":")[0]
    done = process([options.python, HERE / "peer.py", name, width, repeats, options.threads, device, *more], extra)
    if done is None:
        return None
    found = json.loads(done[0])
    return {"peak_mib": done[1]} | found | {"seconds": statistics.median(found["seconds"])}


def measure(name, width, options, folder):
    """The medians of each program, those after the first with the median of their ratios to it."""
    unit, threads = UNITS[name], {"OMP_NUM_THREADS": str(options.threads)}
    programs = [
        lambda: ours(unit, width, options, folder),
        lambda: theirs(name, unit, width, options, threads),
        lambda: theirs(name, unit, width, options, threads | MEMORY_KEPT),
    ]
    if options.device != "cpu":
        programs[2] = lambda: unit.plain and theirs(name, unit, width, options, threads, "compile")
    pairs = [[program() if time.monotonic() < options.until else None for program in programs] for _ in range(options.pairs)]
    columns = []
    for column in zip(*pairs):
        known = [(row, pair[0]) for row, pair in zip(column, pairs) if row]
        median = lambda of: statistics.median(map(of, known)) if known else None
        first = next((row for row, _ in known), {})
        columns.append(
            first
            | {
                "seconds": median(lambda both: both[0]["seconds"]),
                "ratio": median(lambda both: both[0]["seconds"] / both[1]["seconds"] if both[1] else float("nan")),
                "peak_mib": max((row["peak_mib"] for row, _ in known), default=None),
            }
        )
    return columns


def cell(value, form=".3g", factor=1):
    return "–" if value is None else format(value * factor, form)


def line(name, width, options, columns):
    own, eager, third = columns
    cells = [name, width, *(cell(column["seconds"], factor=1e3) for column in columns)]
    cells += [cell(eager["ratio"], ".2f"), cell(third["ratio"], ".2f")]
    if options.device == "cpu":
        rate = own["operations"] / own["seconds"] / 1e9 if own["seconds"] else None
        cells += [cell(rate, ".0f"), cell(own["peak_mib"], ".0f"), cell(third["peak_mib"], ".0f")]
    else:
        cells += [cell(own.get("launch"), ".0f"), cell(own.get("read"), ".2f"), cell(eager["peak_mib"], ".0f")]
    return "| " + " | ".join(map(str, cells)) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 32])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--units", nargs="+", choices=list(UNITS), default=list(UNITS))
    parser.add_argument("--device", default="cpu", help="of pddflow, such as cuda:0; PyTorch computes on the same kind")
    parser.add_argument("--iterations", type=int, help="of each unit in pddflow, those of PyTorch are fixed")
    parser.add_argument("--build", type=Path, help="folder with a built pddflow; by default it is built")
    parser.add_argument("--python", help="a Python that has PyTorch and NumPy; by default one is made")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="nothing is begun after so many")
    options = parser.parse_args()
    options.until = time.monotonic() + options.seconds
    options.build = (options.build or build()).resolve()
    options.python = options.python or python_with_torch()
    third, last = ("kept", "GFLOP/s | MiB | kept MiB") if options.device == "cpu" else ("compiled", "launches | reads | torch MiB")
    print(f"| unit | width | pddflow ms | torch ms | {third} ms | times | times {third} | {last} |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    everything = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.python, "-c", IMAGES, folder], check=True)
        for name in options.units:
            for width in options.widths:
                columns = measure(name, width, options, Path(folder))
                print(line(name, width, options, columns), flush=True)
                everything.append({"unit": name, "width": width, "programs": columns})
    result = TARGET / "bench.json"
    if TARGET.is_dir():
        result.write_text(json.dumps({"threads": options.threads, "rows": everything}, indent=1) + "\n")
        print(f"\nwritten to {result}", file=sys.stderr)


if __name__ == "__main__":
    main()
