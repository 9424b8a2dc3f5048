#!/usr/bin/env bash
# Measures the service against plain Kubernetes on the same cluster, both sides
# in one run. Arguments go to the bench program.
. "$(dirname "$0")/lib.sh"

"$(dirname "$0")/install.sh"
PODS_STATE=${PODS_STATE:-$(mktemp -d /tmp/pods-bench.XXXXXX)}
export PODS_STATE
STATE=$PODS_STATE
trap 'release_cluster; rm -rf "$STATE"' EXIT

use_cluster
go run ./test/bench --podsd "$BIN/podsd" --out "$PWD/bin/bench.json" "$@"
