#!/usr/bin/env bash
# Runs the smoke profile of every pipeline of the paper over one fresh store, and prints one line for each. Ends with an error when
# one of them cannot be planned at full size or in the profiles `cpu` and `as_published`, fails or takes longer than five minutes; when
# table 4 makes anything anew that table 1 has made; when one of its switches changes nothing; when the part that makes any method
# progressive does not serve a file of twelve lines; or when rows that the profile `cpu` compares present unequally many images.
#
#     tests/paper.sh [PROGRAM]      default: target/release/pddflow
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/pddflow}")
pipelines=$PWD/pipelines
budgets=$PWD/tests/paper_budgets.py
data=$PWD/../shared/data
limit=$((300 * ${PDDFLOW_SLOWNESS:-1}))
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"

failed=0
fail() {
    printf 'FAIL  %s\n' "$1"
    [ $# -lt 2 ] || tail -n 20 "$2"
    failed=1
}

# At full size and in every profile that the file has.
plans() {
    local profile
    if [[ $1 == *_jpeg.yaml || $1 == */published.yaml ]] && [ ! -d "$data/cifar10-jpeg" ]; then
        echo "skip  $2: plans, there is no $data/cifar10-jpeg"
        return
    fi
    for profile in "" cpu as_published; do
        [ -z "$profile" ] || [[ $1 != */published.yaml ]] || continue
        "$program" plan "$1" --data-dir "$data" ${profile:+--profile "$profile"} >"$2.plan" 2>&1 || { fail "$2: plan ${profile:-at full size}" "$2.plan"; return 1; }
    done
}

smoke() {
    local name from took
    name=$(basename "$1" .yaml)
    plans "$1" "$name" || return
    from=$SECONDS
    "$program" run "$1" --profile smoke >"$name.out" 2>"$name.log" || { fail "$name" "$name.log"; return; }
    took=$((SECONDS - from))
    [ "$took" -le "$limit" ] || fail "$name: more than $limit s"
    printf 'ok    %-30s %3d s  %s\n' "$name" "$took" "$(tail -n 1 "$name.log")"
}

# Of the complete method, table 4 adds the evaluations with fewer sets to what table 1 has made, and nothing else.
shares_with_table1() {
    local again
    again=$("$program" plan "$1" --profile smoke --instances | grep -E '^(stale|unknown)' | grep -vE 'variant=(no_|neither)|^[a-z]+ +(ablation|table)\[' || true)
    if [ -n "$again" ]; then fail "table 4 does not share with table 1: $again"; else echo "ok    table 4 makes nothing anew that table 1 has made"; fi
}

# Each switch makes other sets: the rows of the last table are all different.
switches_change_numbers() {
    local table='results/table4-transition-conditioning/table[of=mtt_10]/table.md'
    if [ "$(sed -n 's/^| \(PDD+MTT\|without [a-z]*\) |/|/p' "$table" | sort -u | wc -l)" = 4 ]; then
        echo "ok    transition and conditioning change the numbers"
    else
        fail "a switch of table 4 changes nothing" "$table"
    fi
}

# A file of a user with DM, which learns no learning rate, in two stages.
any_method_is_progressive() {
    cat >own.yaml <<FILE
format: 1
include: [$pipelines/paper/parts/progressive.yaml]
params:
  model: { convnet: { width: 4 } }
  progressive:
    names: [pdd_dm]
    pdd_dm: { method: PDD+DM, data: data, ipc: 2, stages: [2], iterations: 2, matcher: { dm: { batch: 16 } }, pretrain: { epochs: 1 } }
nodes:
  data: { kind: dataset, with: { source: fashion-mini } }
  eval: { kind: evaluate, needs: { data: data, sets: "stage[of=pdd_dm]" }, with: { model: "\${model}", epochs: 2, nets: 1 } }
FILE
    if "$program" run own.yaml --quiet >own.log 2>&1; then echo "ok    any method is progressive"; else fail "progressive.yaml" own.log; fi
}

for file in "$pipelines"/paper/*.yaml "$pipelines"/cifar100_continual.yaml "$pipelines"/published.yaml; do
    case $file in *table4*) shares_with_table1 "$file" ;; esac
    smoke "$file"
    case $file in *table4*) switches_change_numbers ;; esac
done
any_method_is_progressive
python3 "$budgets" "$program" "$data" || failed=1
exit $failed
