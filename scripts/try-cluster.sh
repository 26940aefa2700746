# What scripts/try-install.sh and scripts/try-tutorial.sh have in common; they source it. It needs KUBECONFIG, REGISTRY, ADDRESS and
# SLIPWAY_BINARY, and `name`, which begins each line that `say` prints.
#
# Afterwards: $root, $scratch (removed at the end), $slipway, $kubectl and $proxy, the port of an API server's proxy on this machine.

: "${KUBECONFIG:?the cluster}" "${REGISTRY:?a registry, HOST:PORT}" "${ADDRESS:?an address of this machine that pods reach}"
slipway=${SLIPWAY_BINARY:?the path of the slipway binary}
base=${BASE:-busybox:1.35}
kubectl=${KUBECTL:-kubectl}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/slipway-$name.XXXXXX")
export HOME=$scratch
export GIT_AUTHOR_NAME="A Developer" GIT_AUTHOR_EMAIL=dev@example.com
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"

jobs_=()
end_jobs() {
    for job in "${jobs_[@]}"; do kill "$job" 2>/dev/null || true; done
    for job in "${jobs_[@]}"; do wait "$job" 2>/dev/null || true; done
    # Unpacked images may hold directories that their owner cannot list.
    chmod -R u+rwX "$scratch" 2>/dev/null || true
    rm -rf --one-file-system "$scratch"
}

say() { echo "$name: $*"; }
now() { date +%s%N; }
since() { echo $((($(now) - $1) / 1000000)); } # milliseconds

# A git server outside of the cluster, for what is below $scratch/git: git://$ADDRESS:$port/
port=$((20000 + RANDOM % 10000))
serve_git() {
    git daemon --reuseaddr --export-all --enable=receive-pack --base-path="$scratch/git" --listen="$ADDRESS" --port=$port \
        >"$scratch/git.log" 2>&1 &
    jobs_+=($!)
}

# Services are asked through the API server, so that it works with any cluster.
proxy=$((30000 + RANDOM % 2000))
serve_proxy() {
    "$kubectl" proxy --port=$proxy >"$scratch/proxy.log" 2>&1 &
    jobs_+=($!)
}
service() { echo "http://127.0.0.1:$proxy/api/v1/namespaces/$1/services/$2/proxy"; } # NAMESPACE NAME
await() {                                                                             # NAMESPACE NAME TEXT: until the service answers it
    local answer
    for _ in $(seq 1200); do
        answer=$(curl -sf -m 2 "$(service "$1" "$2")/" 2>/dev/null || true)
        [ "$answer" = "$3" ] && return
        sleep 0.05
    done
    echo "$name: the pod says '$answer', not '$3'" >&2
    return 1
}
