#!/usr/bin/env bash
# Runs every test: units, those that need Postgres and Redis, those that need a
# cluster, and the whole service end to end, for some of which Traefik and a
# browser visit pods. Arguments go to go test.
. "$(dirname "$0")/lib.sh"

"$(dirname "$0")/install.sh" browser
lifecycle=
own_cluster && lifecycle=1
export PODS_STATE=${PODS_STATE:-$(mktemp -d /tmp/pods-test.XXXXXX)}
STATE=$PODS_STATE
trap 'release_cluster; rm -rf "$STATE"' EXIT

# Images that the end-to-end tests make pods of.
"$(dirname "$0")/databases.sh"
use_cluster
[ -z "$lifecycle" ] || load_images "$BIN/images/postgres.tar" "$BIN/images/redis.tar"
export TEST_KUBECONFIG=$KUBECONFIG TEST_BIN=$BIN TEST_TRAEFIK=$BIN/traefik
# How the tests stop and start parts of the local cluster.
[ -z "$lifecycle" ] || export TEST_CLUSTER=$BIN/cluster

say "Running the tests with the race detector"
# The tests of the whole service stop parts of the cluster, so they come by
# themselves; those of Knative have a script of their own. The files of volumes
# belong to whatever users containers have, and their tests mount file systems:
# that takes root.
mapfile -t packages < <(go list -f '{{.Dir}}/...' -m | xargs go list | grep -vE '/(test/(e2e|podsd|knative)|shared/files)$')
"$BIN/withservers" -- go test -race -timeout 20m "$@" "${packages[@]}"
as_root go test -race -timeout 20m "$@" ./shared/files

say "Measuring the memory of idle WebSockets, without the race detector"
# Compiled as the programs are: nothing is compiled twice.
CGO_ENABLED=0 go test -trimpath -gcflags=all=-dwarf=false -run '^TestIdleWebSockets$' -v ./gateway/proxy

say "Running the end-to-end tests"
as_root env PODS_STATE="$STATE" TEST_KUBECONFIG="$TEST_KUBECONFIG" TEST_BIN="$TEST_BIN" TEST_TRAEFIK="$TEST_TRAEFIK" \
  TEST_CLUSTER="${TEST_CLUSTER:-}" go test -race -timeout 30m -parallel 4 -p 1 ./test/e2e ./test/podsd

if [ -n "$lifecycle" ] && [ -n "$CLUSTER_STARTED" ]; then
  release_cluster
  unset KUBECONFIG
  say "Testing the local cluster itself: up, unclean stop, up, down"
  (cd cluster && GOWORK=off go vet ./... && as_root env CLUSTER_BIN="$BIN" GOWORK=off go test -tags cluster -timeout 20m ./...)
fi
