#!/usr/bin/env bash
# Installs the Debian packages that the service runs on, unless they are there;
# with the argument node also Node.js, for the test of the TypeScript client, and
# with the argument browser Chromium besides, for the test in a browser.
# Nothing that they bring is started or set up on the system.
. "$(dirname "$0")/lib.sh"

missing=()
have() { [ -x "$1" ] || command -v "$1" >/dev/null 2>&1; }
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || have postgres || missing+=(postgresql)
have redis-server || missing+=(redis-server)
if [ -n "${1:-}" ]; then
  have node || missing+=(nodejs)
  have npm || missing+=(npm)
fi
[ "${1:-}" != browser ] || have chromium || missing+=(chromium)
[ ${#missing[@]} -gt 0 ] || exit 0

have apt-get || fail "these are missing and this system has no apt-get to install them: ${missing[*]}"
say "Installing ${missing[*]} (Debian packages)"

# The packages would start servers of the system's own. policy-rc.d is how
# Debian asks whether it may.
install_quietly() {
  local policy=/usr/sbin/policy-rc.d mine=
  if [ ! -e $policy ]; then
    mine=1
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  # No "main" cluster either: the service makes its own.
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/pods-service.conf
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  [ -z "$mine" ] || rm -f $policy
}
as_root bash -c "set -euo pipefail; $(declare -f install_quietly); install_quietly ${missing[*]}"
