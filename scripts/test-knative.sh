#!/usr/bin/env bash
# Deploys the service on Knative, to the cluster on this machine, and runs the
# end-to-end tests there, then those of what only Knative has. What it has
# started it takes down again. Arguments go to go test.
#
#   CREATES=200   pods that are created while each part is killed
. "$(dirname "$0")/lib.sh"

own_cluster || fail "these tests kill parts of Knative, so they use the cluster on this machine alone: unset KUBECONFIG"
"$(dirname "$0")/install.sh" node
export PODS_STATE=${PODS_STATE:-$(mktemp -d /tmp/pods-test.XXXXXX)}
STATE=$PODS_STATE

undeploy=
finish() {
  [ -z "$undeploy" ] || KUBECONFIG= "$(dirname "$0")/undeploy.sh"
  release_cluster
  rm -rf "$STATE"
}
trap finish EXIT
if ! cluster status >/dev/null 2>&1; then
  CLUSTER_STARTED=1
elif ! cluster kubectl get namespace pods-service >/dev/null 2>&1; then
  undeploy=1
fi

"$(dirname "$0")/deploy.sh"
use_cluster
settings=(TEST_KUBECONFIG="$KUBECONFIG" TEST_TARGET=knative TEST_CREATES="${CREATES:-}")

say "Having the API server and Knative check the manifests"
env "${settings[@]}" go test -race -count=1 -tags knative -run TestDryRun ./test/manifests

say "Running the end-to-end tests on Knative, but for TestReach and TestBrowser: they need podsd, and make test runs them"
env "${settings[@]}" go test -race -count=1 -timeout 30m -parallel 4 -skip '^(TestReach|TestBrowser)$' "$@" ./test/e2e

say "Running the tests of what only Knative has"
# They kill processes in containers, of six parts one after another. A pod takes
# two cores some three seconds.
limit=$((30 + 6 * ${CREATES:-200} * 5 / 60))m
as_root env "${settings[@]}" go test -race -v -count=1 -timeout "$limit" "$@" ./test/knative
