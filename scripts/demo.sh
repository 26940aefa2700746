#!/usr/bin/env bash
# The whole loop on an embedded default: a bare git repository, a base image made from the machine's own static busybox, and
# an OCI layout on disk as the registry. Nothing leaves this directory's temporary folder, and it is removed at the end.
#
#   scripts/demo.sh --agent    goes on with an agent on the demo's repository, until Ctrl-C: its pages are at 127.0.0.1:8080, or PORT
set -euo pipefail

slipway=${SLIPWAY_BINARY:?the path of the slipway binary}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/slipway-demo.XXXXXX")
agent=
cleanup() {
    [ -z "$agent" ] || { kill "$agent" 2>/dev/null && wait "$agent" 2>/dev/null; } || true
    # Unpacked images may hold directories that their owner cannot list.
    chmod -R u+rwX "$scratch" 2>/dev/null || true
    rm -rf --one-file-system "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

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

[ "${1:-}" = --agent ] || exit 0

title "slipway agent, on the same repository"
cat >"$scratch/agent.yaml" <<YAML
stateDirectory: $scratch/state
listen: 127.0.0.1:${PORT:-8080}
interval: 5s
registries:
  - {host: docker.io, map: ["oci:$scratch/images"]}
repositories:
  - {name: app, url: "file://$scratch/acme/app.git", branch: main}
YAML
cat "$scratch/agent.yaml"
"$slipway" agent --config "$scratch/agent.yaml" --log-format json 2>"$scratch/agent.log" &
agent=$!
# until_ COMMAND...: asks again every fifth of a second, for a minute.
until_() {
    local i
    for ((i = 0; i < 300; i++)); do
        if "$@"; then return; fi
        kill -0 "$agent" 2>/dev/null || break
        sleep 0.2
    done
    cat "$scratch/agent.log" >&2
    exit 1
}
listens() { port=$(sed -n 's/.*"port":"\{0,1\}\([0-9]*\).*/\1/p' "$scratch/agent.log" | head -1) && [ -n "$port" ]; }
until_ listens

title "A third version, for the agent to find by itself"
git -C "$scratch/work" pull -q "$scratch/acme/app.git" main
echo "Hello from the agent, with a third version." >"$scratch/work/app/greeting.txt"
git -C "$scratch/work" commit -qam "Greet a third time"
git -C "$scratch/work" push -q "$scratch/acme/app.git" main
committed() { git -C "$scratch/acme/app.git" log --format=%s main | sed -n '1{/v3/p}' | grep -q .; }
until_ committed
history

title "The pages are at http://127.0.0.1:$port/"
echo "Commit to $scratch/work and push to $scratch/acme/app.git to see more. Ctrl-C ends the agent and removes all of it."
wait "$agent"
