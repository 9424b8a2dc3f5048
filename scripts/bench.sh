#!/usr/bin/env bash
# Measures the service against its baselines, both sides of each in one run.
# Arguments go to the bench program: --only B5,B6 runs a part of it, and its
# --help lists the sizes that can be chosen.
. "$(dirname "$0")/lib.sh"

# wants tells whether one of the benchmarks is to run.
only=B1,B2 # as the program has it
previous=
for argument in "$@"; do
  case $argument in
    --only=* | -only=*) only=${argument#*=} ;;
    *) case $previous in --only | -only) only=$argument ;; esac ;;
  esac
  previous=$argument
done
wants() {
  [ -n "$only" ] || return 0
  local name
  for name in "$@"; do
    case ,$only, in *",$name,"*) return 0 ;; esac
  done
  return 1
}

"$(dirname "$0")/install.sh"
PODS_STATE=${PODS_STATE:-$(mktemp -d /tmp/pods-bench.XXXXXX)}
export PODS_STATE
STATE=$PODS_STATE
trap 'release_cluster; rm -rf "$STATE"' EXIT

if wants B5; then
  say "Building kwok, which simulates nodes (the first time takes some minutes)"
  (cd test/bench/kwok && GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$BIN/kwok" sigs.k8s.io/kwok/cmd/kwok)
fi
if wants B1 B2 B5; then use_cluster; fi
go build -o "$BIN/bench" ./test/bench
"$BIN/bench" --podsd "$BIN/podsd" --kwok "$BIN/kwok" --out "$BIN/bench.json" "$@"
