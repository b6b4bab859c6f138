#!/usr/bin/env python3
"""Times pddflow beside other runners on the same graph, in the same call, and prints the ratios.

The graph: N nodes in ten chains, node i needs node i-10, each writes a few bytes through `sh`. "first" is a run with an
empty store or folder, "no-op" the best of five runs with nothing to do. Runners that are not installed are left out, and
from a size on also those that would take minutes. Of pddflow alone: `--version`, and for each size, written node by node and
as one family: no-op run, `plan`, `lint` and the largest resident memory.

    python3 tests/bench/runners.py target/release/pddflow --sizes 100,1000,10000 --alone 100000

What in-process nodes cost, without processes of their own: `cargo test --release -p pddflow-runner --test noop --
--nocapture`.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

CHAINS = 10
TRIES = 5
# A first run that takes longer is given up; then there is no no-op either.
LIMIT_SECONDS = 300


def pddflow(folder, count, program):
    lines = ["format: 1", "name: chains", "nodes:"]
    for i in range(count):
        needs = f"    needs: {{ inputs: n{i - CHAINS} }}\n" if i >= CHAINS else ""
        lines.append(f"  n{i}:\n    kind: command\n{needs}"
                     f"    with: {{ run: [sh, -c, 'echo {i} > out.txt'], outputs: [out.txt] }}")
    (folder / "chains.yaml").write_text("\n".join(lines) + "\n")
    return [program, "run", "chains.yaml", "--jobs", "2", "--quiet"]


def family(folder, count):
    """The same nodes, and so the same keys, as one description."""
    (folder / "family.yaml").write_text(f"""format: 1
name: family
nodes:
  n:
    for: {{ i: 0..{count} }}
    kind: command
    needs: {{ inputs: {{ if: "${{i >= {CHAINS}}}", then: "n[${{i - {CHAINS}}}]" }} }}
    with: {{ run: [sh, -c, "echo ${{i}} > out.txt"], outputs: [out.txt] }}
""")


def make(folder, count, program):
    text = "all: " + " ".join(f"o{i}.txt" for i in range(count)) + "\n"
    for i in range(count):
        need = f"o{i - CHAINS}.txt" if i >= CHAINS else ""
        text += f"o{i}.txt: {need}\n\techo {i} > o{i}.txt\n"
    (folder / "Makefile").write_text(text)
    return [program, "-s", "-j2", "all"]


def ninja(folder, count, program):
    text = "rule echo\n  command = echo $id > $out\n"
    for i in range(count):
        need = f"o{i - CHAINS}.txt" if i >= CHAINS else ""
        text += f"build o{i}.txt: echo {need}\n  id = {i}\n"
    (folder / "build.ninja").write_text(text)
    return [program, "--quiet", "-j2"]


def dvc(folder, count, program):
    subprocess.run([program, "init", "--no-scm", "-q"], cwd=folder, check=True)
    subprocess.run([program, "config", "core.analytics", "false"], cwd=folder, check=True)
    text = "stages:\n"
    for i in range(count):
        need = f"    deps: [o{i - CHAINS}.txt]\n" if i >= CHAINS else ""
        text += f"  n{i}:\n    cmd: echo {i} > o{i}.txt\n{need}    outs: [o{i}.txt]\n"
    (folder / "dvc.yaml").write_text(text)
    return [program, "repro", "-q"]


def snakemake(folder, count, program):
    text = f"rule all:\n  input: expand('o{{i}}.txt', i=range({count}))\n"
    text += f"""rule echo:
  input: lambda w: [f"o{{int(w.i) - {CHAINS}}}.txt"] if int(w.i) >= {CHAINS} else []
  output: "o{{i}}.txt"
  shell: "echo {{wildcards.i}} > {{output}}"
