#!/usr/bin/env bash
# Stops whatever an earlier run has left: the service, its servers, the cluster.
. "$(dirname "$0")/lib.sh"

if [ -x "$BIN/podsd" ] && [ -d "$STATE" ]; then
  PODS_STATE=$STATE "$BIN/podsd" stop
fi
if own_cluster && [ -x "$BIN/cluster" ]; then
  cluster down
fi
say "Nothing is running any more. Data stays in $STATE; remove it with: make clean"
