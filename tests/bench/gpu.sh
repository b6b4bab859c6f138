#!/usr/bin/env bash
# Measures a build with `--features cuda` on an NVIDIA GPU, in at most eight minutes: the check of the device, every unit of the ledger
# against PyTorch eager and `torch.compile` if PyTorch is installed, memory, and a table in Markdown.
#
#     cargo build --release --workspace --features pddflow-cli/cuda
#     tests/bench/gpu.sh [FOLDER OF THE BUILD] [WIDTH]      default: target/release 128
#
# Everything that it needs is the folder (pddflow, pddflow-bench, plugins) and this one, so that both can be carried to the machine.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${1:-$here/../../target/release}")
width=${2:-128}
# Seconds in all, and the most for one unit.
until=$((SECONDS + ${PDDFLOW_GPU_SECONDS:-470}))
most=${PDDFLOW_GPU_UNIT_SECONDS:-60}

die() {
    echo "gpu.sh: $1" >&2
    exit "${2:-2}"
}

left() {
    local left=$((until - SECONDS))
    [ $left -gt "$most" ] && left=$most
    echo $((left > 0 ? left : 0))
}

# Runs a command within its time; says `-` if it fails or there is none left.
timed() {
    local seconds
    seconds=$(left)
    [ "$seconds" -gt 2 ] || { echo "no time is left for: $*" >&2; return 1; }
    timeout "$seconds" "$@"
}

command -v nvidia-smi >/dev/null || die "there is no NVIDIA driver here (nvidia-smi is not found); nothing was measured" 3
gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -1) && [ -n "$gpu" ] ||
    die "nvidia-smi finds no GPU; nothing was measured" 3
for program in pddflow pddflow-bench; do
    [ -x "$build/$program" ] ||
        die "$build has no $program; build it with: cargo build --release --workspace --features pddflow-cli/cuda"
done
report=$("$build/pddflow" doctor 2>&1) || true
grep -q 'cuda:0.* agrees ' <<<"$report" ||
    die "$(printf 'the build or the driver has no CUDA device that computes what the processor does:\n%s' "$report")"

echo "GPU: $gpu"
grep cuda <<<"$report"
python=$(command -v python3 || true)
torch=$("$python" -c 'import torch; print(torch.__version__ if torch.cuda.is_available() else "")' 2>/dev/null || true)
[ -n "$torch" ] && echo "PyTorch $torch" || echo "PyTorch with CUDA is not installed: its columns stay empty"

# The units of the ledger, with those of peer.py, the share of one of them, and how many repetitions.
units="train:epoch-100:1:50 dm:dm:1:5 dc:dc:1:3 idc:idc:1:10 mtt:mtt-10:10:5"
memory=$(mktemp)
trap 'rm -f "$memory"; kill "${watcher:-}" 2>/dev/null' EXIT

milliseconds() {
    sed -n 's/^measured on .*: \(.*\) ms$/\1/p' <<<"$1"
}

# Median milliseconds and MiB of a unit in PyTorch.
peer() {
    local found
    found=$(timed "$python" "$here/peer.py" "$1" "$width" "$2" 4 cuda "${@:4}" 2>/dev/null) || { echo "- -"; return; }
    "$python" -c '
import json, statistics, sys
found = json.loads(sys.argv[1])
print("%.3f %.0f" % (1e3 * statistics.median(found["seconds"]) / int(sys.argv[2]), found["peak_mib"]))' "$found" "$3"
}

echo
echo "| unit | width | pddflow ms | launches | reads | MiB of the GPU | eager ms | MiB | compiled ms | eager / pddflow |"
echo "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
for unit in $units; do
    IFS=: read -r own other share repeats <<<"$unit"
    : >"$memory"
    (while nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits >>"$memory" 2>/dev/null; do sleep 0.2; done) &
    watcher=$!
    text=$(timed "$build/pddflow-bench" "$own" --ledger "$width" cuda:0) || text=""
    kill "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
    ms=$(milliseconds "$text")
    launches=$(sed -n 's/^\([0-9.]*\) launches.*/\1/p' <<<"$text")
    reads=$(sed -n 's/.*, \([0-9.]*\) reads.*/\1/p' <<<"$text")
    used=$(sort -n "$memory" | tail -1)
    eager="- -" compiled="- -"
    if [ -n "$torch" ]; then
        eager=$(peer "$other" "$repeats" "$share")
        # Second derivatives do not pass through torch.compile.
        [ "$own" = train ] && compiled=$(peer "$other" "$repeats" "$share" compile)
    fi
    read -r eager_ms eager_mib <<<"$eager"
    read -r compiled_ms _ <<<"$compiled"
    times=$(awk -v a="$eager_ms" -v b="${ms:-0}" 'BEGIN { if (a > 0 && b > 0) printf "%.2f", a / b; else printf "-" }')
    echo "| $own | $width | ${ms:--} | ${launches:--} | ${reads:--} | ${used:--} | $eager_ms | $eager_mib | $compiled_ms | $times |"
done
echo
echo "$((SECONDS)) s"
