#!/usr/bin/env bash
# Fetches BusyBox, a static program that is a shell, to the path that is given:
# out of its Debian package, which is not installed.
. "$(dirname "$0")/lib.sh"

target=$PWD/$1
command -v apt-get >/dev/null || fail "fetching BusyBox needs apt-get; put a static busybox at $1"
say "Fetching BusyBox (Debian package)"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir" # apt's own user writes there
cd "$dir"
fetch() { apt-get download -qq busybox-static >/dev/null 2>&1; }
fetch || { as_root apt-get update -qq && fetch; } || fail "the Debian package busybox-static cannot be fetched"
dpkg-deb -x busybox-static_*.deb files
mkdir -p "$(dirname "$target")"
install -m 755 files/bin/busybox "$target"
