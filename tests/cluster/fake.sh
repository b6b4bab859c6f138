#!/usr/bin/env bash
# Plays sbatch, squeue, scancel, scontrol and sacct over a folder, $FAKE_SLURM, and misbehaves where files there say so:
#   late      so many submissions succeed and say that they timed out
#   denied    so many submissions fail and say that they timed out
#   garbage   squeue prints what is no queue, so many times
#   hidden    squeue lists nothing
#   private   squeue lists nothing unless it is asked for hidden partitions
#   forgotten scontrol does not know jobs that squeue does not list
#   slow      every answer takes so many seconds
#   pause.X   the next answer of the program X takes so many seconds
#   limit     no array may have more tasks
#   never     tasks do not begin
#   word      the state of every task that has ended
#   preempt   so many tasks are asked to end a second after they began, and are then called preempted
#   broken    so many tasks die a moment after they began, and their machine with them
#   reason    why tasks wait
#   array     MaxArraySize
#   accounts  what sacct prints
state=$FAKE_SLURM
program=$(basename "$0")
put() { # a word into a file, which is never empty meanwhile
    echo "$1" > "$2.$BASHPID" && mv "$2.$BASHPID" "$2"
}
takes() { # a number of times that something is left to be done
    local left
    left=$(cat "$state/$1" 2>/dev/null) || return 1
    [ "$left" -gt 0 ] || return 1
    put $((left - 1)) "$state/$1"
}
[ -e "$state/slow" ] && sleep "$(cat "$state/slow")"
mv "$state/pause.$program" "$state/pause.$$" 2>/dev/null && sleep "$(cat "$state/pause.$$")"
expand() { # 1-3,5
    local part
    for part in ${1//,/ }; do
        case $part in *-*) seq "${part%-*}" "${part#*-}" ;; *) echo "$part" ;; esac
    done
}
each_task() { # calls a function with job, task, state, name and machine of each; without other programs, for large arrays
    local job file task word name host
    for job in "$state"/jobs/*; do
        read -r name 2>/dev/null < "$job/name" || continue
        read -r host < "$job/host"
        for file in "$job"/*.state; do
            task=${file##*/}
            read -r word < "$file"
            "$1" "${job##*/}" "${task%.state}" "$word" "$name" "$host"
        done
    done
}
case $program in
sbatch)
    [ -z "$SLURM_JOB_ID$SLURM_ARRAY_TASK_ID" ] || { echo "sbatch: error: a job within a job" >&2; exit 1; }
    host=node1
    for word in "$@"; do
        case $word in
        --test-only) echo "sbatch: Job 1 to start at once" >&2; exit 0 ;;
        --job-name=*) name=${word#*=} ;;
        --array=*) array=${word#*=} ;;
        --output=*) output=${word#*=} ;;
        --chdir=*) cd "${word#*=}" || exit 1 ;;
        --exclude=node1) host=node2 ;;
        -*) ;;
        *) script=$word ;;
        esac
    done
    echo "$*" >> "$state/arguments"
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
    echo $host > "$state/jobs/$id/host"
    for task in $tasks; do
        echo "$name $task" >> "$state/submitted"
        put PENDING "$state/jobs/$id/$task.state"
    done
    put "$name" "$state/jobs/$id/name"
    begin() {
        local file=$state/jobs/$id/$1 word end
        [ "$(cat "$file.state")" = PENDING ] || return
        put RUNNING "$file.state"
        SLURM_JOB_ID=$id SLURM_ARRAY_TASK_ID=$1 setsid bash "$script" >> "${output//%a/$1}" 2>&1 </dev/null &
        echo $! > "$file.pid"
        if takes broken; then
            kill -KILL $!
            end=NODE_FAIL
        elif [ -e "$state/preempt" ]; then
            sleep 1
            kill -0 $! 2>/dev/null && takes preempt && kill -TERM $! && end=PREEMPTED
        fi
        wait $!
        if [ $? = 0 ]; then word=COMPLETED; else word=FAILED; fi
        [ -e "$state/word" ] && word=$(cat "$state/word")
        [ "$(cat "$file.state")" = CANCELLED ] || put "${end:-$word}" "$file.state"
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
    for word in "$@"; do
        case $word in --name=*) names=,${word#*=}, ;; --all) all=yes ;; esac
    done
    [ -e "$state/private" ] && [ -z "$all" ] && exit 0
    waits=$(cat "$state/reason" 2>/dev/null || echo Resources)
    line() {
        local reason=None
        case $names in *,"$4",*) ;; *) return ;; esac
        [ "$3" = PENDING ] && reason=$waits
        echo "$1|$2|$3|$reason|$5|$4"
    }
    each_task line
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
                [ "$signal" = TERM ] && put CANCELLED "$file"
                [ -e "$state/jobs/$id/$task.pid" ] && kill -s "$signal" "$(cat "$state/jobs/$id/$task.pid")"
            done
            ;;
        esac
    done
    exit 0
    ;;
scontrol)
    case $* in
    *"show config"*)
        echo "MaxArraySize            = $(cat "$state/array" 2>/dev/null || echo 1001)"
        echo "MinJobAge               = 300 sec"
        ;;
    *"show job "*)
        echo x >> "$state/asked"
        [ -e "$state/forgotten" ] && { echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }
        line() { echo "JobId=9 ArrayJobId=$1 ArrayTaskId=$2 JobState=$3 Reason=None"; }
        wanted=${!#}
        each_task line | grep "ArrayJobId=$wanted "
        ;;
    esac
    ;;
sacct)
    [ -e "$state/accounts" ] || { echo "Slurm accounting storage is disabled" >&2; exit 1; }
    case $* in
    *--name*)
        wanted=${!#}
        line() { [ "$4" = "$wanted" ] && echo "$1_$2"; }
        each_task line
        ;;
    *) grep "^${!#}_" "$state/accounts" ;;
    esac
    ;;
esac
