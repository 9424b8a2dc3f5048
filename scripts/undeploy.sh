#!/usr/bin/env bash
# Removes the deployment on Knative: the namespace of the functions, and on this
# machine the users' pods with it. Elsewhere the users' pods and volumes stay,
# unless DATA=delete; a database outside the cluster is never touched.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/knative.sh"

if own_cluster && ! cluster status >/dev/null 2>&1; then
  say "The cluster on this machine is not running: nothing to remove"
  exit 0
fi
choose_cluster undeploy

# remove deletes objects of the service by kind, where the cluster knows it.
remove() {
  local kind
  for kind in "$@"; do
    kubectl get customresourcedefinition "$kind" >/dev/null 2>&1 || continue
    in_service delete "$kind" --all --timeout=120s >/dev/null
  done
}

say "Removing the functions and what tells them of events"
# Before the namespace: Knative clears up after each of them.
remove triggers.eventing.knative.dev pingsources.sources.knative.dev apiserversources.sources.knative.dev \
  domainmappings.serving.knative.dev services.serving.knative.dev sinkbindings.sources.knative.dev brokers.eventing.knative.dev
# It goes when the last pod of the api has ended; the files stay where they are.
in_service delete persistentvolumeclaim storage --ignore-not-found --timeout=120s >/dev/null
kubectl delete namespace pods-service --ignore-not-found --timeout=180s >/dev/null
if kubectl get customresourcedefinition clusterdomainclaims.networking.internal.knative.dev >/dev/null 2>&1; then
  kubectl delete clusterdomainclaims --selector app.kubernetes.io/part-of=pods-service >/dev/null
fi

# A claim made anew could not have the volume.
kubectl delete persistentvolume pods-service-storage --ignore-not-found --timeout=60s >/dev/null

if is_local || [ "${DATA:-keep}" = delete ]; then
  say "Removing the users' pods and volumes"
  kubectl delete namespace pods --ignore-not-found --timeout=180s >/dev/null
  # The folder of config/knative/overlays/local/storage.yaml; the database that
  # knew what is in it is gone.
  ! is_local || as_root rm -rf /var/lib/pods-cluster/storage
else
  say "The users' pods and volumes stay in the namespace pods; remove them with: DATA=delete make undeploy"
fi
say "Removed. Keys stay in $DEPLOY, and a database outside the cluster is as it was"
