#!/usr/bin/env python3
"""Writes the results in core/docs/paper.md from what tests/paper_cpu.sh left behind.

    python3 tests/paper_page.py [--program target/release/pddflow] [--store .pddflow] [--results results]

Every table is what a node of kind `table` printed, every picture what `figure` or `images` drew; commands and times are those of the
runs' journals. Nothing is typed by hand: what lies between the two markers of the page is replaced. A section whose results are not in
this store stays as it is; a file that never had results is named as not run.
"""

import argparse
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "core/docs/paper.md"
PICTURES = ROOT / "core/docs/paper"
BEGIN = "<!-- begin: written by tests/paper_page.py -->"
END = "<!-- end: written by tests/paper_page.py -->"
PAPER = "pipelines/paper"
CPU = ["--profile", "cpu"]

# Step of tests/paper_cpu.sh: heading, the paper's claim, file, arguments.
STEPS = {
    "main": ("Table 1", "PDD+MTT is above MTT and PDD+IDC above IDC with as many images per class, both above selected images.",
             f"{PAPER}/table1_cifar10.yaml", CPU),
    "controls": ("Controls of table 1", "The gain is neither that of training in stages, nor that of training longer.",
                 f"{PAPER}/table1_controls.yaml", CPU),
    "cifar10": ("Table 1, CIFAR-10 as JPEGs", "The same with colour images.", f"{PAPER}/table1_cifar10_jpeg.yaml", CPU),
    "fig1": ("Figure 1", "Accuracy rises with every stage, and PDD is above one set of as many images.",
             f"{PAPER}/fig1_dynamics.yaml", CPU),
    "fig3": ("Figure 3", "Accuracy rises as stages are added, above MTT with as many images per class.",
             f"{PAPER}/fig3_scaling.yaml", CPU),
    "table2": ("Table 2", "The gain carries over to ResNet-10 and ResNet-18.", f"{PAPER}/table2_cross_architecture.yaml", CPU),
    "table3": ("Table 3", "Progressive training is at least as good as training on the union, and far above one set after the other.",
               f"{PAPER}/table3_training_modes.yaml", CPU),
    "table4": ("Table 4", "Without transition, without conditioning, without either: each is below the whole.",
               f"{PAPER}/table4_transition_conditioning.yaml", CPU),
    "table5": ("Table 5", "More stages help until too few images are left in each.", f"{PAPER}/table5_stages_vs_ipc.yaml", CPU),
    "table6": ("Table 6", "Bins of rising difficulty lose little, with less data.", f"{PAPER}/table6_forgetting.yaml", CPU),
    "table7": ("Table 7", "PDD+MTT is the best memory in every phase.", f"{PAPER}/table7_continual.yaml", CPU),
    "table8": ("Table 8", "PDD+DC is above DC, PDD+DSA above DSA, and PDD+DM above DM.", f"{PAPER}/table8_dc_dsa.yaml", CPU),
    "fig4": ("Figure 4", "What the images of the stages look like.", f"{PAPER}/fig4_images.yaml", CPU),
    "published": ("Published numbers in full", "Width 128, the papers' hyper-parameters, twenty nets.", "pipelines/published.yaml", []),
}
# Sweep of `tests/paper_cpu.sh rates` and `rates_8`: what is swept, and the nodes that tell.
RATES = {
    "selection": ("chosen images: of nets", "eval_selected*"),
    "mtt": ("MTT: of images", "eval_mtt*"),
    "pdd_mtt": ("PDD+MTT: of images, judged by the first two sets", "ablation*"),
    "idc": ("IDC: of images; of nets", "eval_matching*"),
    "pdd_idc": ("PDD+IDC: of images; of nets", "eval_pdd*"),
    "dc": ("DC: of images", "eval_base*"),
    "dsa": ("DSA: of images", "eval_base*"),
    "dm": ("DM: of images", "eval_base*"),
    "pdd_dc": ("PDD+DC: of images", "eval_pdd*"),
    "pdd_dsa": ("PDD+DSA: of images", "eval_pdd*"),
    "pdd_dm": ("PDD+DM: of images", "eval_pdd*"),
}
# What tells the nodes of a sweep apart besides the rates.
NO_RATES = {"of", "ipc", "budget", "variant", "stages", "seed", "sets"}
RATES_HEADING = "Learning rates"
# Parameters that say how large a run was, where they are given.
BUDGET = [
    "model", "nets", "seeds", "train_per_class", "ipcs", "expert_epochs", "presented", "mtt_presented", "selection_presented",
    "mtt_iterations", "matching_iterations",
]
# Fewest seeds whose interval decides.
SEEDS = 3
# Of each method of `progressive.names`.
STAGED = ["stages", "iterations"]


