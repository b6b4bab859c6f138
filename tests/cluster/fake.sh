#!/usr/bin/env bash
# Plays sbatch, squeue, scancel and scontrol over a folder, $FAKE_SLURM, and misbehaves where files there say so:
#   late     the next submission succeeds and says that it timed out
#   denied   the next submission fails and says that it timed out
#   garbage  squeue prints what is no queue, so many times
#   hidden   squeue lists nothing
#   slow     every answer takes so many seconds
#   limit    no array may have more tasks
#   never    tasks do not begin
state=$FAKE_SLURM
takes() { # a number of times that something is left to be done
    local left
    left=$(cat "$state/$1" 2>/dev/null) || return 1
    [ "$left" -gt 0 ] || return 1
    echo $((left - 1)) > "$state/$1"
}
[ -e "$state/slow" ] && sleep "$(cat "$state/slow")"
expand() { # 1-3,5
    local part
    for part in ${1//,/ }; do
        case $part in *-*) seq "${part%-*}" "${part#*-}" ;; *) echo "$part" ;; esac
    done
}
case $(basename "$0") in
sbatch)
    for word in "$@"; do
        case $word in
        --test-only) echo "sbatch: Job 1 to start at once" >&2; exit 0 ;;
        --job-name=*) name=${word#*=} ;;
        --array=*) array=${word#*=} ;;
        --output=*) output=${word#*=} ;;
        --chdir=*) cd "${word#*=}" || exit 1 ;;
        -*) ;;
        *) script=$word ;;
        esac
    done
    tasks=$(expand "${array%\%*}")
    if [ -e "$state/limit" ] && [ "$(wc -w <<<"$tasks")" -gt "$(cat "$state/limit")" ]; then
        echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2
        echo "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy" >&2
        exit 1
    fi
    if takes denied; then
        echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
        exit 1
    fi
    id=1
    while ! mkdir "$state/jobs/$id" 2>/dev/null; do id=$((id + 1)); done
    echo "$name" > "$state/jobs/$id/name"
    for task in $tasks; do
        echo "$name $task" >> "$state/submitted"
        echo PENDING > "$state/jobs/$id/$task.state"
    done
    begin() {
        [ "$(cat "$state/jobs/$id/$1.state")" = PENDING ] || return
        echo RUNNING > "$state/jobs/$id/$1.state"
        SLURM_ARRAY_TASK_ID=$1 setsid bash "$script" >> "${output//%a/$1}" 2>&1 </dev/null &
        echo $! > "$state/jobs/$id/$1.pid"
        wait $!
        code=$?
        [ "$(cat "$state/jobs/$id/$1.state")" = CANCELLED ] && return
        if [ $code = 0 ]; then word=COMPLETED; else word=FAILED; fi
        echo $word > "$state/jobs/$id/$1.state"
    }
    # Eight at once, as a small cluster does.
    if [ ! -e "$state/never" ]; then
        (
            for task in $tasks; do
                while [ "$(jobs -pr | wc -l)" -ge 8 ]; do wait -n; done
                begin "$task" &
            done
            wait
        ) >/dev/null 2>&1 </dev/null &
    fi
    if takes late; then
        echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
        exit 1
    fi
    echo "Welcome to the test cluster"
    echo "$id;test"
    ;;
squeue)
    echo x >> "$state/polls"
    takes garbage && { echo "slurm_load_jobs error: Unexpected message received"; exit 0; }
    [ -e "$state/hidden" ] && exit 0
    for word in "$@"; do case $word in --name=*) names=,${word#*=}, ;; esac; done
    for job in "$state"/jobs/*; do
        name=$(cat "$job/name" 2>/dev/null) || continue
        case $names in *,"$name",*) ;; *) continue ;; esac
        for file in "$job"/*.state; do
            task=$(basename "$file" .state)
            word=$(cat "$file")
            reason=None
            [ "$word" = PENDING ] && reason=$(cat "$state/reason" 2>/dev/null || echo Resources)
            echo "$(basename "$job")|$task|$word|$reason|node1|$name"
        done
    done
    ;;
scancel)
    signal=TERM
    for word in "$@"; do
        case $word in
        --signal=*) signal=${word#*=} ;;
        --state=*) only=${word#*=} ;;
        -*) ;;
        *)
            id=${word%%_*}
            if [ "$id" = "$word" ]; then tasks=$(cd "$state/jobs/$id" && ls ./*.state | tr -dc '0-9\n'); else
                tasks=${word#*_}; tasks=${tasks#[}; tasks=$(expand "${tasks%]}"); fi
            for task in $tasks; do
                file=$state/jobs/$id/$task.state
                word=$(cat "$file" 2>/dev/null)
                case $word in PENDING | RUNNING) ;; *) continue ;; esac
                [ -n "$only" ] && [ "$only" != "$word" ] && continue
                echo "$signal $id $task" >> "$state/cancelled"
                [ "$signal" = TERM ] && echo CANCELLED > "$file"
                [ -e "$state/jobs/$id/$task.pid" ] && kill -s "$signal" "$(cat "$state/jobs/$id/$task.pid")"
            done
            ;;
        esac
    done
    exit 0
    ;;
scontrol) echo "MaxArraySize            = $(cat "$state/array" 2>/dev/null || echo 1001)" ;;
esac
