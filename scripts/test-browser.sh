#!/usr/bin/env bash
# Logs in at pods of a running service with a real browser.
. "$(dirname "$0")/lib.sh"

"$(dirname "$0")/install.sh" browser
export PODS_STATE=${PODS_STATE:-$(mktemp -d /tmp/pods-test.XXXXXX)}
STATE=$PODS_STATE
trap 'release_cluster; rm -rf "$STATE"' EXIT

use_cluster
export TEST_KUBECONFIG=$KUBECONFIG TEST_BIN=$BIN
go test -race -timeout 10m -tags browser -run TestBrowser -v ./test/e2e