def call(program, *arguments):
    done = subprocess.run([program, *arguments, "--json"], cwd=ROOT, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def pipeline_name(file):
    """The name that a pipeline file gives itself."""
    found = re.search(r"^name: *(\S+)", (ROOT / file).read_text(), re.M)
    return found.group(1) if found else Path(file).stem


def given(whole, part, path=""):
    """Parameters that a run was given in place of the file's: path, the file's value, the run's."""
    if isinstance(whole, dict) and isinstance(part, dict) and whole.keys() == part.keys():
        return [one for key in part for one in given(whole[key], part[key], f"{path}.{key}" if path else key)]
    return [] if whole == part else [(path, whole, part)]


def left_out(changes):
    """Seeds and methods of the file that a run did without."""
    lists = [(path, [one for one in whole if one not in part]) for path, whole, part in changes if isinstance(whole, list)]
    parts = [f"`{path}: {plain(rest)}`" for path, rest in lists if rest and "differences" not in path]
    return [f"Not run: {', '.join(parts)}.", ""] if parts else []


def duration(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plain(value):
    """Parameters as one writes them in a file."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key}: {plain(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(plain, value)) + "]"
    return "null" if value is None else str(value)


def runs_of(program, store, step):
    """All runs of a step, finished or not, the last one first."""
    found = call(program, "runs", "--cache-dir", store, "--tag", f"paper-{step}", "--limit", "1000") or {"runs": []}
    return found["runs"]


def artifacts(folder):
    """Folders of a pipeline's results with a table or a picture, in the order of their names."""
    wanted = ("table.md", "figure.png", "sets.png")
    return [(place, [name for name in wanted if (place / name).exists()]) for place in sorted(folder.glob("*")) if place.is_dir()]


def used(params, name):
    """A parameter, without what it says of methods and norms that the run does not have."""
    progressive = params.get("progressive") or {}
    keys = {
        "expert_epochs": params.get("expert_norms"),
        "matching_iterations": params.get("matchings"),
        "presented": [progressive[one].get("recipe") for one in progressive.get("names", [])],
    }.get(name)
    value = params.get(name)
    return {key: inner for key, inner in value.items() if key in keys} if isinstance(value, dict) and keys is not None else value


def verdict(table):
    """Which differences of a table are decided: each is meant to be above 0, and two seeds have no interval to trust."""
    said = {"above 0": {}, "below 0, against the claim": {}, "not decided": {}}
    differences = json.loads(table.read_text())["differences"]
    if differences and all(one["seeds"] < SEEDS for one in differences):
        return [f"With fewer than {SEEDS} seeds no difference is decided, whatever its interval: it rests on one degree of freedom.", ""]
    for one in differences:
        if one["seeds"] < SEEDS or one.get("half_width") is None or abs(one["mean"]) <= one["half_width"]:
            word = "not decided"
        else:
            word = "above 0" if one["mean"] > 0 else "below 0, against the claim"
        pair = " − ".join(" / ".join(row) if isinstance(row, list) else row for row in one["rows"])
        # Rows that are one and the same training in a column say nothing there.
        if one["mean"] != 0 or one.get("half_width") != 0:
            said[word].setdefault(pair, []).append(one["column"])
    several = len({one["column"] for one in differences}) > 1
    said = {
        word: [pair + (f" ({', '.join(found)})" if several else "") for pair, found in pairs.items()]
        for word, pairs in said.items()
    }
    parts = [f"{word}: {', '.join(pairs)}" for word, pairs in said.items() if pairs]
    return [f"By the 95 % intervals: {'; '.join(parts)}.", ""] if parts else []


def section(options, step, shown_above):
    """What came of a step, without the tables that an earlier one had: a file that includes another computes those too."""
    heading, claim, file, arguments = STEPS[step]
    folder = Path(options.results) / pipeline_name(file)
    found = [(place, names) for place, names in artifacts(folder) if names] if folder.is_dir() else []
    tables = {place: (place / "table.md").read_text() for place, names in found if "table.md" in names}
    found = [(place, names) for place, names in found if tables.get(place) not in shown_above]
    shown_above.update(tables.values())
    runs = runs_of(options.program, options.store, step)
    # Without a run of the step the folder is that of another profile.
    if not found or not runs:
        return None
    lines = [f"### {heading}", "", claim, ""]
    for place, names in found:
        for name in names:
            if name == "table.md":
                # Headings of tables stand below those of the page.
                lines += [re.sub(r"^#+ (.*)$", r"**\1**", tables[place].strip(), flags=re.M), ""]
                lines += verdict(place / "table.json")
                continue
            picture = re.sub(r"[^a-z0-9]+", "-", f"{step}-{place.name}".lower()).strip("-") + ".png"
            PICTURES.mkdir(exist_ok=True)
            shutil.copyfile(place / name, PICTURES / picture)
            lines += [f"![{heading}](paper/{picture})", ""]
    params = runs[0]["params"]
    changes = given((plan(options, file, arguments) or {"params": params})["params"], params)
    arguments = [*arguments, *(word for path, _, value in changes for word in ("--set", f"{path}={json.dumps(value)}"))]
    # Other nodes of the file may ask for what was left out.
    nodes = [place.name for place, _ in found] if changes else []
    planned = plan(options, file, [*nodes, *arguments])
    lines += left_out(changes)
    lines.append(f"`{shlex.join(['pddflow', 'run', file, *nodes, *arguments, '--instructions', 'avx2'])}`")
    budget = [f"`{name}: {plain(used(params, name))}`" for name in BUDGET if used(params, name) not in (None, {})]
    progressive = params.get("progressive") or {}
    for name in progressive.get("names", []):
        budget += [f"`{name}: {plain({key: progressive[name][key] for key in STAGED if key in progressive[name]})}`"]
    fresh = [node["node"] for node in (planned or {"nodes": []})["nodes"] if node["state"] == "fresh"]
    made = [shown for shown in (result(options, file, arguments, node) for node in fresh) if shown]
    counts = sorted({shown["made_on"]["threads"] for shown in made})
    threads = " or ".join(map(str, counts)) + (" thread" if counts == [1] else " threads")
    spent = duration(sum(shown["seconds"] or 0 for shown in made))
    lines.append(f"({len(made)} nodes, {spent} in all with {threads}, those included that other files share)")
    lines += ["", "Budget: " + ", ".join(budget) + "."]
    if runs[0]["state"] != "succeeded":
        lines += ["", f"The last run is not complete: it {runs[0]['state']}."]
    digests = [digest_line(options, file, arguments, place.name) for place, names in found if "table.md" in names]
    return "\n".join(lines + [""] + [line for line in digests if line]).rstrip() + "\n"


def plan(options, file, arguments):
    return call(options.program, "plan", file, *arguments, "--instructions", "avx2", "--cache-dir", options.store, *options.data)


def result(options, file, arguments, node):
    """What the store has of a node."""
    arguments = [node, *arguments, "--instructions", "avx2", "--cache-dir", options.store, *options.data]
    return call(options.program, "show", file, *arguments)


def digest_line(options, file, arguments, node):
    shown = result(options, file, arguments, node)
    digests = [output["digest"] for output in (shown or {}).get("outputs", []) if output["port"] == "table"]
    return f"`{node}` {digests[0]}  " if digests else None


def rates_section(options, there):
    """What learning rates were chosen by: accuracy on held-out images at each value of the sweeps. Sweeps that are not in this store
    stay as they are."""
    old = [line for line in there.splitlines() if line.startswith("| ")]
    lines = []
    for name, (what, nodes) in RATES.items():
        found = call(options.program, "compare", f"paper-rates-{name}", "--nodes", nodes, "--cache-dir", options.store)
        cells = {}
        for row in (found or {"rows": []})["rows"]:
            # As in `eval_selected[selection_lr=0.01,of=random,ipc=10]`.
            labels = dict(label.split("=", 1) for label in row["name"].split("[", 1)[1].rstrip("]").split(","))
            if "accuracy_on_held_out" in row["metrics"]:
                of = f"{labels['of']} " if name == "selection" else ""
                rates = tuple(float(value) for label, value in labels.items() if label not in NO_RATES)
                cells.setdefault(rates, []).append(f"{of}{row['metrics']['accuracy_on_held_out']['mean']:.2f}")
        new = [f"| {what} | {'; '.join(f'{rate:g}' for rate in rates)} | {', '.join(shown)} |" for rates, shown in sorted(cells.items())]
        lines += new or [line for line in old if line.startswith(f"| {what} |")]
    if not lines:
        return None
    head = [f"### {RATES_HEADING}", "", "Accuracy on 1,000 held-out training images in percent, mean over two nets, seed 9.", ""]
    table = ["| learning rate | value | on held-out images |", "|---|---:|---|", *lines]
    return "\n".join([*head, *table, "", "`tests/paper_cpu.sh rates rates_8`"]) + "\n"


def written(text):
    """The sections that the page has, by heading."""
    parts = re.split(r"^(?=### )", text, flags=re.M)[1:]
    return {part.splitlines()[0][4:]: part.split("\nNot run yet: ")[0].rstrip() + "\n" for part in parts}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/pddflow")
    parser.add_argument("--store", default=".pddflow")
    parser.add_argument("--results", default="results")
    parser.add_argument("--data", default="../shared/data", help="folder with data sets")
    parser.add_argument("--page", default=PAGE, type=Path)
    options = parser.parse_args()
    for name in ("program", "store", "results"):
        setattr(options, name, str(Path(getattr(options, name)).resolve()))
    options.data = ["--data-dir", str(Path(options.data).resolve())]
    text = options.page.read_text()
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{options.page}: the lines `{BEGIN}` and `{END}` are missing")
    before, rest = text.split(BEGIN, 1)
    inside, after = rest.split(END, 1)
    there = written(inside)
    parts = [rates_section(options, there.get(RATES_HEADING, ""))]
    shown_above = set()
    parts += [section(options, step, shown_above) or there.get(STEPS[step][0]) for step in STEPS]
    missing = [f"`{Path(STEPS[step][2]).stem}`" for step, part in zip(STEPS, parts[1:]) if part is None]
    if missing:
        parts.append(f"Not run yet: {', '.join(missing)}.\n")
    options.page.write_text(f"{before}{BEGIN}\n\n" + "\n".join(part for part in parts if part) + f"\n{END}{after}")


if __name__ == "__main__":
    main()
