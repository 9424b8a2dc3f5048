#!/usr/bin/env bash
# Brings the service up, runs its main job once, and stays until Ctrl-C.
. "$(dirname "$0")/lib.sh"

mkdir -p "$STATE"
# The service itself holds this lock; asking early saves the wait.
if ! flock --nonblock "$STATE/lock" true; then
  fail "the service is already running (state in $STATE). Stop it with Ctrl-C there, or with: make down"
fi

"$(dirname "$0")/install.sh"

podsd=
stopped=
stop() {
  [ -z "$stopped" ] || return 0
  stopped=1
  trap '' INT TERM
  [ -z "$podsd" ] || { say "Stopping the service"; stop_process "$podsd"; }
  release_cluster
  say "Stopped. Data stays in $STATE"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

use_cluster

say "Starting the service (log: $STATE/podsd.log)"
# A session of its own, so that Ctrl-C reaches this script alone and things
# stop in order.
PODS_STATE=$STATE setsid "$BIN/podsd" serve >"$STATE/podsd.log" 2>&1 &
podsd=$!

PODS_STATE=$STATE "$BIN/podsd" quickstart --wait-pid "$podsd" || {
  tail -n 20 "$STATE/podsd.log" >&2
  fail "the main job did not finish; the service's last lines are above"
}
say "Running. Ctrl-C stops everything."
wait "$podsd" || { tail -n 20 "$STATE/podsd.log" >&2; podsd=; fail "the service has ended by itself"; }
