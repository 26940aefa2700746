#!/usr/bin/env bash
# Renders the manifests that people apply without Helm from the chart, so that they cannot differ from it:
#
#   config/install.yaml                  kubectl apply -f: the namespace and all in it; the configuration comes from a Secret
#   config/cluster/base/slipway.yaml     the same for kustomize, which makes the ConfigMap
#
#   scripts/manifests.sh               renders them
#   scripts/manifests.sh --check       fails where they are not what the chart renders
#   IMAGE=registry.example.com/slipway@sha256:… scripts/manifests.sh --install FILE
#                                      install.yaml alone, with that image, in the namespace NAMESPACE
set -euo pipefail
cd "$(dirname "$0")/.."

helm=${HELM:-.build-venv/bin/helm}
[ -x "$helm" ] || helm=$(command -v helm) || {
    echo "manifests: helm is missing: run scripts/install-deps.sh --release, or set HELM" >&2
    exit 1
}

head='# Rendered from config/chart by scripts/manifests.sh: change the chart, and run that again.'
namespace=${NAMESPACE:-slipway}
# What is rendered has to suit old and new clusters.
render() { "$helm" template slipway config/chart --namespace "$namespace" --kube-version 1.29 "$@" 2>/dev/null | grep -v '^# Source: '; }
version=$(sed -n 's/^appVersion: //p' config/chart/Chart.yaml)

install() {
    local image=${IMAGE:-}
    local -a set=(--set existingConfig.secret=slipway-config --set "apply.namespaces={$namespace-apps}" --set apply.createNamespaces=true)
    case $image in
    '') ;;
    *@sha256:*) set+=(--set "image.repository=${image%@*}" --set "image.digest=${image#*@}") ;;
    *) set+=(--set "image.repository=${image%:*}" --set "image.tag=${image##*:}") ;;
    esac
    cat <<END
$head
#
# Slipway in the namespace $namespace, with the right to apply manifests to the namespace $namespace-apps. Its configuration and its
# credentials are files of the Secret slipway-config, mounted at /etc/slipway:
#
#   kubectl apply -f install.yaml
#   kubectl -n $namespace create secret generic slipway-config --from-file=agent.yaml --from-file=identity --from-file=known_hosts
#
# docs/install.md has examples.
apiVersion: v1
kind: Namespace
metadata:
  name: $namespace
  labels:
    app.kubernetes.io/name: slipway
    # Slipway needs nothing that "baseline" forbids.
    pod-security.kubernetes.io/enforce: baseline
END
    render "${set[@]}"
}

base() {
    echo "$head"
    render --set existingConfig.configMap=slipway-config --set git.existingSecret=slipway-git \
        --set registry.existingSecret=slipway-registry --set image.repository=slipway --set "image.tag=$version"
}

case ${1:-} in
'')
    install >config/install.yaml
    base >config/cluster/base/slipway.yaml
    ;;
--install) install >"${2:?the file to write}" ;;
--check)
    status=0
    diff -u config/install.yaml <(install) || status=1
    diff -u config/cluster/base/slipway.yaml <(base) || status=1
    [ $status -eq 0 ] || echo "manifests: they are not what config/chart renders: run scripts/manifests.sh" >&2
    exit $status
    ;;
*)
    echo "usage: scripts/manifests.sh [--check | --install FILE]" >&2
    exit 64
    ;;
esac
