#!/bin/sh
# Makes the database at the first start, then becomes the server. Of
# POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB, all needed then; arguments go
# to the server.
set -eu

data=/var/lib/postgresql/data
if [ ! -d $data ]; then
  # Made aside and renamed: what a killed start leaves is no database.
  rm -rf $data.new
  umask 077
  printf '%s\n' "$POSTGRES_PASSWORD" >/var/run/postgresql/password
  initdb --pgdata=$data.new --username="$POSTGRES_USER" --pwfile=/var/run/postgresql/password \
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync
  rm /var/run/postgresql/password
  echo 'host all all all scram-sha-256' >>$data.new/pg_hba.conf
  echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D $data.new postgres
  mv $data.new $data
fi
unset POSTGRES_PASSWORD

exec postgres -D $data -c listen_addresses='*' -c jit=off "$@"
