#!/usr/bin/env python3
"""Checks that rows which are compared in the profile `cpu` present equally many images.

    python3 tests/paper_budgets.py PROGRAM FOLDER_WITH_DATA

`presented` counts epochs over all images of a row, of which the rows of a group have equally many; `core/nodes/tests` check that
nets are shown as many as it says. Figure 1 compares sets of different sizes, so there epochs are times the stages that are done.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

PAPER = Path(__file__).resolve().parent.parent / "pipelines/paper"
# IDC's images hold four: epochs over decoded images are half as many.
MTT, IDC, LONGER = 450, 225, 1.5
# File: pattern of node, `presented` of each node that it means.
EXPECTED = {
    "table1_cifar10": {"eval_selected": MTT, "eval_mtt": MTT, "eval_pdd[of=mtt_10": MTT, "eval_matching[of=idc": IDC, "eval_pdd[of=idc_10": IDC},
    "table1_cifar10_jpeg": {"eval_selected": MTT, "eval_mtt": MTT, "eval_pdd[of=mtt_10": MTT, "eval_matching[of=idc": IDC, "eval_pdd[of=idc_10": IDC},
    "table1_controls": {
        "control_mtt[ipc=10,control=parts": MTT, "control_mtt[ipc=10,control=long": LONGER * MTT, "control_random": MTT,
        "control_idc[ipc=10,control=parts": IDC, "control_idc[ipc=10,control=long": LONGER * IDC, "eval_mtt": MTT, "eval_pdd[of=mtt_10": MTT,
    },
    "table3_training_modes": {"modes[of=mtt_10": MTT, "modes[of=idc_10": IDC},
    "table5_stages_vs_ipc": {"eval_pdd": MTT},
    "table8_dc_dsa": {"eval_base": MTT, "eval_pdd": MTT},
}


def presented(program, data, file, family):
    """Parameter `presented` of each node of a family, by name."""
    command = [program, "explain", str(PAPER / f"{file}.yaml"), family, "--profile", "cpu", "--set", "seeds=[0]", "--data-dir", data, "--json"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    nodes = told if isinstance(told, list) else told.get("nodes", [told])
    return {node["node"]: node["parts"]["with"]["presented"] for node in nodes}


def main():
    program, data = sys.argv[1:]
    rows = 0
    for file, groups in EXPECTED.items():
        if file.endswith("_jpeg") and not (Path(data) / "cifar10-jpeg").is_dir():
            print(f"skip  {file}: presented images, there is no {data}/cifar10-jpeg")
            continue
        families = {start.split("[")[0] for start in groups}
        nodes = {name: value for family in sorted(families) for name, value in presented(program, data, file, f"{family}*").items()}
        for start, wanted in groups.items():
            found = {name: value for name, value in nodes.items() if name.startswith(start)}
            wrong = {name: value for name, value in found.items() if value != wanted}
            if wrong or not found:
                sys.exit(f"FAIL  {file}, {start}...: {wanted} epochs are to be presented, not {wrong or 'nothing'}")
            rows += len(found)
    shown = {}
    for name, epochs in {**presented(program, data, "fig1_dynamics", "staged*"), **presented(program, data, "fig1_dynamics", "single*")}.items():
        done = int(re.search(r"done=(\d+)", name).group(1))
        shown.setdefault(done, set()).add(epochs * done / 5 if name.startswith("staged") else epochs)
    if not shown or any(len(images) > 1 for images in shown.values()):
        sys.exit(f"FAIL  fig1_dynamics: unequal images by stages that are done: {shown}")
    print(f"ok    {rows} rows of tables and {2 * len(shown)} points of figure 1 present as many images as what they are compared with")


if __name__ == "__main__":
    main()
