#!/usr/bin/env python3
"""Compares pddflow with PyTorch eager on the same work, on this machine, in pairs.

Each pair runs pddflow, PyTorch, and PyTorch with freed memory kept by the allocator, one after the
other, each in a process of its own; reported are medians over the pairs, the ratios within pairs, and
the largest resident memory. A virtual environment with PyTorch is made under `target/` once.

    tests/bench/compare.py [--pairs 5] [--width 128] [--threads 2] [--units dm dsa mtt]
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
REPEATS = {"dm": 2, "dsa": 4, "mtt": 2}
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
    command = ["cargo", "build", "--quiet", "--release", "--package", "pddflow-tests", "--bin", "pddflow-bench"]
    subprocess.run(command, cwd=ROOT, check=True)
    return TARGET / "release" / "pddflow-bench"


def run(command, extra):
    """Median seconds and peak resident MiB of a process."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, env=os.environ | extra)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed: {text}")
    return statistics.median(json.loads(text)["seconds"]), usage.ru_maxrss / 1024


def measure(unit, options, program, python):
    threads = str(options.threads)
    work = [unit, options.width, REPEATS[unit]]
    peer = [python, HERE / "peer.py", *work, threads]
    commands = [
        ([program, *work], {"RAYON_NUM_THREADS": threads}),
        (peer, {"OMP_NUM_THREADS": threads}),
        (peer, {"OMP_NUM_THREADS": threads} | MEMORY_KEPT),
    ]
    pairs = [[run(*command) for command in commands] for _ in range(options.pairs)]
    rows = []
    for index, name in enumerate(NAMES):
        seconds = statistics.median(pair[index][0] for pair in pairs)
        ratio = statistics.median(pair[index][0] / pair[0][0] for pair in pairs)
        memory = max(pair[index][1] for pair in pairs)
        rows.append({"unit": unit, "program": name, "seconds": seconds, "times_pddflow": ratio, "peak_mib": memory})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--units", nargs="+", choices=list(REPEATS), default=list(REPEATS))
    options = parser.parse_args()
    program, python = build(), prepare_torch()
    print("| unit | program | ms | times pddflow | peak MiB |\n| --- | --- | --- | --- | --- |")
    rows = []
    for unit in options.units:
        for row in measure(unit, options, program, python):
            print(
                f"| {row['unit']} | {row['program']} | {row['seconds'] * 1e3:.0f} "
                f"| {row['times_pddflow']:.2f} | {row['peak_mib']:.0f} |",
                flush=True,
            )
            rows.append(row)
    result = TARGET / "bench.json"
    result.write_text(json.dumps({"width": options.width, "threads": options.threads, "rows": rows}, indent=1) + "\n")
    print(f"\nwritten to {result}", file=sys.stderr)


if __name__ == "__main__":
    main()
