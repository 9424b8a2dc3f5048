package main

import (
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/podstest/functiontest"
	"github.com/pods-service/pods/shared/postgres"
)

func TestLogs(t *testing.T) {
	t.Parallel()

	cluster, storage := functiontest.NewKubernetes(t), functiontest.Storage(t)
	cluster.Log = "2030-01-02T03:04:06.5Z hello\n"
	function := functiontest.Serve(t, build, settings{
		Process: functiontest.Process(), Storage: storage,
		Cluster: function.Cluster{Kubeconfig: cluster.Kubeconfig, Namespace: "pods"},
	})
	if status := function.Status("/healthz"); status != http.StatusOK {
		t.Errorf("GET /healthz = %d", status)
	}
	store := postgres.New(podstest.Open(t, storage.DatabaseURL), postgres.Options{Key: podstest.Key, Now: time.Now})
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	objects, err := manifests.Build(pod, pods.Credentials{}, "restricted", manifests.Options{})
	if err != nil {
		t.Fatal(err)
	}
	objects.Pod.ObjectMeta.UID = "of-kubernetes"
	objects.Pod.CreationTimestamp = metav1.Now()
	objects.Pod.Status = corev1.PodStatus{Phase: corev1.PodRunning}
	cluster.Set("/api/v1/namespaces/pods/pods/"+pod.K8sName, objects.Pod)

	event := events.NewPod(events.TypePodStatusChanged, pods.ActorHealth, events.Data(pod), time.Now())
	if status := function.Send("/", event); status != http.StatusAccepted {
		t.Fatalf("event = %d", status)
	}
	if text, _, err := store.Logs(t.Context(), pod.TenantID, pod.ID); err != nil || text != "hello\n" {
		t.Errorf("stored %q, %v", text, err)
	}
}
