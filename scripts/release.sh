#!/usr/bin/env bash
# Everything that a release consists of, in out/release:
#
#   slipway-VERSION-linux-amd64.tar.gz   the binary and the libraries that it loads; runs on glibc 2.36 or newer
#   slipway-VERSION-image.tar            the image as an OCI layout whose index has a manifest for each platform
#   slipway-VERSION.spdx.json            what the image and the binary consist of
#   slipway-VERSION.tgz                  the Helm chart
#   install.yaml                         for kubectl apply -f
#   release-notes.md                     the part of CHANGELOG.md
#   SHA256SUMS
#
#   SLIPWAY_BINARY=.build/release/slipway scripts/release.sh
#   PUSH=ghcr.io/acme/slipway …      also pushes the image there; install.yaml then names it by its digest
#
# Only linux/amd64 is made: Debian 12 has no Swift toolchain that cross-compiles. On an arm64 machine, the Dockerfile makes its image.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
slipway=${SLIPWAY_BINARY:?the path of the slipway binary}
version=$(sed -n 's/^appVersion: //p' "$root/config/chart/Chart.yaml")
out=$root/out/release
helm=${HELM:-$root/.build-venv/bin/helm}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/slipway-release.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

say() { echo "release: $*"; }
fail() {
    echo "release: $*" >&2
    exit 1
}
# pack FILE NAME: a directory of $scratch; the same content gives the same bytes.
archive=(tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner)
pack() { "${archive[@]}" -C "$scratch" -c "$2" | gzip -9n >"$1"; }
for program in patchelf python3 strip setcap; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || fail "$program is missing: run scripts/install-deps.sh --release"
done
[ "$(id -u)" -eq 0 ] || fail "newuidmap's file capabilities can only be written by root: run it as root"
[ "$(uname -m)" = x86_64 ] || fail "this script names its files for x86_64"

rm -rf "$out"
mkdir -p "$out"

say "image, linux/amd64"
"$root/scripts/rootfs.sh" "$slipway" "$scratch/stage/content"
layout=$scratch/layout
mkdir "$scratch/empty"
SLIPWAY_STAGE=$scratch/stage "$root/scripts/image.sh" "$version" "$layout" >/dev/null
say "image, linux/arm64: left out, since no Swift toolchain on this machine can build for it"
"$root/scripts/image-index.py" "$layout" "$version" linux/amd64
"${archive[@]}" -C "$layout" -cf "$out/slipway-$version-image.tar" .

say "tarball"
name=slipway-$version-linux-amd64
tree=$scratch/$name
mkdir -p "$tree/bin" "$tree/lib/slipway" "$tree/share/slipway"
content=$scratch/stage/content
cp "$content/usr/bin/slipway" "$tree/bin/slipway"
# Libraries of the system, glibc's own, stay the system's: they belong to its loader and its name services.
glibc='^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|nss_.*)\.so\..*)$'
git2=$(find "$content" -name 'libgit2.so.*' | head -n 1)
{
    echo "${git2#"$content"}"
    ldd "$slipway" "${git2#"$content"}" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }'
} | sort -u | while read -r library; do
    base=$(basename "$library")
    [[ $base =~ $glibc ]] || cp "$content$library" "$tree/lib/slipway/$base"
done
# DT_RPATH and not DT_RUNPATH: it holds for the libraries that libraries load, too.
patchelf --force-rpath --set-rpath '$ORIGIN/../lib/slipway' "$tree/bin/slipway"
ln -s slipway "$tree/bin/kubectl-slipway"
cp "$root/LICENSE" "$root/README.md" "$root/config/agent.yaml" "$tree/share/slipway/"
pack "$out/$name.tar.gz" "$name"

say "bill of materials"
resolved=$root/Package.resolved
python3 "$root/scripts/sbom.py" "$content" "$version" $([ ! -f "$resolved" ] || echo "$resolved") >"$out/slipway-$version.spdx.json"

say "chart, install.yaml, notes"
# Not by 'helm package', which writes the time of day into it.
cp -rL "$root/config/chart" "$scratch/slipway"
"$helm" lint --strict --quiet "$scratch/slipway"
pack "$out/slipway-$version.tgz" slipway
image=registry.example.com/slipway:$version
if [ -n "${PUSH:-}" ]; then
    # shellcheck disable=SC2086  # PUSH_FLAGS: more flags of 'slipway registry copy', such as --insecure-registry HOST
    digest=$("$slipway" registry copy "oci:$layout:$version" "$PUSH:$version" ${PUSH_FLAGS:-} | tail -n 1)
    image=$PUSH@$digest
    say "pushed $PUSH:$version, $digest"
fi
IMAGE=$image "$root/scripts/manifests.sh" --install "$out/install.yaml"
"$root/scripts/release-notes.sh" "$version" >"$out/release-notes.md"
(cd "$out" && find . -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs sha256sum >SHA256SUMS)
ls -l "$out"
