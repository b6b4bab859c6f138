#!/usr/bin/env python3
"""Carries out the failure experiments of core/docs/runners.md and prints what pddflow did, one row each.

    python3 tests/bench/failures.py target/release/pddflow

Every row is checked: a row that does not come out as the table in the docs says ends the program with exit code 1.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

PAIR = """format: 1
name: pair
nodes:
  a:
    kind: command
    with: { run: [sh, -c, '%s'], files: [in.txt], outputs: [a.txt] }
  b:
    kind: command
    needs: { inputs: a }
    with: { run: [sh, -c, 'sed s/A/B/g inputs/0/a.txt > b.txt'], outputs: [b.txt] }
"""
SLOW = """format: 1
name: slow
nodes:
  a:
    kind: command
    with: { run: [sh, -c, 'echo half > a.txt; %s; echo whole > a.txt'], outputs: [a.txt] }
"""
SIGTERMS = 40
STAGES = 150


class Place:
    """A folder with a store of its own."""

    def __init__(self, program):
        self.program = program
        self.kept = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.kept.name)

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def start(self, *arguments):
        return subprocess.Popen([self.program, *arguments], cwd=self.folder, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, start_new_session=True)

    def call(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate()
        return process.returncode, out, err

    def ran(self, file):
        """Exit code and the nodes that ran."""
        code, out, _ = self.call("run", file, "--json")
        events = [json.loads(line) for line in out.splitlines()]
        return code, sorted(event["node"] for event in events if event["event"] == "node_started")

    def digests(self, file):
        _, out, _ = self.call("run", file, "--json")
        found = {}
        for event in map(json.loads, out.splitlines()):
            outputs = event.get("outputs") or event.get("record", {}).get("outputs")
            if outputs:
                found[event["node"]] = outputs
        return found

    def objects(self):
        return sorted(path for path in (self.folder / ".pddflow/v1/artifacts").rglob("*") if path.is_file())

    def quarantined(self):
        folder = self.folder / ".pddflow/v1/quarantine"
        return len(list(folder.iterdir())) if folder.is_dir() else 0

    def artifact(self, file, node):
        self.call("export", file, node, "--to", "out")
        return (self.folder / "out" / f"{node}.txt").read_text()


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def pair(program, cut="cp in.txt a.txt", text="AAAA\n"):
    place = Place(program)
    place.write("in.txt", text)
    place.write("pair.yaml", PAIR % cut)
    expect(place.ran("pair.yaml") == (0, ["a", "b"]), "the first run")
    return place


def parent_unchanged(program):
    place = pair(program, "head -c1 in.txt > a.txt")
    place.write("in.txt", "AXXX\n")
    expect(place.ran("pair.yaml") == (0, ["a"]), "only the parent")
    return "child kept: only the parent ran"


def set_back(program):
    place = pair(program)
    place.write("in.txt", "ACCC\n")
    expect(place.ran("pair.yaml") == (0, ["a", "b"]), "both after the change")
    place.write("in.txt", "AAAA\n")
    expect(place.ran("pair.yaml") == (0, []), "none after the way back")
    return "nothing ran: the earlier results are still there"


def overwritten(program, mode):
    place = pair(program)
    right = place.artifact("pair.yaml", "b")
    for path in place.objects():
        path.chmod(0o644)
        path.write_bytes(b"wrong bytes")
        path.chmod(mode)
    code, _, err = place.call("export", "pair.yaml", "b", "--to", "out2")
    refused = code != 0 and not (place.folder / "out2/b.txt").exists()
    expect(refused, f"wrong bytes were handed out: {err}")
    code, ran = place.ran("pair.yaml")
    expect(code == 0 and ran, f"the nodes run again: {ran}")
    if ran != ["a", "b"]:
        place.ran("pair.yaml")
    expect(place.artifact("pair.yaml", "b") == right, "the right bytes")
    return f"never handed out: `export` refuses (code {code_of(err)}), the run makes them again, right bytes"


def code_of(err):
    found = err.split("error[", 1)
    return found[1].split("]")[0] if len(found) > 1 else "none"


def bit_flipped(program):
    return overwritten(program, 0o444)


def write_bit(program):
    return overwritten(program, 0o644)


def truncated(program):
    place = pair(program)
    right = place.artifact("pair.yaml", "b")
    for path in place.objects():
        path.chmod(0o644)
        os.truncate(path, path.stat().st_size // 2)
    code, out, _ = place.call("cache", "verify", "--json")
    damaged = len(json.loads(out)["damaged"])
    expect(damaged == 2, f"verify found {damaged}")
    place.ran("pair.yaml")
    expect(place.artifact("pair.yaml", "b") == right and place.quarantined() == 2, "the right bytes")
    return f"`cache verify` names {damaged} of 2 and sets them aside; the next run makes them again"


def alive(mark):
    found = subprocess.run(["pgrep", "-f", mark], stdout=subprocess.PIPE, text=True)
    return [int(pid) for pid in found.stdout.split()]


def in_the_middle(program, mark):
    """A run whose node is in its middle."""
    place = Place(program)
    place.write("slow.yaml", SLOW % f"exec sleep {mark}")
    process = place.start("run", "slow.yaml")
    end = time.time() + 10
    while not alive(f"^sleep {mark}") and time.time() < end:
        time.sleep(0.02)
    expect(alive(f"^sleep {mark}"), "the node began")
    return place, process


def gone(mark, seconds):
    end = time.time() + seconds
    while alive(f"^sleep {mark}") and time.time() < end:
        time.sleep(0.02)
    return not alive(f"^sleep {mark}")


def kill_nine(program):
    mark = f"71.{os.getpid()}"
    place, process = in_the_middle(program, mark)
    process.kill()
    process.wait()
    expect(gone(mark, 3), "an orphan lives")
    place.write("slow.yaml", SLOW % "true")
    code, _, err = place.call("run", "slow.yaml")
    expect(code == 0, err)
    return "child ended with the runner, no orphan; the next run runs the node without a word about locks"


def interrupted(program):
    mark = f"72.{os.getpid()}"
    place, process = in_the_middle(program, mark)
    began = time.time()
    process.send_signal(signal.SIGINT)
    process.communicate()
    took = time.time() - began
    expect(process.returncode == 130 and gone(mark, 1), f"exit code {process.returncode}")
    expect(not place.objects() and took < 2, "nothing half written is kept")
    return f"child ended in {took:.1f} s, exit code 130, nothing half-written kept; the node runs next time"


def terminated(program):
    lines = ["format: 1", "name: chains", "nodes:"]
    for i in range(STAGES):
        needs = f"    needs: {{ inputs: n{i - 10} }}\n" if i >= 10 else ""
        lines.append(f"  n{i}:\n    kind: command\n{needs}"
                     f"    with: {{ run: [sh, -c, 'echo {i} > o.txt; sleep 0.01'], outputs: [o.txt] }}")
    text = "\n".join(lines) + "\n"

    def new():
        place = Place(program)
        place.write("chains.yaml", text)
        return place

    place = new()
    began = time.time()
    right = place.digests("chains.yaml")
    whole = time.time() - began
    expect(len(right) == STAGES, "all nodes")
    stopped = ended = unusable = 0
    place, chance = new(), random.Random(1)
    while stopped < SIGTERMS:
        process = place.start("run", "chains.yaml", "--quiet")
        time.sleep(chance.uniform(0.02, 0.95 * whole))
        process.terminate()
        process.communicate()
        stopped += process.returncode != 0
        code, out, _ = place.call("cache", "verify", "--json")
        plan, _, _ = place.call("plan", "chains.yaml")
        if code != 0 or plan != 0 or json.loads(out)["damaged"]:
            unusable += 1
        if process.returncode == 0 or stopped % 8 == 0:
            expect(place.digests("chains.yaml") == right, "other digests")
            ended += 1
            place = new()
    expect(unusable == 0, f"{unusable} times unusable")
    return f"usable {stopped} of {stopped} times; {ended} stores brought to their end, each with the same digests"


def dry_run(program):
    place = Place(program)
    place.write("in.txt", "AAAA\n")
    place.write("pair.yaml", PAIR % "cp in.txt a.txt")
    code, out, _ = place.call("plan", "pair.yaml")
    expect(code == 0 and "never ran" in out, out)
    expect(not (place.folder / ".pddflow/v1/artifacts").exists(), "something ran")
    return "works (exit code 0): " + "; ".join(" ".join(line.split()) for line in out.strip().splitlines()[:2])


def told(program, text, words):
    place = Place(program)
    place.write("pair.yaml", text)
    code, _, err = place.call("plan", "pair.yaml")
    expect(code == 3 and all(word in err for word in words), err)
    lines = [line.strip() for line in err.strip().splitlines()]
    useful = [line for line in lines if line.startswith(("error", "--> ", "= help"))]
    return " / ".join(useful[:3]).replace("|", "\\|")


def unknown_key(program):
    return told(program, (PAIR % "true").replace("    kind: command\n    needs", "    kind: command\n    ned: 1\n    needs"),
                ["`ned`", "pair.yaml:9"])


def misspelled(program):
    text = (PAIR % "echo ${seeed}").replace("name: pair\n", "name: pair\nparams: { seed: 1 }\n")
    return told(program, text, ["seeed", "seed"])


def cycle(program):
    text = (PAIR % "true").replace("  a:\n    kind: command\n", "  a:\n    kind: command\n    needs: { inputs: b }\n")
    return told(program, text, ["a", "b"])


ROWS = [
    ("parent's output unchanged after its input changed", parent_unchanged),
    ("input set back to its old content", set_back),
    ("cache object overwritten, read-only mode kept", bit_flipped),
    ("cache object overwritten, write bit left set", write_bit),
    ("artifact truncated", truncated),
    ("`kill -9` of the runner in mid-node", kill_nine),
    (f"{SIGTERMS} x SIGTERM at a random time of a {STAGES}-node run", terminated),
    ("dry run of a pipeline that has never run", dry_run),
    ("SIGINT in mid-node", interrupted),
    ("unknown key in the file", unknown_key),
    ("misspelled variable", misspelled),
    ("dependency cycle", cycle),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the pddflow program")
    parser.add_argument("--only", default="", help="only rows with this in their name")
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.program).resolve())
    failed = False
    print("| experiment | pddflow |\n|---|---|")
    for name, experiment in ROWS:
        if arguments.only not in name:
            continue
        try:
            found = experiment(program)
        except AssertionError as error:
            found, failed = f"**not as expected**: {error}", True
        print(f"| {name} | {found} |", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
