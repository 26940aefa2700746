#!/usr/bin/env bash
# Runs a test command and, where tests fail, says once more at the end which ones, with place and reason: a run prints
# thousands of lines, and what keeps only their end should still show what to look at.
#
#   scripts/run-tests.sh COMMAND...    the command; its whole output is in .build/tests.log
#   scripts/run-tests.sh --all         all tests that are built, by two processes side by side where there are two processors: the
#                                      one that mostly computes (builds, steps, archives) and the one that mostly waits for peers.
#                                      Within each, one test after the other. .build/tests-1.log and .build/tests-2.log
set -uo pipefail
cd "$(dirname "$0")/.."

report() {
    printf '\nFailed (the whole output is in %s):\n' "$*"
    # Swift Testing's issues, XCTest's, and what the runner itself says when a test process dies. Where it takes its output for a
    # terminal's, colours stand before the words.
    sed 's/\x1b\[[0-9;]*m//g' "$@" |
        grep -aE '^✘ .* recorded an issue|: error: |^error: |^Fatal error|unexpected signal|Segmentation fault' |
        cut -c -600 | tail -n 40
}

if [ "${1:-}" != --all ]; then
    "$@" 2>&1 | tee .build/tests.log
    status=${PIPESTATUS[0]}
    ((status == 0)) || report .build/tests.log
    exit "$status"
fi

runner=(.build/debug/slipwayPackageTests.xctest --testing-library swift-testing --no-parallel)
computing='^(BuilderTests|ArchiveTests)\.'
if (($(nproc) < 2)); then
    exec "$0" "${runner[@]}"
fi
("${runner[@]}" --filter "$computing" 2>&1 | tee .build/tests-1.log) &
first=$!
"${runner[@]}" --skip "$computing" 2>&1 | tee .build/tests-2.log
second=${PIPESTATUS[0]}
# With pipefail it is the runner's status, not that of tee.
wait "$first"
status=$(($? | second))
((status == 0)) || report .build/tests-1.log .build/tests-2.log
# A filter that names nothing, after a suite was renamed, say, must not look like success.
for log in .build/tests-1.log .build/tests-2.log; do
    if ! grep -qaE 'Test run with [0-9]{2,} tests' "$log"; then
        echo "run-tests: $log tells of no tests that ran" >&2
        status=1
    fi
done
exit "$status"
