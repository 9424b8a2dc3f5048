# What the scripts for the Knative deployment share: which cluster, which
# overlay, and a say before anything happens to a cluster of somebody's. Sourced
# after lib.sh.

OVERLAY=${OVERLAY:-local}
[ -d "config/knative/overlays/$OVERLAY" ] ||
  fail "there is no overlay $OVERLAY: set OVERLAY to one of $(ls config/knative/overlays | tr '\n' ' ')"
DEPLOY=$STATE/deploy/$OVERLAY

kubectl() {
  if [ -x "$BIN/kube" ]; then "$BIN/kube" kubectl "$@"; else command kubectl "$@"; fi
}

# in_service runs kubectl in the namespace of the functions.
in_service() { kubectl --namespace pods-service "$@"; }

# identity prints what tells a cluster from others, for a kubeconfig.
identity() {
  kubectl --kubeconfig "$1" config view --minify --raw \
    --output 'jsonpath={.clusters[0].cluster.server} {.clusters[0].cluster.certificate-authority-data}'
}

# is_local tells whether the chosen cluster is the one on this machine, also
# when KUBECONFIG names it.
is_local() {
  local own
  own=$(cluster kubeconfig 2>/dev/null) || return 1
  [ "$(identity "$KUBECONFIG")" = "$(as_root cat "$own" | identity /dev/stdin)" ]
}

# choose_cluster exports KUBECONFIG, that of the local cluster unless another is
# set, and ends the script unless CONFIRM allows what is to happen elsewhere.
choose_cluster() {
  local what=$1 context
  if own_cluster; then
    mkdir -p "$STATE"
    export KUBECONFIG=$STATE/kubeconfig
    # A copy, so that a user who is not root can read it.
    as_root cat "$(cluster kubeconfig)" | install -m 600 /dev/stdin "$KUBECONFIG"
    return
  fi
  if is_local; then return; fi
  context=$(kubectl config current-context)
  [ "${CONFIRM:-}" = "$context" ] ||
    fail "$what would change the cluster of the context $context. To allow it: CONFIRM=$context make $what"
}
