#!/usr/bin/env bash
# Measures a build with `--features cuda` on an NVIDIA GPU, in at most eight minutes: the check of the device, then each unit of work of
# `compare.py` against PyTorch eager, those with first derivatives only also against `torch.compile`, as a table in Markdown.
#
#     cargo build --release --workspace --features pddflow-cli/cuda
#     tests/bench/gpu.sh [FOLDER OF THE BUILD] [WIDTH]      default: target/release 128
#
# Everything that it needs is the folder (pddflow, plugins) and this one, so that both can be carried to the machine, and a Python with
# PyTorch and NumPy.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${1:-$here/../../target/release}")
width=${2:-128}

die() {
    echo "gpu.sh: $1" >&2
    exit "${2:-2}"
}

command -v nvidia-smi >/dev/null || die "there is no NVIDIA driver here (nvidia-smi is not found); nothing was measured" 3
gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -1) && [ -n "$gpu" ] ||
    die "nvidia-smi finds no GPU; nothing was measured" 3
[ -x "$build/pddflow" ] ||
    die "$build has no pddflow; build it with: cargo build --release --workspace --features pddflow-cli/cuda"
report=$("$build/pddflow" doctor 2>&1) || true
grep -q 'cuda:0.* agrees ' <<<"$report" ||
    die "$(printf 'the build or the driver has no CUDA device that computes what the processor does:\n%s' "$report")"
echo "GPU: $gpu"
grep cuda <<<"$report"

python=$(command -v python3) || die "there is no python3"
"$python" -c 'import numpy' 2>/dev/null || die "python3 has no NumPy: pip install numpy torch"
torch=$("$python" -c 'import torch; print(torch.__version__ if torch.cuda.is_available() else "")' 2>/dev/null || true)
[ -n "$torch" ] && echo "PyTorch $torch" || echo "PyTorch with CUDA is not installed: its columns stay empty"
echo
exec timeout 475 "$python" "$here/compare.py" --device cuda:0 --build "$build" --python "$python" --widths "$width" \
    --pairs 1 --iterations 30 --seconds "${PDDFLOW_GPU_SECONDS:-400}" --units train epoch-100 dm dc idc mtt-10 train-batch
