#!/usr/bin/env bash
# Replays a public tutorial in a cluster: a repository whose images were built by kaniko Pods, and whose manifests Flux bumped and applied.
# Here an agent outside of the cluster does all of that. It ends with pods that answer "This is version 4", as the tutorial does.
#
#   scripts/try-tutorial.sh
#
# KUBECONFIG, REGISTRY, ADDRESS, BASE and SLIPWAY_BINARY are those of scripts/try-install.sh.
#
# SOURCE              the tutorial's repository, a URL or a bundle: https://github.com/bharatmicrosystems/kubernetes-kaniko-nginx
# NGINX               an image to be nginx, listening on port 80. Left out, it is a stand-in: busybox's httpd on port 80, which serves
#                     nginx's directory
# NAMESPACE           web, as in the tutorial
#
# What differs from the tutorial's repository, in every commit:
#   - the image bharamicrosystems/nginx is REGISTRY/…/nginx, in the manifests and as kaniko's destination: only the author can push to his
#   - the namespace web is NAMESPACE, where that is given
# The Dockerfile and kaniko's context are as they were: nginx comes from a mirror of Docker Hub that the configuration names, and the
# repository is served under the path that it has at GitHub.
#
# The replay begins with the commit that adds the namespace. Flux's commits, and the merge of one, are left out: Slipway makes its own. In the
# end, the files are the tutorial's.
set -euo pipefail

name=tutorial
. "$(dirname "$0")/try-cluster.sh"
source=${SOURCE:-https://github.com/bharatmicrosystems/kubernetes-kaniko-nginx}
namespace=${NAMESPACE:-web}
run=tutorial-$(now) # repositories of the registry that no earlier run has put tags into
image=$REGISTRY/$run/nginx
path=bharatmicrosystems/kubernetes-kaniko-nginx.git
first=102b607

taken=$("$kubectl" get namespace "$namespace" --ignore-not-found -o name)
if [ -n "$taken" ]; then
    echo "$name: the cluster has $taken already, and this would remove it at the end: set NAMESPACE to another name" >&2
    end_jobs
    exit 1
fi
cleanup() {
    local status=$?
    if [ $status -ne 0 ]; then
        "$kubectl" -n "$namespace" get pods -o wide || true
        tail -n 40 "$scratch/filter.log" "$scratch/agent.log" "$scratch/sync.log" || true
    fi >&2
    "$kubectl" delete namespace "$namespace" --ignore-not-found --wait=false >/dev/null 2>&1 || true
    end_jobs
}
trap cleanup EXIT

# --- the history, with the registry's name for the image
git clone -q "$source" "$scratch/history"
cd "$scratch/history"
git tag first "$first"
git tag last HEAD
FILTER_BRANCH_SQUELCH_WARNING=1 git filter-branch -f --tag-name-filter cat --tree-filter "
    find . -path ./.git -prune -o -name '*.yaml' -exec sed -i -e 's|bharamicrosystems/nginx|$image|' \
        -e 's|^\( *namespace:\) web\$|\1 $namespace|' {} +
    [ ! -e namespaces/web-ns.yaml ] || sed -i 's|name: web\$|name: $namespace|' namespaces/web-ns.yaml
" -- --all >"$scratch/filter.log" 2>&1
commits=$(git rev-list --reverse --no-merges first..last)

mkdir -p "$scratch/git/$path"
git init -q --bare -b master "$scratch/git/$path"
git push -q "$scratch/git/$path" first^{commit}:refs/heads/master
serve_git
serve_proxy
git clone -q "$scratch/git/$path" "$scratch/work"
cd "$scratch/work"
git remote add history "$scratch/history"
git fetch -q history --tags

# --- nginx, or the stand-in
if [ -n "${NGINX:-}" ]; then
    "$slipway" registry copy "$NGINX" "$REGISTRY/$run/hub/library/nginx:latest" --insecure-registry "$REGISTRY" >/dev/null
else
    mkdir "$scratch/nginx"
    printf 'FROM %s\nRUN mkdir -p /usr/share/nginx/html\nEXPOSE 80\nCMD ["httpd", "-f", "-p", "80", "-h", "/usr/share/nginx/html"]\n' \
        "$REGISTRY/$base" >"$scratch/nginx/Dockerfile"
    "$slipway" build --context "dir://$scratch/nginx" --state-dir "$scratch/state" --insecure-registry "$REGISTRY" --quiet \
        --destination "$REGISTRY/$run/hub/library/nginx:latest" >/dev/null
    say "nginx is a stand-in: the httpd of $REGISTRY/$base"
fi

# --- the agent
cat >"$scratch/agent.yaml" <<END
stateDirectory: $scratch/state
interval: 1h
git: {author: {name: Slipway, email: slipway@example.com}}
cluster: {kubeconfig: $KUBECONFIG}
registries:
  - {host: "$REGISTRY", insecure: true}
  - {host: docker.io, mirrors: ["$REGISTRY/$run/hub"], fallback: false}
repositories:
  - name: tutorial
    url: git://$ADDRESS:$port/$path
    branch: master
    # Not all of workloads: kaniko's Pod is there at first, which Slipway reads, and which must not run.
    apply:
      paths: [namespaces, workloads/nginx-deployment.yaml, workloads/nginx-service.yaml]
      namespace: $namespace
      timeout: 2m
END
"$slipway" config check --config "$scratch/agent.yaml"
begin=$(now)
"$slipway" agent --config "$scratch/agent.yaml" >"$scratch/agent.log" 2>&1 &
jobs_+=($!)
for _ in $(seq 300); do
    "$slipway" status --config "$scratch/agent.yaml" >/dev/null 2>&1 && break
    sleep 0.1
done

# --- the replay
sync() { # TEXT: what a pod answers after it
    "$slipway" sync --config "$scratch/agent.yaml" >"$scratch/sync.log" 2>&1 &
    local sync=$!
    await "$namespace" nginx-service "$1"
    local milliseconds
    milliseconds=$(since "$begin")
    wait $sync
    cat "$scratch/sync.log"
    git pull -q --rebase origin master
    grep -qx "Waiting for $(git rev-parse --short=7 HEAD) to be applied ..." "$scratch/sync.log"
    grep -qx "Done." "$scratch/sync.log"
    if [ "$1" = "$answered" ]; then say "pods still answer '$1'"; else say "a pod answers '$1' after $milliseconds ms"; fi
    answered=$1
}
answered=
sync "This is version 3"
for commit in $commits; do
    [ "$(git log -1 --format=%an "$commit")" != bharatmicrosystems ] || continue
    git cherry-pick "$commit" >/dev/null
    say "push of '$(git log -1 --format=%s)', $(git rev-parse --short=7 HEAD)"
    begin=$(now)
    git push -q origin HEAD:master
    sync "This is version 4"
done

git --no-pager log --format='%h %an: %s' first..
git --no-pager diff --exit-code last HEAD || { say "the files are not the tutorial's" >&2 && exit 1; }
say "the files are the tutorial's"
tail -n 40 "$scratch/sync.log" | grep -x "Waiting for .* to be applied ...\|Done."
await "$namespace" nginx-service "This is version 4"
say "a pod answers 'This is version 4'"
