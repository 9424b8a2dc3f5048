#!/usr/bin/env bash
# Puts the images of Postgres and Redis together, out of Debian's packages and
# without a registry, for the local overlay and for pods of the tests:
# bin/images/postgres.tar, redis.tar.
. "$(dirname "$0")/lib.sh"

images=$BIN/images
mkdir -p "$images"

# trim removes what no server reads. The compiler of queries alone is a third.
trim() {
  cd "$1"
  rm -rf boot dev home media mnt opt proc root run srv sys usr/games usr/include usr/src \
    usr/share/{bash-completion,common-licenses,doc,i18n,icu,info,lintian,locale,man,perl,perl5} \
    usr/lib/*/{gconv,perl,perl-base,perl5,systemd} usr/lib/*/lib{LLVM,perl,z3}* usr/lib/{systemd,llvm*,python*} \
    usr/lib/postgresql/*/lib/bitcode usr/bin/perl* usr/sbin/* var/{cache,lib/apt,lib/dpkg,log}
  mkdir -p etc tmp usr/local/bin
  chmod 1777 tmp
  # A name for the number that the images run as: initdb asks for it.
  echo 'pods:x:65532:65532::/tmp:/bin/sh' >etc/passwd
  echo 'pods:x:65532:' >etc/group
}

# postgres adds the program that starts the server, short paths, and folders that
# a container without volumes can write to.
postgres() {
  local program
  install -d -m 1777 "$1/var/lib/postgresql" "$1/var/run/postgresql"
  install -m 755 images/postgres/start.sh "$1/usr/local/bin/start"
  for program in postgres initdb pg_isready psql; do
    ln -sf "../lib/postgresql/15/bin/$program" "$1/usr/bin/$program"
  done
}

# redis has nothing to add.
redis() { :; }

# extract unpacks packages, with all that they need, and packs what is left of
# them. No script of a package runs.
extract() {
  local name=$1 packages=$2 root=$3
  rm -rf "$root" "$root.tar"
  mmdebstrap --quiet --mode=root --variant=extract --format=directory --include="$packages" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr bookworm "$root" >"$root.log" 2>&1 ||
    { cat "$root.log" >&2; return 1; }
  (trim "$root")
  "$name" "$root"
  tar --create --file "$root.tar" --directory "$root" --sort=name --mtime=@0 --numeric-owner --owner=0 --group=0 .
  rm -rf "$root" "$root.log"
}

# image builds one image, unless it is there and was built by this very recipe.
image() {
  local name=$1 tag=$2 entrypoint=$3 signal=$4 packages=$5 tar=$images/$1.tar recipe root
  recipe=$(cat "$0" images/postgres/start.sh | sha256sum)
  if [ -e "$tar" ] && [ "$(cat "$tar.recipe" 2>/dev/null)" = "$recipe" ]; then return; fi
  command -v mmdebstrap >/dev/null || {
    say "Installing mmdebstrap (Debian package)"
    as_root bash -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null'
  }
  say "Putting together dev.local/$name:$tag of Debian's packages, half a minute"
  root=$BIN/root-$name
  as_root bash -c "set -euo pipefail; $(declare -f trim extract "$name"); extract '$name' '$packages' '$root'"
  "$BIN/build-images" root --name "dev.local/$name:$tag" --entrypoint "$entrypoint" --stop-signal "$signal" "$root.tar" "$tar"
  as_root rm -f "$root.tar"
  echo "$recipe" >"$tar.recipe"
}

# SIGINT has Postgres end without waiting for its clients.
image postgres 15 /usr/local/bin/start SIGINT postgresql-15,postgresql-client-15,dash,coreutils,libc-bin,tzdata
image redis 7 /usr/bin/redis-server SIGTERM redis-server,libc-bin
