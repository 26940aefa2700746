#!/usr/bin/env bash
# Slipway's own image, built by Slipway from the Dockerfile, with the release binary of this machine instead of a build from source.
# Writes an OCI layout, out/image, and prints where the image is in it.
#
#   SLIPWAY_BINARY=.build/release/slipway scripts/image.sh [VERSION] [LAYOUT]
set -euo pipefail

slipway=${SLIPWAY_BINARY:?the path of the slipway binary}
root=$(cd "$(dirname "$0")/.." && pwd)
version=${1:-dev}
layout=${2:-$root/out/image}
# The commit's time is that of the image, so that one commit gives one image.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
scratch=$(mktemp -d "${TMPDIR:-/tmp}/slipway-image.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

mkdir -p "$scratch/empty" "$(dirname "$layout")"
# scripts/release.sh has the content already.
stage=${SLIPWAY_STAGE:-$scratch/stage}
[ -d "$stage/content" ] || "$root/scripts/rootfs.sh" "$slipway" "$stage/content"
"$slipway" build --context "dir://$scratch/empty" --dockerfile "$root/Dockerfile" \
    --build-context "content=$stage" --reproducible \
    --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" --destination "oci:$layout:$version" --state-dir "$scratch/state" \
    --label "org.opencontainers.image.version=$version" --quiet >/dev/null
echo "oci:$layout:$version"
