#!/usr/bin/env bash
# The whole loop on an embedded default: a bare git repository, a base image made from the machine's own static busybox, and
# an OCI layout on disk as the registry. Nothing leaves this directory's temporary folder, and it is removed at the end.
set -euo pipefail

slipway=${SLIPWAY_BINARY:?the path of the slipway binary}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/slipway-demo.XXXXXX")
cleanup() {
    # Unpacked images may hold directories that their owner cannot list.
    chmod -R u+rwX "$scratch" 2>/dev/null || true
    rm -rf --one-file-system "$scratch"
}
trap cleanup EXIT

export HOME="$scratch/home" GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME="A Developer" GIT_AUTHOR_EMAIL=dev@example.com
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"
mkdir -p "$HOME"

title() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
[ -t 1 ] || title() { printf '\n== %s\n' "$*"; }

title "A base image from this machine's own busybox"
busybox=$(command -v busybox) || { echo "busybox is missing: run scripts/install-deps.sh --demo" >&2; exit 1; }
mkdir -p "$scratch/base/bin"
cp "$busybox" "$scratch/base/bin/busybox"
for applet in sh cat ls wc; do ln -s busybox "$scratch/base/bin/$applet"; done
printf 'FROM scratch\nCOPY . /\nCMD ["/bin/sh"]\n' >"$scratch/base.Dockerfile"
"$slipway" build --state-dir "$scratch/state" --context "dir://$scratch/base" --dockerfile "$scratch/base.Dockerfile" \
    --destination "oci:$scratch/images/library/busybox:1.0" --quiet

title "An application and its Deployment, committed to a bare repository"
# The kaniko Job names the repository by owner and name.
mkdir "$scratch/acme"
git init -q --bare --initial-branch=main "$scratch/acme/app.git"
git init -q --initial-branch=main "$scratch/work"
cp -r "$(dirname "$0")/../config/demo/." "$scratch/work/"
git -C "$scratch/work" add -A
git -C "$scratch/work" commit -qm "Add the application and its Deployment"
git -C "$scratch/work" push -q "$scratch/acme/app.git" main
git -C "$scratch/work" log --oneline -1

sync() {
    "$slipway" sync --repo "file://$scratch/acme/app.git" --branch main --registry-map "docker.io=oci:$scratch/images" \
        --state-dir "$scratch/state"
}
history() { git -C "$scratch/acme/app.git" --no-pager log --format='%h  %<(12)%an %s' main; }

title "slipway sync: the commit becomes an image, the image becomes a commit"
sync
title "The history now"
history

title "A developer changes the application"
git -C "$scratch/work" pull -q "$scratch/acme/app.git" main
echo "Hello again, with a second version." >"$scratch/work/app/greeting.txt"
git -C "$scratch/work" commit -qam "Greet again"
git -C "$scratch/work" push -q "$scratch/acme/app.git" main
git -C "$scratch/work" log --oneline -1

title "slipway sync"
sync
title "The history now"
history

title "slipway sync, with nothing new"
sync
