#!/usr/bin/env bash
# Puts the images of Postgres and Redis for the local overlay together, out of
# Debian's packages and without a registry: bin/images/postgres.tar, redis.tar.
. "$(dirname "$0")/lib.sh"

images=$BIN/images
mkdir -p "$images"

# What no server reads. The compiler of queries alone is half of the image.
trim='rm -rf "$1"/usr/share/{doc,man,info,locale,lintian,bash-completion,perl,perl5,icu,common-licenses} \
  "$1"/usr/lib/*/{perl,perl5,perl-base,systemd} "$1"/usr/lib/*/libLLVM* "$1"/usr/lib/llvm* "$1"/usr/lib/systemd \
  "$1"/usr/lib/postgresql/*/lib/bitcode "$1"/usr/bin/perl* \
  "$1"/usr/lib/locale/[a-z]* "$1"/var/{cache,lib/apt,lib/dpkg,log}'

# A user by name for the number that the images run as: initdb asks for it.
account='mkdir -p "$1"/etc "$1"/tmp && chmod 1777 "$1"/tmp &&
  echo "pods:x:65532:65532::/tmp:/bin/sh" >"$1"/etc/passwd && echo "pods:x:65532:" >"$1"/etc/group'

# database NAME TAG ENTRYPOINT PACKAGES HOOK builds one image, unless it is there
# and was built by this very recipe.
database() {
  local name=$1 tag=$2 entrypoint=$3 packages=$4 hook=$5 tar=$images/$1.tar recipe
  recipe=$(cat "$0" images/postgres/start.sh | sha256sum)
  if [ -e "$tar" ] && [ "$(cat "$tar.recipe" 2>/dev/null)" = "$recipe" ]; then return; fi
  command -v mmdebstrap >/dev/null || {
    say "Installing mmdebstrap (Debian package)"
    as_root bash -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null'
  }
  say "Putting together dev.local/$name:$tag of Debian's packages, half a minute"
  # Extracted, not installed: no script of a package runs.
  as_root env SOURCE_DATE_EPOCH=1 mmdebstrap --quiet --mode=root --variant=extract --include="$packages" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --customize-hook="$account" --customize-hook="$hook" --customize-hook="bash -c '$trim' trim \"\$1\"" \
    bookworm "$tar.root"
  "$BIN/build-images" root --name "dev.local/$name:$tag" --entrypoint "$entrypoint" "$tar.root" "$tar"
  as_root rm -f "$tar.root"
  echo "$recipe" >"$tar.recipe"
}

database postgres 15 /usr/local/bin/start postgresql-15,postgresql-client-15,dash,coreutils,libc-bin,tzdata '
  install -D -m 755 images/postgres/start.sh "$1"/usr/local/bin/start
  for program in postgres initdb pg_isready psql; do ln -sf ../lib/postgresql/15/bin/$program "$1"/usr/bin/$program; done'
database redis 7 /usr/bin/redis-server redis-server,libc-bin ':'
