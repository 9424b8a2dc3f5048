#!/usr/bin/env bash
# Measures the service against its baselines, both sides of each in one run.
# Arguments go to the bench program: --only B5,B6 runs a part of it, and its
# --help lists the sizes that can be chosen.
. "$(dirname "$0")/lib.sh"

go build -o "$BIN/bench" ./test/bench
wanted=$("$BIN/bench" --list "$@")
# wants tells whether a benchmark is to run.
wants() { grep -qw "$1" <<<"$wanted"; }

"$(dirname "$0")/install.sh"
PODS_STATE=${PODS_STATE:-$(mktemp -d /tmp/pods-bench.XXXXXX)}
export PODS_STATE
STATE=$PODS_STATE
trap 'release_cluster; rm -rf "$STATE"' EXIT

if wants B5; then
  say "Building kwok, which simulates nodes (the first time takes some minutes)"
  (cd test/bench/kwok && GOWORK=off CGO_ENABLED=0 go build -trimpath -gcflags=all=-dwarf=false -ldflags '-s -w' -o "$BIN/kwok" sigs.k8s.io/kwok/cmd/kwok)
fi
if wants B3; then
  say "Building Traefik, to compare with (the first time takes some minutes)"
  make -s bin/traefik
fi
if wants B4; then # the program as it is deployed
  CGO_ENABLED=0 go build -trimpath -pgo=images/build/api.pgo -gcflags=all=-dwarf=false -ldflags '-s -w' -o "$BIN/api" ./functions/api
fi
if wants B1 || wants B5 || wants B7; then use_cluster; fi
"$BIN/bench" --podsd "$BIN/podsd" --api "$BIN/api" --kwok "$BIN/kwok" --traefik "$BIN/traefik" --out "$BIN/bench.json" "$@"
