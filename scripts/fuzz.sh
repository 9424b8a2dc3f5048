#!/usr/bin/env bash
# Runs every fuzz target of the workspace in turn, FUZZTIME each, and goes on
# after one that fails. An input that fails is kept below testdata/fuzz beside
# its test: from then on it is part of the plain tests. FUZZ=Name runs the
# targets whose names contain that.
. "$(dirname "$0")/lib.sh"

FUZZTIME=${FUZZTIME:-1m}
mapfile -t targets < <(git ls-files -co --exclude-standard '*_test.go' | xargs grep -HoE "^func Fuzz[A-Za-z0-9_]*${FUZZ:-}[A-Za-z0-9_]*" | sort)
[ ${#targets[@]} -gt 0 ] || fail "no fuzz target has ${FUZZ:-Fuzz} in its name"

failed=()
for i in "${!targets[@]}"; do
  package=./$(dirname "${targets[$i]%%:*}") name=${targets[$i]##*func }
  say "$((i + 1)) of ${#targets[@]}: $name in $package for $FUZZTIME"
  # By default each input that is new is made smaller for up to a minute, in
  # which nothing is tried: a short run would pass without having looked.
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 10x "$package" || failed+=("$package $name")
done
[ ${#failed[@]} -eq 0 ] || fail "these failed: ${failed[*]}"
say "All ${#targets[@]} fuzz targets passed"
