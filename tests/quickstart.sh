#!/usr/bin/env bash
# Runs the quick start in a fresh store and prints what it promises: the seconds of both runs, the table, what an edit
# of one matcher parameter makes stale, and by how much DM and DSA beat random images. Ends with an error when they do
# not, or when a promise of pipelines/quickstart.yaml is broken.
#
#     tests/quickstart.sh [PROGRAM]      default: target/release/pddflow
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/pddflow}")
pipeline=$PWD/pipelines/quickstart.yaml
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"

# Seconds may be scaled for a slow machine: PDDFLOW_SLOWNESS=2 allows twice the time.
slowness=${PDDFLOW_SLOWNESS:-1}
seconds() {
    local from=$EPOCHREALTIME
    "$@" >&2
    awk -v from="$from" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.3f", to - from }'
}
within() {
    awk -v took="$2" -v most="$3" -v slow="$slowness" 'BEGIN { exit !(took <= most * slow) }' || {
        echo "$1 took $2 s, at most $3 s were promised" >&2
        exit 1
    }
}

first=$(seconds "$program" run "$pipeline")
# The best of three: what is promised is the program's time, not that of the machine's other work.
second=9
for _ in 1 2 3; do
    took=$(seconds "$program" run --quiet "$pipeline" 2>/dev/null)
    second=$(awk -v a="$took" -v b="$second" 'BEGIN { print (a < b) ? a : b }')
done
echo "first run:  $first s"
echo "second run: $second s"

echo "after an edit of the matcher dm:"
"$program" plan "$pipeline" --set nodes.dm.with.matcher.dm.lr=0.5 | grep -v '^fresh'
stale=$("$program" plan "$pipeline" --set nodes.dm.with.matcher.dm.lr=0.5 --json |
    python3 -c 'import json, sys; print(*sorted(n["node"] for n in json.load(sys.stdin)["nodes"] if n["state"] != "fresh"))')
expected='dm[10] dm[1] eval[of=dm,ipc=10] eval[of=dm,ipc=1] grids[of=dm] table'
[ "$stale" = "$expected" ] || { echo "stale: $stale; expected: $expected" >&2; exit 1; }

for ipc in 1 10; do
    for method in dm dsa; do
        ours=$("$program" show "$pipeline" "eval[of=$method,ipc=$ipc]" --json)
        random=$("$program" show "$pipeline" "eval[of=random,ipc=$ipc]" --json)
        python3 - "$method" "$ipc" "$ours" "$random" <<'PYTHON'
import json, sys
method, ipc, ours, random = sys.argv[1:]
mean, floor = (json.loads(text)["metrics"]["accuracy"] for text in (ours, random))
print(f"ipc {ipc:>2}: {method} {mean:.1f}%, random {floor:.1f}%: {mean - floor:+.1f}")
sys.exit(f"{method} does not beat random at ipc {ipc}" if mean <= floor else 0)
PYTHON
    done
done

within "the first run" "$first" 60
within "the second run" "$second" 0.05
