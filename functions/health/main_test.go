package main

import (
	"net/http"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/podstest/functiontest"
	"github.com/pods-service/pods/shared/postgres"
)

func TestHealth(t *testing.T) {
	t.Parallel()

	broker, cluster, storage := podstest.NewBroker(t), functiontest.NewKubernetes(t), functiontest.Storage(t)
	health := functiontest.Serve(t, build, settings{
		Process: functiontest.Process(), Storage: storage,
		Tenancy: function.Tenancy{TenantsFile: functiontest.TenantsFile(t)},
		Sink:    function.Sink{URL: broker.URL},
		Cluster: function.Cluster{Kubeconfig: cluster.Kubeconfig, Namespace: "pods"},
	})
	if status := health.Status("/healthz"); status != http.StatusOK {
		t.Errorf("GET /healthz = %d", status)
	}
	// The times of a test's store are long ago enough for a flush.
	clock := podstest.NewClock()
	clock.Set(time.Now().Add(-time.Minute))
	store := postgres.New(podstest.Open(t, storage.DatabaseURL), postgres.Options{Key: podstest.Key, Now: clock.Now})
	pod := podstest.Create(t, store)

	tick := cloudevents.NewEvent()
	tick.SetID("1")
	tick.SetType(events.TypeTick)
	tick.SetSource("/apis/v1/namespaces/pods-service/pingsources/tick")
	if status := health.Send("/", tick); status != http.StatusAccepted {
		t.Fatalf("tick = %d", status)
	}
	if sent := broker.Wait(t, events.TypePodRequested); sent.Subject() != pod.TenantID+"/"+pod.ID {
		t.Errorf("what waited in the outbox was sent as %s", sent.Subject())
	}

	dead := events.NewPod(events.TypePodRequested, pods.ActorAPI, events.Data(pod), time.Now())
	dead.SetExtension("knativeerrorcode", 503)
	if status := health.Send("/dead-letters/spawner", dead); status != http.StatusAccepted {
		t.Fatalf("dead letter = %d", status)
	}
	letters, err := store.DeadLetters(t.Context(), 10)
	if err != nil || len(letters) != 1 || letters[0].Event.ID() != dead.ID() ||
		letters[0].Trigger != "spawner" || letters[0].Reason != "status 503" || letters[0].Attempts < 2 {
		t.Errorf("dead letters = %+v, %v", letters, err)
	}
}