"""
    (folder / "Snakefile").write_text(text)
    return [program, "-c2", "-q", "all"]


def turbo(folder, count, program):
    (folder / "turbo.json").write_text('{"tasks":{"build":{"dependsOn":["^build"],"outputs":["out.txt"]}}}')
    (folder / "package.json").write_text(
        '{"name":"root","private":true,"packageManager":"npm@10.0.0","workspaces":["packages/*"]}')
    locked = ['"": {"name":"root","workspaces":["packages/*"]}']
    for i in range(count):
        needs = f'"dependencies":{{"n{i - CHAINS}":"*"}},' if i >= CHAINS else ""
        package = folder / "packages" / f"n{i}"
        package.mkdir(parents=True)
        package.joinpath("package.json").write_text(
            f'{{"name":"n{i}","version":"1.0.0",{needs}"scripts":{{"build":"echo {i} > out.txt"}}}}')
        locked.append(f'"node_modules/n{i}":{{"resolved":"packages/n{i}","link":true}}')
        locked.append(f'"packages/n{i}":{{"version":"1.0.0"}}')
    (folder / "package-lock.json").write_text(
        '{"name":"root","lockfileVersion":3,"requires":true,"packages":{' + ",".join(locked) + "}}")
    for arguments in (["init", "-q"], ["add", "."],
                      ["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "x"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return [program, "run", "build", "--concurrency=2", "--output-logs=none"]


RUNNERS = [(pddflow, "pddflow"), (make, "make"), (ninja, "ninja"), (turbo, "turbo"), (dvc, "dvc"),
           (snakemake, "snakemake")]
QUIET = {"DVC_NO_ANALYTICS": "1", "TURBO_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1"}


def timed(command, folder):
    """Seconds of a call; none when it fails or takes too long."""
    started = time.perf_counter()
    try:
        done = subprocess.run(command, cwd=folder, env={**os.environ, **QUIET}, timeout=LIMIT_SECONDS,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        print(done.stderr.decode(errors="replace")[-500:], file=sys.stderr)
        return None
    return time.perf_counter() - started


def measured(setup, program, count):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        command = setup(folder, count, program)
        first = timed(command, folder)
        if first is None:
            return None, None
        return first, best(command, folder)


# Above these sizes a first run takes longer than the limit, or a no-op minutes.
MOST = {"dvc": 100, "snakemake": 1000, "turbo": 100}


def peak(command, folder):
    """Largest resident memory of one call, in MiB. By GNU time's rules, from a process of its own."""
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=folder, stdout=subprocess.PIPE, check=True)
    return int(done.stdout) / 1024


def best(command, folder, tries=TRIES):
    return min((one for one in (timed(command, folder) for _ in range(tries)) if one is not None), default=None)


def details(program, count):
    """What pddflow alone does when all of the graph is fresh, written node by node and as one family: no-op run, plan,
    lint, memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pddflow(folder, count, program)
        family(folder, count)
        files = ["family.yaml", "chains.yaml"]
        first = fill(folder, [program, "run", files[0], "--jobs", "2", "--quiet"])
        if first is None:
            return None
        rows = []
        for file in files:
            run = [program, "run", file, "--jobs", "2", "--quiet"]
            timed(run, folder)
            times = [best([program, *words], folder) for words in (run[1:], ["plan", file], ["lint", file])]
            rows.append([file, first, *times, peak(run, folder)])
        return rows


def fill(folder, command):
    """A first run without the limit."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started if done.returncode == 0 else None


def words(seconds):
    return "-" if seconds is None else f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the pddflow program")
    parser.add_argument("--sizes", default="100,1000", help="numbers of nodes")
    parser.add_argument("--alone", default="", help="numbers of nodes for pddflow alone")
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.program).resolve())
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"pddflow --version: {words(best([program, '--version'], '.', 20))}\n")
    sizes = [int(size) for size in arguments.sizes.split(",") if size]
    compare(program, sizes)
    print("\n| nodes | file | first run | no-op run | plan | lint | largest memory, no-op |\n|---|---|---|---|---|---|---|")
    for count in sizes + [int(size) for size in arguments.alone.split(",") if size]:
        for file, *times, memory in details(program, count) or []:
            print(f"| {count} | {file} | {' | '.join(map(words, times))} | {memory:.0f} MiB |", flush=True)


def compare(program, sizes):
    print("| nodes | runner | first | no-op | no-op, times pddflow |\n|---|---|---|---|---|")
    for count in sizes:
        base = None
        for setup, name in RUNNERS:
            found = program if name == "pddflow" else shutil.which(name)
            if not found or count > MOST.get(name, count):
                continue
            first, again = measured(setup, found, count)
            base = base or again
            ratio = f"{again / base:.2f}" if again and base else "-"
            print(f"| {count} | {name} | {words(first)} | {words(again)} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
