#!/usr/bin/env bash
# Removes what was built and the service's data.
. "$(dirname "$0")/lib.sh"

say "Removing $BIN and $STATE"
as_root rm -rf "$BIN" "$STATE"
