#!/usr/bin/env bash
# Deploys the service on Knative, or brings a deployment up to date: to the
# cluster on this machine, which is started if need be, or to that of KUBECONFIG.
# May be repeated at any time.
#
#   OVERLAY=local|production   folder of config/knative/overlays
#   CONFIRM=CONTEXT            allows it for a cluster that is not on this machine
#   REGISTRY=...               where that cluster gets its images
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/knative.sh"

if own_cluster; then
  say "Kubernetes with Knative on this machine"
  start_cluster --knative
fi
choose_cluster deploy
kubectl get customresourcedefinition services.serving.knative.dev brokers.eventing.knative.dev >/dev/null ||
  fail "the cluster has no Knative Serving and Eventing"

images() {
  if is_local; then KUBECONFIG= "$(dirname "$0")/images.sh"; else "$(dirname "$0")/images.sh"; fi
}
images

# keep copies the keys of a Secret in the cluster into a folder, so that a
# deployment keeps its keys whatever folder it is repeated from.
keep() {
  local secret=$1 folder=$2 key value
  mkdir -p "$folder"
  in_service get secret "$secret" --ignore-not-found \
    --output 'go-template={{range $key, $value := .data}}{{$key}} {{$value}}{{"\n"}}{{end}}' |
    while read -r key value; do base64 --decode <<<"$value" >"$folder/$key"; done
}

