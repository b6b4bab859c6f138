#!/usr/bin/env bash
# Runs the profile `cpu` of the paper's pipelines, in this order or those that are named; what is finished is not run again, so that
# it can be stopped and started anew at any time. `core/docs/paper.md` is made of what comes out.
#
#     tests/paper_cpu.sh [STEP...]
#
# main controls fig1 fig3 fig4 table3 table4 table5 table8 table6 table2 table7 cifar10 published; without a step all but the last two.
#
# PROGRAM   default target/release/pddflow
# STORE     the store, default .pddflow
# RESULTS   folder of tables and figures, default results
# DATA      folder with `cifar10-jpeg`, for the last two steps; default ../shared/data
set -uo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${PROGRAM:-target/release/pddflow}")
store=$(realpath -m "${STORE:-.pddflow}")
results=$(realpath -m "${RESULTS:-results}")
data=$(realpath -m "${DATA:-../shared/data}")
paper=pipelines/paper
mkdir -p "$results"
failed=0

# go STEP FILE [ARGUMENT...]
go() {
    local step=$1 file=$2 from=$SECONDS
    shift 2
    # The same instructions everywhere: any common machine continues and repeats the run bit for bit.
    if nice -n 19 "$program" run "$file" "$@" --quiet --instructions avx2 --keep-going --tag "paper-$step" \
        --cache-dir "$store" --results "$results" --data-dir "$data"; then
        echo "ok    $step  $((SECONDS - from)) s"
    else
        [ $? -ne 130 ] || exit 130
        echo "FAIL  $step  $((SECONDS - from)) s"
        failed=1
    fi
}

step() {
    case $1 in
    main) go main $paper/table1_cifar10.yaml --profile cpu ;;
    controls) go controls $paper/table1_controls.yaml --profile cpu ;;
    fig1) go fig1 $paper/fig1_dynamics.yaml --profile cpu ;;
    fig3) go fig3 $paper/fig3_scaling.yaml --profile cpu ;;
    fig4) go fig4 $paper/fig4_images.yaml --profile cpu ;;
    table2) go table2 $paper/table2_cross_architecture.yaml --profile cpu ;;
    table3) go table3 $paper/table3_training_modes.yaml --profile cpu ;;
    table4) go table4 $paper/table4_transition_conditioning.yaml --profile cpu ;;
    table5) go table5 $paper/table5_stages_vs_ipc.yaml --profile cpu ;;
    table6) go table6 $paper/table6_forgetting.yaml --profile cpu ;;
    table7) go table7 $paper/table7_continual.yaml --profile cpu ;;
    table8) go table8 $paper/table8_dc_dsa.yaml --profile cpu ;;
    cifar10) go cifar10 $paper/table1_cifar10_jpeg.yaml --profile cpu ;;
    published) go published pipelines/published.yaml ;;
    *) echo "there is no step \`$1\`" >&2; exit 2 ;;
    esac
}

[ $# -gt 0 ] || set -- main controls fig1 fig3 fig4 table3 table4 table5 table8 table6 table2 table7
for name; do step "$name"; done
exit $failed
