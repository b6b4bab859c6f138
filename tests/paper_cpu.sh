#!/usr/bin/env bash
# Runs the profile `cpu` of the paper's pipelines, in this order or those that are named; what is finished is not run again, so that
# it can be stopped and started anew at any time. `core/docs/paper.md` is made of what comes out.
#
#     tests/paper_cpu.sh [STEP...]
#
# rates rates_8 main controls fig1 fig3 fig4 table3 table4 table5 table8 table6 table2 table7 cifar10 published; without a step all but
# the first two and the last two.
# `rates` and `rates_8` are how the learning rates of the profile were chosen: by accuracy on a tenth of the training images, held out, with seed 9,
# which nothing else uses; its tables are RESULTS/rates/*.md.
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

# sweep NAME FILE NODES KEY=VALUES...: two nets on sets that were made at each value, tested on held-out images.
sweep() {
    local name=$1 file=$2 nodes=$3 sets=()
    shift 3
    for one; do sets+=(--set "$one"); done
    go "rates-$name" "$file" "$nodes" --profile cpu --set seed=9 --set held_out=0.1 --set nets=2 "${sets[@]}"
    mkdir -p "$results/rates"
    "$program" compare "paper-rates-$name" --cache-dir "$store" --nodes "$nodes" --columns accuracy_on_held_out --format markdown >"$results/rates/$name.md"
}

# What the profile has is the best of these, for `selection_lr` by the mean over the ways to choose. PDD+MTT is judged by the first two of
# its five sets.
rates() {
    local one=$paper/table1_cifar10.yaml four=$paper/table4_transition_conditioning.yaml
    sweep selection $one 'eval_selected*' selection_lr=0.01,0.03,0.1
    sweep mtt $one 'eval_mtt*' mtt.10.matcher.lr=100,300,1000
    sweep pdd_mtt $four 'ablation[variant=full,of=mtt_10,sets=2]' progressive.mtt_10.matcher.mtt.lr=100,300,1000
    sweep idc $one 'eval_matching*' matcher.idc.lr=1e-3,1e-2,5e-2 matching_lr.idc=0.01,0.03,0.1
    sweep pdd_idc $one 'eval_pdd[of=idc_10]' progressive.idc_10.matcher.idc.lr=1e-3,1e-2,5e-2,2e-1 pdd_lr.pdd_idc=0.01,0.03,0.1
}

# Those of table 8.
rates_8() {
    local eight=$paper/table8_dc_dsa.yaml
    sweep dc $eight 'eval_base[of=dc]' matcher.dc.lr=0.1,1,10
    sweep dsa $eight 'eval_base[of=dsa]' matcher.dsa.lr=0.1,1,10
    sweep dm $eight 'eval_base[of=dm]' matcher.dm.lr=1,10,100
    sweep pdd_dc $eight 'eval_pdd[of=dc]' progressive.dc.matcher.dc.lr=0.001,0.01,0.1,1,10
    sweep pdd_dsa $eight 'eval_pdd[of=dsa]' progressive.dsa.matcher.dc.lr=0.001,0.01,0.1,1,10
    sweep pdd_dm $eight 'eval_pdd[of=dm]' progressive.dm.matcher.dm.lr=1,10,100
}

step() {
    case $1 in
    rates) rates ;;
    rates_8) rates_8 ;;
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
