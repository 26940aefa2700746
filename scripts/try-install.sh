#!/usr/bin/env bash
# Installs Slipway into a cluster as docs/install.md says, and follows a push to a git server outside of the cluster up to the
# answer of the new pod, twice. Everything is removed at the end.
#
#   scripts/try-install.sh manifest     kubectl apply -f install.yaml and one Secret
#   scripts/try-install.sh helm         helm install
#
# KUBECONFIG          the cluster
# REGISTRY            a registry, plain HTTP, from which its nodes pull without more configuration: 10.77.0.2:5000
# BASE                an image there that has busybox's httpd: busybox:1.35
# ADDRESS             an address of this machine that pods reach: 10.77.0.1
# SLIPWAY_BINARY      the release binary
# NAMESPACE           slipway
# VALUES              more values for helm, a file
# PROFILE             securityProfile of the chart, for helm
set -euo pipefail

how=${1:?manifest or helm}
name=install
. "$(dirname "$0")/try-cluster.sh"
namespace=${NAMESPACE:-slipway}
apps=$namespace-apps

cleanup() {
    local status=$?
    if [ $status -ne 0 ]; then
        "$kubectl" -n "$namespace" get pods -o wide || true
        "$kubectl" -n "$namespace" describe pods | sed -n '/^Events/,$p' || true
        "$kubectl" -n "$namespace" logs deployment/slipway --tail=40 || true
    fi >&2
    if [ "$how" = helm ]; then "$helm" -n "$namespace" uninstall slipway >/dev/null 2>&1 || true; fi
    "$kubectl" delete namespace "$namespace" "$apps" --ignore-not-found --wait=false >/dev/null 2>&1 || true
    end_jobs
}
trap cleanup EXIT
helm=${HELM:-$root/.build-venv/bin/helm}

# --- outside of the cluster: a git server, a repository, Slipway's image in the registry
git init -q --bare -b main "$scratch/git/shop.git"
serve_git
git clone -q "$scratch/git/shop.git" "$scratch/work" 2>/dev/null
cd "$scratch/work"
mkdir app deploy
printf 'FROM %s\nCOPY index.html /www/\nRUN ["/bin/sh", "-c", "echo built >> /www/how.txt"]\nCMD ["httpd", "-f", "-p", "8080", "-h", "/www"]\n' \
    "$REGISTRY/$base" >app/Dockerfile
echo "This is version 1" >app/index.html
cat >.slipway.yaml <<END
builds:
  - {name: shop, context: app, destinations: ["$REGISTRY/$namespace/shop"], tags: ["v{build.number}"]}
END
cat >deploy/web.yaml <<END
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: $apps
  annotations: {fluxcd.io/automated: "true", fluxcd.io/tag.web: "glob:v*"}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: $REGISTRY/$namespace/shop:v0
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: $apps}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
END
git add -A && git commit -qm "Add the shop" && git push -q origin HEAD:main
cd "$root"

image=$("$root/scripts/image.sh" "try" "$scratch/image")
digest=$("$slipway" registry copy "$image" "$REGISTRY/slipway:try" --insecure-registry "$REGISTRY" | tail -n 1)

# --- the installation
cat >"$scratch/agent.yaml" <<END
stateDirectory: /var/lib/slipway
listen: 0.0.0.0:8080
interval: 1h
git: {author: {name: Slipway, email: slipway@example.com}}
registries: [{host: "$REGISTRY", insecure: true}]
webhooks:
  receivers: [{type: github, secretFile: /etc/slipway/webhook}]
repositories:
  - name: shop
    url: git://$ADDRESS:$port/shop.git
    branch: main
    apply: {paths: [deploy], namespace: $apps}
END
printf 'a secret of both sides' >"$scratch/webhook"
begin=$(now)
case $how in
manifest)
    IMAGE=$REGISTRY/slipway@$digest NAMESPACE=$namespace "$root/scripts/manifests.sh" --install "$scratch/install.yaml"
    "$kubectl" apply -f "$scratch/install.yaml"
    "$kubectl" -n "$namespace" create secret generic slipway-config --from-file="$scratch/agent.yaml" \
        --from-file="$scratch/webhook"
    ;;
helm)
    "$kubectl" create namespace "$namespace"
    "$kubectl" create namespace "$apps"
    "$kubectl" -n "$namespace" create secret generic slipway-config --from-file="$scratch/agent.yaml" \
        --from-file="$scratch/webhook"
    "$helm" -n "$namespace" install slipway "$root/config/chart" --set existingConfig.secret=slipway-config \
        --set "apply.namespaces={$apps}" --set "image.repository=$REGISTRY/slipway" --set "image.digest=$digest" \
        --set "securityProfile=${PROFILE:-default}" ${VALUES:+--values "$VALUES"}
    ;;
*)
    echo "usage: scripts/try-install.sh manifest|helm" >&2
    exit 64
    ;;
esac
"$kubectl" -n "$namespace" rollout status deployment/slipway --timeout=120s
say "ready $(since "$begin") ms after the installation began"
"$kubectl" -n "$namespace" exec deployment/slipway -- slipway doctor --config /etc/slipway/agent.yaml || true

serve_proxy
webhook() {
    local body="{\"ref\":\"refs/heads/main\",\"repository\":{\"clone_url\":\"git://$ADDRESS:$port/shop.git\",\"full_name\":\"shop\"}}"
    local signature
    signature=$(printf '%s' "$body" | openssl dgst -sha256 -hmac "$(cat "$scratch/webhook")" | awk '{ print $NF }')
    curl -sf -X POST "$(service "$namespace" slipway:http)/webhooks/github" \
        -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' -H "X-GitHub-Delivery: $RANDOM-$RANDOM" \
        -H "X-Hub-Signature-256: sha256=$signature" -d "$body" >/dev/null
}

await "$apps" web "This is version 1"
say "version 1 answers $(since "$begin") ms after the installation began"
for version in 2 3; do
    git -C "$scratch/work" pull -q --rebase origin main
    echo "This is version $version" >"$scratch/work/app/index.html"
    git -C "$scratch/work" commit -qam "Version $version"
    git -C "$scratch/work" push -q origin HEAD:main
    pushed=$(now)
    webhook
    await "$apps" web "This is version $version"
    say "version $version answers $(since "$pushed") ms after the push"
done
git -C "$scratch/work" pull -q --rebase origin main
git -C "$scratch/work" log --format='%an: %s'
grep -q "image: $REGISTRY/$namespace/shop:v" "$scratch/work/deploy/web.yaml"
say "done"
