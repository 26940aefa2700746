#!/bin/bash
# usage: run.sh TARGET [SECONDS]      fuzzes one target for so many seconds of processor time (default 60) and says what came of it.
# The corpus grows in .build/corpus/TARGET; inputs that break something are kept in .build/findings.
set -euo pipefail
cd "$(dirname "$0")"
target=${1:?usage: run.sh TARGET [SECONDS]}
wanted=${2:-60}
binary=.build/release/slipway-fuzz
corpus=.build/corpus/$target
mkdir -p "$corpus" .build/findings
log=.build/$target.log
options=(-print_final_stats=1 -timeout=60 -rss_limit_mb=1024 -max_len=16384 -artifact_prefix=.build/findings/"$target"-)
if [ -f "$target.dict" ]; then options+=(-dict="$target.dict"); fi
# A backtrace takes longer than an input may.
export SWIFT_BACKTRACE=enable=no
# Steps of a build run on threads with small stacks.
ulimit -s 512
spent=0
executions=0
started=$SECONDS
while [ "$spent" -lt "$wanted" ]; do
    left=$((wanted - spent))
    status=0
    # shellcheck disable=SC2016
    nice -n 19 bash -c 'TIMEFORMAT="%U %S"; time "$@"' _ "$binary" "$target" "${options[@]}" \
        -max_total_time=$((left < 60 ? left : 60)) "$corpus" "Seeds/$target" >"$log" 2>&1 || status=$?
    used=$(tail -n 1 "$log" | awk '{ printf "%d", $1 + $2 + 0.5 }')
    spent=$((spent + (used > 0 ? used : 1)))
    count=$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")
    executions=$((executions + ${count:-0}))
    if [ "$status" -ne 0 ]; then
        grep -E "Fatal error|ERROR|SUMMARY|Test unit written" "$log" | cut -c1-300 || true
        echo "$target: FAILED after $executions executions and $spent s of processor time; see $PWD/$log"
        exit 1
    fi
done
echo "$target: clean, $executions executions, $spent s of processor time, $((SECONDS - started)) s in all, corpus of $(find "$corpus" -type f | wc -l) inputs"
