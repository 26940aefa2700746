#!/usr/bin/env bash
# Pictures of the agent's pages, in out/screenshots: a real agent with repositories that are well, that wait, and that fail; each page in
# headless Chromium at two widths, light and dark.
#
#   scripts/screenshots.sh --serve    starts the agent and leaves it running, until Ctrl-C
set -euo pipefail

slipway=${SLIPWAY_BINARY:?the path of the slipway binary}
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/slipway-pages.XXXXXX")
agent=
cleanup() {
    [ -z "$agent" ] || { kill "$agent" 2>/dev/null && wait "$agent" 2>/dev/null; } || true
    chmod -R u+rwX "$scratch" 2>/dev/null || true
    rm -rf --one-file-system "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

export HOME="$scratch/home" GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME="A Developer" GIT_AUTHOR_EMAIL=dev@example.com
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"
mkdir -p "$HOME" "$scratch/base/bin"

# A base image from this machine's own busybox.
cp "$(command -v busybox)" "$scratch/base/bin/busybox"
for applet in sh cat ls wc seq echo printf sleep; do ln -s busybox "$scratch/base/bin/$applet"; done
printf 'FROM scratch\nCOPY . /\nCMD ["/bin/sh"]\n' >"$scratch/base.Dockerfile"
"$slipway" build --state-dir "$scratch/base-state" --context "dir://$scratch/base" --dockerfile "$scratch/base.Dockerfile" \
    --destination "oci:$scratch/images/library/busybox:1.0" --quiet

# repository NAME DOCKERFILE-LINES...: a bare repository with an application, its pipeline and its Deployment.
repository() {
    local name=$1 work="$scratch/work/$1"
    shift
    mkdir -p "$scratch/acme" "$work/app" "$work/deploy"
    git init -q --bare --initial-branch=main "$scratch/acme/$name.git"
    git init -q --initial-branch=main "$work"
    printf '%s\n' "FROM busybox:1.0" "$@" >"$work/app/Dockerfile"
    echo "Hello from $name." >"$work/app/greeting.txt"
    cat >"$work/.slipway.yaml" <<YAML
builds:
  - name: web
    context: app
    destinations: [registry.example.com/acme/$name]
    tags: ["v{build.number}"]
YAML
    cat >"$work/deploy/web.yaml" <<YAML
apiVersion: apps/v1
kind: Deployment
metadata:
  name: $name
  namespace: default
  annotations:
    slipway.dev/automated: "true"
    slipway.dev/tag.web: glob:v*
spec:
  template:
    spec:
      containers:
        - name: web
          image: registry.example.com/acme/$name:v0
YAML
    git -C "$work" add -A
    git -C "$work" commit -qm "Add $name and its Deployment"
    git -C "$work" push -q "$scratch/acme/$name.git" main
}
repository shop "COPY . /srv" 'RUN for i in $(seq 40); do printf "compiling \033[36mmodule %s\033[0m of 40 \033[32mok\033[0m\n" $i; done'
repository docs-site "COPY greeting.txt /srv/" "RUN wc /srv/greeting.txt"
repository payments "COPY . /srv" 'RUN printf "\033[1;31m--- FAIL:\033[0m TestRefundRounding\n"; exit 1'
repository identity "COPY . /srv" 'RUN echo "waiting for the compiler"; sleep 600'

cat >"$scratch/agent.yaml" <<YAML
stateDirectory: $scratch/state
listen: 127.0.0.1:${PORT:-0}
interval: 10s
builds: {concurrency: 2}
registries:
  - {host: docker.io, map: ["oci:$scratch/images"]}
  - {host: registry.example.com, map: ["oci:$scratch/images"]}
repositories:
  - {name: shop, url: "file://$scratch/acme/shop.git", branch: main}
  - {name: docs-site, url: "file://$scratch/acme/docs-site.git", branch: main}
  - {name: payments, url: "file://$scratch/acme/payments.git", branch: main}
  - {name: identity, url: "file://$scratch/acme/identity.git", branch: main}
  - {name: mobile-gateway, url: "file://$scratch/acme/nowhere.git", branch: main}
YAML
"$slipway" agent --config "$scratch/agent.yaml" --log-format json 2>"$scratch/log" &
agent=$!

# until WHAT COMMAND...: asks again every tenth of a second, a minute long.
until_() {
    local what=$1 i
    shift
    for ((i = 0; i < 600; i++)); do
        if "$@" >/dev/null 2>&1; then return; fi
        kill -0 "$agent" 2>/dev/null || break
        sleep 0.1
    done
    echo "screenshots: $what did not happen; the agent's log:" >&2
    cat "$scratch/log" >&2
    exit 1
}
listens() { port=$(sed -n 's/.*"port":"\{0,1\}\([0-9]*\).*/\1/p' "$scratch/log" | head -1) && [ -n "$port" ]; }
until_ "listening" listens
base="http://127.0.0.1:$port"
status() { curl -fsS "$base/api/v1/status"; }
settled() {
    status | python3 -c '
import json, sys
states = {r["repository"]: r["state"] for r in json.load(sys.stdin)["repositories"]}
wanted = {"shop": "ok", "docs-site": "ok", "payments": "stalled", "identity": "building", "mobile-gateway": "failing"}
sys.exit(states != wanted)'
}
until_ "each repository's state" settled

if [ "${1:-}" = --serve ]; then
    echo "The pages are at $base/. Ctrl-C ends the agent."
    wait "$agent"
    exit
fi

newest() {
    curl -fsS "$base/api/v1/repositories/$1/builds" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["builds"][0]["id"])'
}
# The digest of a repository's newest image, and the place of its Deployment that has it.
image() {
    curl -fsS "$base/api/v1/images" | python3 -c '
import json, sys
print([i["digest"] for i in json.load(sys.stdin)["images"] if i["repository"] == sys.argv[1]][-1])' "$1"
}
place() {
    curl -fsS "$base/api/v1/repositories/$1/policies" | python3 -c '
import json, sys, urllib.parse
subjects = [p["subject"].split()[0] for p in json.load(sys.stdin)["policies"]]
print(urllib.parse.quote([s for s in subjects if s.startswith("deploy/")][0], safe=""))'
}
out="$root/out/screenshots"
mkdir -p "$out"
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
    { echo "chromium is missing: run scripts/install-deps.sh --test" >&2; exit 1; }
shoot() {
    local name=$1 address=$2 width=$3 scheme=$4 height=$5
    local flags=()
    [ "$scheme" = light ] || flags+=(--blink-settings=preferredColorScheme=0)
    "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$scratch/chromium" \
        --window-size="$width,$height" --screenshot="$out/$name-$width-$scheme.png" "${flags[@]}" "$base$address" \
        >"$scratch/chromium.log" 2>&1 || { cat "$scratch/chromium.log" >&2; exit 1; }
    echo "$out/$name-$width-$scheme.png"
}
for scheme in light dark; do
    for width in 1280 390; do
        shoot fleet / "$width" "$scheme" 1200
        shoot repository /repositories/shop "$width" "$scheme" 1600
        shoot build /builds/"$(newest shop)" "$width" "$scheme" 1600
        shoot build-failed /builds/"$(newest payments)" "$width" "$scheme" 1400
        shoot image "/images/$(image shop)" "$width" "$scheme" 1200
        shoot policy "/repositories/shop/policies/$(place shop)" "$width" "$scheme" 1000
        shoot not-found /repositories/nobody "$width" "$scheme" 800
    done
done
