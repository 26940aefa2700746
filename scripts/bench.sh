#!/usr/bin/env bash
# Times what users wait for, with nothing from the network: a build from nothing, and the same build with nothing changed, of a
# small context, of 20 000 files and of 400 MB. One JSON object a line: case, seconds (the median), runs, max_rss_kib.
#
#   SLIPWAY_BINARY=.build/release/slipway scripts/bench.sh [RUNS]
set -euo pipefail

slipway=${SLIPWAY_BINARY:?the path of the slipway binary}
runs=${1:-5}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/slipway-bench.XXXXXX")
cleanup() {
    chmod -R u+rwX "$scratch" 2>/dev/null || true
    rm -rf --one-file-system "$scratch"
}
trap cleanup EXIT
export HOME="$scratch/home" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=bench GIT_AUTHOR_EMAIL=bench@example.com
export GIT_COMMITTER_NAME=bench GIT_COMMITTER_EMAIL=bench@example.com
mkdir -p "$HOME"

# measure CASE PREPARATION COMMAND...: runs the command, after its preparation, as often as asked.
measure() {
    local name=$1 preparation=$2 times=() start end
    shift 2
    for _ in $(seq "$runs"); do
        "$preparation"
        start=$(date +%s%N)
        "$@" >"$scratch/out" 2>&1 || {
            cat "$scratch/out" >&2
            exit 1
        }
        end=$(date +%s%N)
        times+=($((end - start)))
    done
    # The highest memory is read in a run of its own: the kernel keeps it for children that have been waited for.
    "$preparation"
    local memory
    memory=$(python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$@" 2>/dev/null || echo null)
    printf '%s\n' "${times[@]}" | sort -n | awk -v name="$name" -v runs="$runs" -v memory="$memory" '
        { values[NR] = $1 }
        END { printf "{\"case\": \"%s\", \"seconds\": %.3f, \"runs\": %d, \"max_rss_kib\": %s}\n",
              name, values[int((NR + 1) / 2)] / 1e9, runs, memory }'
}
nothing() { :; }
fresh() { chmod -R u+rwX "$scratch/state" 2>/dev/null || true; rm -rf "$scratch/state" "$scratch/images/bench"; }

busybox=$(command -v busybox)
mkdir -p "$scratch/base/bin"
cp "$busybox" "$scratch/base/bin/busybox"
for applet in sh cat mkdir; do ln -s busybox "$scratch/base/bin/$applet"; done
printf 'FROM scratch\nCOPY . /\n' >"$scratch/base.Dockerfile"
"$slipway" build --state-dir "$scratch/state" --context "dir://$scratch/base" --dockerfile "$scratch/base.Dockerfile" \
    --destination "oci:$scratch/images/base:1" --quiet

context() { # context NAME DOCKERFILE
    mkdir -p "$scratch/$1"
    printf '%b' "$2" >"$scratch/$1/Dockerfile"
}
# run-NAME builds one of the contexts.
build() {
    printf '#!/bin/sh\nexec "%s" build --quiet --state-dir "%s" --context "dir://%s" --destination "oci:%s:1" %s\n' \
        "$slipway" "$scratch/state" "$scratch/$1" "$scratch/images/bench/$1" \
        "--build-context base=oci-layout://$scratch/images/base" >"$scratch/run-$1"
    chmod +x "$scratch/run-$1"
    measure "build, $1, from nothing" fresh "$scratch/run-$1"
    measure "build, $1, nothing changed" nothing "$scratch/run-$1"
}

context small 'FROM base\nCOPY . /app\nRUN cat /app/Dockerfile > /copy\n'
context many 'FROM base\nCOPY files /files\n'
mkdir -p "$scratch/many/files"
seq 20000 | (cd "$scratch/many/files" && awk '{ d = int($1 / 500); if (d != last || NR == 1) { system("mkdir -p d" d); last = d }
    f = "d" d "/f" $1; print "content of " $1 > f; close(f) }')
context big 'FROM base\nCOPY big /big\n'
head -c 419430400 /dev/urandom >"$scratch/big/big"

for name in small many big; do build "$name"; done
