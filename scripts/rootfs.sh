#!/usr/bin/env bash
# Fills a directory with what is in Slipway's image. The Dockerfile, `make image` and `make release` all get the content from here.
#
#   scripts/rootfs.sh BINARY DIRECTORY
#
# Everything comes from this machine, which is Debian 12: the binary, the programs that it starts, the libraries that these load,
# the certificate authorities. File capabilities can only be written by root; an ordinary user is told that they are missing.
set -euo pipefail

binary=${1:?the slipway binary}
root=${2:?the directory to fill}
PATH=$PATH:/usr/sbin:/sbin

fail() {
    echo "rootfs: $*" >&2
    exit 1
}

# newuidmap and newgidmap give a build a range of user ids, ssh is for git, ssh-keygen and gpg are for signatures.
programs=(newuidmap newgidmap ssh ssh-keygen gpg gpg-agent gpgconf)
paths=()
for program in "${programs[@]}"; do
    path=$(command -v "$program") || fail "$program is missing: install uidmap, openssh-client, gpg, gpg-agent and gpgconf"
    paths+=("$path")
done
# The binary loads libgit2 by name when it needs git, so ldd does not list it.
git2=$(grep -ao 'libgit2\.so\.[0-9.]*' "$binary" | head -n 1 || true)
git2=$(ldconfig -p | awk -v name="$git2" '$1 == name { print $NF; exit }')
[ -n "$git2" ] || fail "the libgit2 that $binary loads is not installed: install libgit2-1.5"

install -D -m 755 "$binary" "$root/usr/bin/slipway"
strip "$root/usr/bin/slipway"
ln -sf slipway "$root/usr/bin/kubectl-slipway" # kubectl slipway …
install -d "$root/kaniko"
ln -sf /usr/bin/slipway "$root/kaniko/executor"
ln -sf /usr/bin/slipway "$root/kaniko/warmer"

packages=()
# The package of a file; on a merged /usr it may be listed under the other name.
package_of() {
    local path
    for path in "$1" "$(readlink -f "$1")" "/usr$1" "${1#/usr}"; do
        dpkg-query -S "$path" 2>/dev/null | awk -F ': ' '!/^diversion/ { sub(/,.*/, "", $1); print $1; exit }' | grep . && return
    done
    return 0 # of no package: a Swift toolchain's, which binaries for debugging load
}

for path in "${paths[@]}"; do
    install -D -m 755 "$path" "$root$path"
    packages+=("$(package_of "$path")")
done
# Each under the path at which the loader looks for it.
while read -r library; do
    install -D -m 755 "$(readlink -f "$library")" "$root$library"
    packages+=("$(package_of "$library")")
done < <(
    {
        echo "$git2"
        ldd "$binary" "$git2" "${paths[@]}" |
            awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(0x/ { print $1 }'
    } | sort -u
)
packages+=(ca-certificates)

# Scanners of images find the packages here, as in distroless images; scripts/sbom.py reads them, too.
install -d "$root/var/lib/dpkg/status.d"
for package in $(printf '%s\n' "${packages[@]}" | sort -u); do
    dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/${package%%:*}"
done
install -D -m 644 /etc/os-release "$root/etc/os-release"

install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
# Empty: the Dockerfile makes the user's directories of it, too.
install -d -m 1777 "$root/tmp"
printf 'root:x:0:0:root:/root:/\nslipway:x:1000:1000:slipway:/home/slipway:/\n' >"$root/etc/passwd"
printf 'root:x:0:\nslipway:x:1000:\n' >"$root/etc/group"
printf 'slipway:100000:65536\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"

# In a pod the set-user-id bit does not help: user namespaces are mapped by file capabilities.
if [ "$(id -u)" -eq 0 ]; then
    setcap cap_setuid+ep "$root/usr/bin/newuidmap"
    setcap cap_setgid+ep "$root/usr/bin/newgidmap"
else
    echo "rootfs: newuidmap and newgidmap have no file capabilities, because only root can write them;" \
        "in this image RUN steps of an ordinary user have a single user id" >&2
fi
# The same content gives the same image.
find "$root" -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH:-0}" {} +
