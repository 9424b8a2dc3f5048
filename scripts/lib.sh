# What the scripts share: where things are, how to become root, how to say what
# is happening. Sourced by bash with the repository root as working directory.

set -euo pipefail

BIN=$PWD/bin
if [ "$(id -u)" = 0 ]; then
  STATE=${PODS_STATE:-/var/lib/pods}
else
  STATE=${PODS_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/pods}
fi

# say prints one line of progress.
say() { printf '\033[1m==>\033[0m %s\n' "$*"; }

# fail prints what is wrong and ends the script.
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# as_root runs a command as root, through sudo where needed. In a trap a return
# without a status would give the one from before the trap.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return $?; fi
  command -v sudo >/dev/null || fail "this step needs root: run make as root, or install sudo"
  # sudo has a PATH of its own, on which Go need not be.
  sudo --preserve-env=GOPATH,GOMODCACHE,GOCACHE,GOPROXY,GOFLAGS,HOME env "PATH=$PATH" "$@"
}

cluster() { as_root "$BIN/cluster" "$@"; }

# start_cluster installs what the local cluster needs and starts it. Arguments
# go to cluster up, which leaves a cluster that runs alone.
start_cluster() {
  cluster install
  cluster up "$@"
}

# own_cluster tells whether the local cluster is to be used. An explicit
# KUBECONFIG means that somebody else's is.
own_cluster() { [ -z "${KUBECONFIG:-}" ]; }

# use_cluster makes a cluster available and exports KUBECONFIG. It sets
# CLUSTER_STARTED to 1 when this call has started the local one.
CLUSTER_STARTED=
use_cluster() {
  if ! own_cluster; then
    say "Using the cluster of KUBECONFIG=$KUBECONFIG"
    return
  fi
  if ! cluster status >/dev/null 2>&1; then
    say "Starting Kubernetes on this machine"
    CLUSTER_STARTED=1
    start_cluster
  fi
  cluster load "$BIN/hello.tar"
  mkdir -p "$STATE"
  export KUBECONFIG=$STATE/kubeconfig
  # A copy, so that a user who is not root can read it.
  as_root cat "$(cluster kubeconfig)" | install -m 600 /dev/stdin "$KUBECONFIG"
}

# load_images loads images that the running cluster does not have yet. A new
# cluster knows nothing of what an old one had.
load_images() {
  local id tar stamp is
  id=$(cluster kubectl get namespace kube-system -o 'jsonpath={.metadata.uid}')
  for tar in "$@"; do
    stamp=$BIN/images/$(basename "$tar").loaded
    is="$id $(stat -c '%Y %s' "$tar")"
    [ "$(cat "$stamp" 2>/dev/null)" != "$is" ] || continue
    cluster load "$tar"
    echo "$is" >"$stamp"
  done
}

# release_cluster stops the local cluster if use_cluster has started it.
release_cluster() {
  [ -n "$CLUSTER_STARTED" ] || return 0
  CLUSTER_STARTED=
  say "Stopping Kubernetes"
  cluster down
}

# stop_process ends a child of this shell, gently, then after 30 seconds by
# force.
stop_process() {
  local pid=$1
  kill -TERM "$pid" 2>/dev/null || return 0
  for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || { wait "$pid" 2>/dev/null || true; return 0; }
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
}
