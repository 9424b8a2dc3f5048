package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/podstest/functiontest"
	"github.com/pods-service/pods/shared/postgres"
)

func TestSpawner(t *testing.T) {
	t.Parallel()

	broker, cluster, storage := podstest.NewBroker(t), functiontest.NewKubernetes(t), functiontest.Storage(t)
	spawner := functiontest.Serve(t, build, settings{
		Process: functiontest.Process(), Storage: storage,
		Encryption: function.Encryption{KeyFile: functiontest.SecretFile(t, podstest.Key[:])},
		Tenancy:    function.Tenancy{TenantsFile: functiontest.TenantsFile(t)},
		Sink:       function.Sink{URL: broker.URL},
		Cluster:    function.Cluster{Kubeconfig: cluster.Kubeconfig, Namespace: "pods"},
		Overcommit: 10, PullPolicy: "IfNotPresent",
	})
	if status := spawner.Status("/healthz"); status != http.StatusOK {
		t.Errorf("GET /healthz = %d", status)
	}
	store := postgres.New(podstest.Open(t, storage.DatabaseURL), postgres.Options{Key: podstest.Key, Now: time.Now})
	pod := podstest.Create(t, store)
	event := events.NewPod(events.TypePodRequested, pods.ActorAPI, events.Data(pod), time.Now())
	for range 2 { // deliveries repeat
		if status := spawner.Send("/", event); status != http.StatusAccepted {
			t.Fatalf("event = %d", status)
		}
	}
	for _, kind := range []string{"pods", "services"} {
		if cluster.Get("/api/v1/namespaces/pods/"+kind+"/"+pod.K8sName) == nil {
			t.Errorf("there is no object among the %s", kind)
		}
	}
	if got, _, err := store.Pod(t.Context(), pod.TenantID, pod.ID); err != nil || got.Status != pods.StatusCreating {
		t.Errorf("the pod is %s, %v", got.Status, err)
	}
	spawner.Terminate()
	if told := broker.Wait(t, events.TypePodStatusChanged); told.Subject() != event.Subject() {
		t.Errorf("the broker was told of %s", told.Subject())
	}
}
