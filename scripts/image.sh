#!/usr/bin/env bash
# Slipway's own image, built by Slipway: the release binary, the shared libraries that it loads and the certificate
# authorities, from scratch. Writes an OCI layout: out/image, tag VERSION (default: dev).
#
#   SLIPWAY_BINARY=.build/release/slipway scripts/image.sh [VERSION]
set -euo pipefail

slipway=${SLIPWAY_BINARY:?the path of the slipway binary}
version=${1:-dev}
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/out/image
context=$(mktemp -d "${TMPDIR:-/tmp}/slipway-image.XXXXXX")
trap 'rm -rf "$context"' EXIT

# Regular directories, not Debian's links: what the loader looks for is found by its own path.
install -D -m 755 "$slipway" "$context/usr/bin/slipway"
command -v strip >/dev/null && strip "$context/usr/bin/slipway"
# libgit2 is loaded by its name when git is used; ldd does not know of it.
git2=$(grep -ao 'libgit2\.so\.[0-9.]*' "$slipway" | head -n 1)
git2=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p | awk -v name="$git2" '$1 == name { print $NF; exit }')
[ -n "$git2" ] || {
    echo "image: the libgit2 that $slipway loads is not installed: install libgit2-1.5" >&2
    exit 1
}
{
    echo "$git2"
    ldd "$slipway" "$git2" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(0x/ { print $1 }'
} | sort -u | while read -r library; do
    install -D -m 755 "$(readlink -f "$library")" "$context$library"
done
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$context/etc/ssl/certs/ca-certificates.crt"
mkdir -p "$context/etc" "$context/tmp" "$context/var/lib/slipway" "$context/home/slipway"
printf 'root:x:0:0:root:/root:/\nslipway:x:65532:65532:slipway:/home/slipway:/\n' >"$context/etc/passwd"
printf 'root:x:0:\nslipway:x:65532:\n' >"$context/etc/group"
printf 'hosts: files dns\n' >"$context/etc/nsswitch.conf"
chmod 1777 "$context/tmp"

"$slipway" build --context "dir://$context" --dockerfile "$root/scripts/image.Dockerfile" \
    --destination "oci:$out:$version" --state-dir "$context.state" --label "org.opencontainers.image.version=$version"
rm -rf "$context.state"
echo "oci:$out:$version"