# development_secrets makes what the local overlay's Secrets hold.
development_secrets() {
  keep encryption "$DEPLOY"
  keep issuer "$DEPLOY/issuer"
  keep gateway-ca "$DEPLOY/ca"
  keep database "$DEPLOY/database"
  chmod 600 "$DEPLOY"/ca/* 2>/dev/null || true
  "$BIN/images/programs/podsd" deploy-secrets --dir "$DEPLOY"
  [ -s "$DEPLOY/database/PASSWORD" ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$DEPLOY/database/PASSWORD"
  local password
  password=$(cat "$DEPLOY/database/PASSWORD")
  printf 'postgres://pods:%s@postgres.pods-service.svc.cluster.local:5432/pods?sslmode=disable' "$password" >"$DEPLOY/database/DATABASE_URL"
  mkdir -p "$DEPLOY/redis"
  printf 'redis://:%s@redis.pods-service.svc.cluster.local:6379' "$password" >"$DEPLOY/redis/REDIS_URL"
  printf 'requirepass %s\n' "$password" >"$DEPLOY/redis/redis.conf"
}

# files lists the files of a folder as a generator takes them.
files() { (cd "$DEPLOY" && for file in "$1"/*; do echo "      - $file"; done); }

# write_overlay puts the images, and locally the secrets, on top of the overlay.
write_overlay() {
  cat <<EOF
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - $(realpath --relative-to "$DEPLOY" "config/knative/overlays/$OVERLAY")
components:
  - $(realpath --relative-to "$DEPLOY" "$BIN/images")
EOF
  [ "$OVERLAY" = local ] || return 0
  cat <<EOF
generatorOptions:
  disableNameSuffixHash: true
  labels:
    app.kubernetes.io/part-of: pods-service
    pods.io/stage: prepare
configMapGenerator:
  - name: tenants
    namespace: pods-service
    files: [tenants.json]
secretGenerator:
  - name: encryption
    namespace: pods-service
    files: [encryption.key]
  - name: login
    namespace: pods-service
    files:
$(files login)
  - name: issuer
    namespace: pods-service
    files:
$(files issuer)
  - name: gateway-ca
    namespace: pods-service
    files:
$(files ca)
  - name: database
    namespace: pods-service
    files:
$(files database)
  - name: redis
    namespace: pods-service
    files:
$(files redis)
EOF
}

# apply brings those objects up to date whose labels fit. What a controller has
# set in them since is taken back where the two differ.
apply() {
  kubectl apply --server-side --force-conflicts --field-manager=pods-service-deploy \
    --filename "$DEPLOY/manifests.yaml" --selector "$1" >"$DEPLOY/apply.log"
}

# await waits for a condition of objects in the service's namespace.
await() {
  local condition=$1
  shift
  in_service wait --for="condition=$condition" --timeout=300s "$@" >/dev/null
}

# migrate runs the migration Job of this version to its end.
migrate() {
  in_service delete job migrate --ignore-not-found --cascade=foreground >/dev/null
  apply pods.io/stage=migrate
  local state
  for _ in $(seq 900); do
    state=$(in_service get job migrate --output 'jsonpath={.status.conditions[?(@.status=="True")].type}')
    case $state in
      *Complete*) return ;;
      *Failed*) break ;;
    esac
    sleep 1
  done
  in_service logs job/migrate --tail=20 >&2 || true
  fail "the migration did not finish; its last lines are above. The functions are as they were"
}

# allow_uploads lets a request take an hour, which Knative forbids by default.
allow_uploads() {
  local most
  most=$(kubectl --namespace knative-serving get configmap config-defaults --output 'jsonpath={.data.max-revision-timeout-seconds}')
  [ "${most:-600}" -lt 3600 ] || return 0
  is_local || fail "the api lets an upload take an hour: set max-revision-timeout-seconds in the ConfigMap config-defaults of knative-serving to 3600"
  say "Letting Knative's requests take an hour"
  kubectl --namespace knative-serving patch configmap config-defaults --type merge \
    --patch '{"data": {"max-revision-timeout-seconds": "3600"}}' >/dev/null
}

# allow_storage lets the api mount the claim of volumes and snapshots, and on this
# machine reach the files of any owner, which Knative forbids by default.
allow_storage() {
  grep -q 'claimName: storage$' "$DEPLOY/manifests.yaml" || return 0
  local features=(kubernetes.podspec-persistent-volume-claim kubernetes.podspec-persistent-volume-write)
  ! grep -q DAC_OVERRIDE "$DEPLOY/manifests.yaml" || features+=(kubernetes.containerspec-addcapabilities)
  local feature missing=()
  for feature in "${features[@]}"; do
    [ "$(kubectl --namespace knative-serving get configmap config-features --output "jsonpath={.data.${feature//./\\.}}" 2>/dev/null)" = enabled ] ||
      missing+=("$feature")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  is_local || fail "the api mounts the storage of volumes: set to \"enabled\" in the ConfigMap config-features of knative-serving: ${missing[*]}"
  say "Letting Knative's services mount storage"
  kubectl --namespace knative-serving patch configmap config-features --type merge \
    --patch "{\"data\": {$(printf '"%s": "enabled"\n' "${missing[@]}" | paste -sd,)}}" >/dev/null
}

(umask 077 && mkdir -p "$DEPLOY")
umask 077
[ "$OVERLAY" != local ] || development_secrets
write_overlay >"$DEPLOY/kustomization.yaml"
kubectl kustomize "$DEPLOY" >"$DEPLOY/manifests.yaml"
allow_uploads
allow_storage

say "Preparing: namespaces, rights, Broker$([ "$OVERLAY" != local ] || echo ", database, cache")"
apply pods.io/stage=prepare
if [ "$OVERLAY" = local ]; then
  in_service rollout status --timeout=180s statefulset/postgres deployment/redis >/dev/null
fi
say "Migrating the database"
migrate
await Ready broker/default
say "Deploying the functions, the gateway and the sources of events"
apply '!pods.io/stage'
for name in api spawner health logs; do
  await Ready "services.serving.knative.dev/$name"
  say "$name is ready"
done
in_service rollout status --timeout=180s deployment/gateway >/dev/null
await Ready triggers --all
await Ready pingsources,apiserversources --all
[ "$OVERLAY" = local ] || await Ready domainmappings --all

say "Deployed"
if [ "$OVERLAY" != local ]; then exit 0; fi
cat <<'EOF'

  API      http://dev.localhost:8080/v3/pods        (tenant dev2: http://dev2.localhost:8080)
  Pods     https://<pod>.pods.localhost:8443, http://<pod>.pods.localhost:8081
  Users    alice, bob, carol, admin; the password is the name

  curl -s http://dev.localhost:8080/v3/oauth2/tokens -H 'Content-Type: application/json' \
       -d '{"username": "alice", "password": "alice", "grant_type": "password"}'
  export JWT=...   # result.access_token.access_token
  curl -s http://dev.localhost:8080/v3/pods -H "X-Tapis-Token: $JWT" -H 'Content-Type: application/json' \
       -d '{"pod_id": "mypod", "template": "hello"}'
  curl -s http://dev.localhost:8080/v3/pods/mypod -H "X-Tapis-Token: $JWT"
  curl http://mypod.pods.localhost:8081/

  make undeploy removes it, make down stops the cluster.
EOF
