#!/usr/bin/env bash
# Builds the images of the service. With REGISTRY they are sent there; without
# it they are loaded into the cluster on this machine, those of its databases
# too, if it runs.
. "$(dirname "$0")/lib.sh"

images=$BIN/images
say "Building the images"
"$BIN/build-images" programs --version "$(cat VERSION)" ${REGISTRY:+--registry "$REGISTRY"} "$images"
[ -z "${REGISTRY:-}" ] || exit 0

own_cluster || fail "KUBECONFIG names a cluster of yours, which gets images from a registry: set REGISTRY"
"$(dirname "$0")/databases.sh"
if ! cluster status >/dev/null 2>&1; then
  say "The images are in $images; the cluster is not running, so they are not loaded"
  exit 0
fi
load_images "$images"/*.tar "$BIN/hello.tar"
