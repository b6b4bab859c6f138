#!/usr/bin/env python3
"""Compares pddflow with PyTorch eager on the same work, on this machine, in pairs.

Each pair runs pddflow, PyTorch, and PyTorch with freed memory kept by the allocator, one after the
other, each in a process of its own; reported are medians over the pairs, the ratios within pairs, what
matrix products and convolutions come to per second (as their definitions count them) and their share of
the machine's matrix product, and the largest resident memory. A virtual environment with PyTorch is made
under `target/` once.

    tests/bench/compare.py [--pairs 3] [--widths 128 32] [--threads 2] [--units dm dc ...]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import venv
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
# Repetitions of each unit in a process, at width 128.
REPEATS = {
    "train": 3,
    "train-gray": 5,
    "train-batch": 3,
    "epoch-100": 6,
    "forward-1000": 3,
    "dm": 2,
    "dc-class-1": 4,
    "dc-class-10": 4,
    "dc": 1,
    "idc": 5,
    "mtt-10": 9,
    "mtt-100": 1,
    "forgetting": 1,
    "zca": 1,
    "herding": 2,
}
# Units without a net.
ANY_WIDTH = {"zca", "herding"}
NAMES = ["pddflow", "torch", "torch, memory kept"]


def prepare_torch():
    """The Python of an environment that has PyTorch."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        print(f"making {ENVIRONMENT} (once)", file=sys.stderr)
        venv.create(ENVIRONMENT, with_pip=True)
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode != 0:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)
    return python


def build():
    """The benchmark program."""
    # All of it: a part alone would build its dependencies with other features.
    command = ["cargo", "build", "--quiet", "--release", "--workspace"]
    subprocess.run(command, cwd=ROOT, check=True)
    return TARGET / "release" / "pddflow-bench"


def run(command, extra):
    """What a process reports, with its median seconds and its peak resident MiB."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, env=os.environ | extra)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed: {text}")
    found = json.loads(text)
    return found | {"seconds": statistics.median(found["seconds"]), "peak_mib": usage.ru_maxrss / 1024}


def measure(unit, width, options, program, python):
    """One row for each program."""
    threads = str(options.threads)
    work = [unit, width, REPEATS[unit] * (1 if width > 32 or unit in ANY_WIDTH else 3)]
    peer = [python, HERE / "peer.py", *work, threads]
    commands = [
        ([program, *work], {"RAYON_NUM_THREADS": threads}),
        (peer, {"OMP_NUM_THREADS": threads}),
        (peer, {"OMP_NUM_THREADS": threads} | MEMORY_KEPT),
    ]
    pairs = [[run(*command) for command in commands] for _ in range(options.pairs)]
    operations = pairs[0][0]["operations"]
    rows = []
    for index, name in enumerate(NAMES):
        seconds = statistics.median(pair[index]["seconds"] for pair in pairs)
        ratio = statistics.median(pair[index]["seconds"] / pair[0]["seconds"] for pair in pairs)
        memory = max(pair[index]["peak_mib"] for pair in pairs)
        rows.append(
            {
                "unit": unit,
                "width": width,
                "program": name,
                "seconds": seconds,
                "times_pddflow": ratio,
                "gflops": operations / seconds / 1e9,
                "peak_mib": memory,
            }
        )
    return rows


def gemm_peak(options, program):
    """GFLOP/s of a large matrix product in pddflow."""
    found = run([program, "gemm", 128, 5], {"RAYON_NUM_THREADS": str(options.threads)})
    return found["operations"] / found["seconds"] / 1e9


def line(rows, peak):
    ours, eager, kept = rows
    cell = lambda row: f"{row['seconds'] * 1e3:.3g}"
    return (
        f"| {ours['unit']} | {ours['width']} | {cell(ours)} | {cell(eager)} | {cell(kept)} "
        f"| {eager['times_pddflow']:.2f} | {kept['times_pddflow']:.2f} "
        f"| {ours['gflops']:.0f} | {100 * ours['gflops'] / peak:.0f} % "
        f"| {ours['peak_mib']:.0f} | {kept['peak_mib']:.0f} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 32])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--units", nargs="+", choices=list(REPEATS), default=list(REPEATS))
    options = parser.parse_args()
    program, python = build(), prepare_torch()
    peak = gemm_peak(options, program)
    print(f"matrix product 2048 x 2048: {peak:.0f} GFLOP/s\n")
    print("| unit | width | pddflow ms | torch ms | kept ms | times | times kept | GFLOP/s | of gemm | MiB | kept MiB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    everything = []
    for unit in options.units:
        for width in options.widths[:1] if unit in ANY_WIDTH else options.widths:
            rows = measure(unit, width, options, program, python)
            print(line(rows, peak), flush=True)
            everything += rows
    result = TARGET / "bench.json"
    result.write_text(json.dumps({"threads": options.threads, "gemm_gflops": peak, "rows": everything}, indent=1) + "\n")
    print(f"\nwritten to {result}", file=sys.stderr)


if __name__ == "__main__":
    main()
