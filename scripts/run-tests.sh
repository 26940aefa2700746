#!/usr/bin/env bash
# Runs a test command and, where tests fail, says once more at the end which ones, with place and reason: a run prints
# thousands of lines, and what keeps only their end should still show what to look at. The whole output is in .build/tests.log.
set -uo pipefail
cd "$(dirname "$0")/.."
log=.build/tests.log
"$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
if ((status != 0)); then
    printf '\nFailed (the whole output is in %s):\n' "$log"
    # Swift Testing's issues, XCTest's, and what the runner itself says when a test process dies.
    grep -aE '^✘ .* recorded an issue|: error: |^error: |^Fatal error|unexpected signal' "$log" | cut -c -600 | tail -n 40
fi
exit "$status"
