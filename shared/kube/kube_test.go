package kube

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

const testNamespace = "pods"

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testPod returns a pod in its third run, changed by change.
func testPod(change func(*pods.Pod)) pods.Pod {
	pod := pods.Pod{
		TenantID: "dev", SiteID: "local", ID: "db", UID: "life", Instance: 3,
		K8sName: pods.Name("local", "dev", "db"),
		Spec: pods.Spec{
			Image:        "dev.local/hello:1",
			Networking:   map[string]pods.Networking{pods.DefaultNetworkKey: pods.NewNetworking()},
			VolumeMounts: map[string]*pods.VolumeMount{},
		},
	}
	if change != nil {
		change(&pod)
	}
	return pod
}

func instance(n int64) func(*pods.Pod) { return func(p *pods.Pod) { p.Instance = n } }

func life(uid string) func(*pods.Pod) { return func(p *pods.Pod) { p.UID = uid } }

func withClaim(p *pods.Pod) { p.VolumeMounts["/data"] = &pods.VolumeMount{Type: pods.MountPVC} }

func build(t *testing.T, pod pods.Pod) manifests.Objects {
	t.Helper()
	objects, err := manifests.Build(pod, pods.NewCredentials(pod.ID), "", manifests.Options{Namespace: testNamespace})
	if err != nil {
		t.Fatalf("build %s: %v", pod.ID, err)
	}
	return objects
}

// existing returns the objects of pod as the API server would hold them.
func existing(t *testing.T, pod pods.Pod) []runtime.Object {
	t.Helper()
	built := build(t, pod)
	built.Pod.UID, built.Service.UID = types.UID("pod-of-"+pod.UID), types.UID("service-of-"+pod.UID)
	held := []runtime.Object{built.Pod, built.Service}
	for _, claim := range built.Claims {
		claim.UID = types.UID("claim-of-" + pod.UID)
		held = append(held, claim)
	}
	return held
}

// terminating marks the pod among objects as being removed since that time.
func terminating(objects []runtime.Object, since time.Time) []runtime.Object {
	const grace = 30
	pod := objects[0].(*corev1.Pod)
	pod.Finalizers = []string{"test/kept"} // or the fake refuses it
	pod.DeletionTimestamp = new(metav1.NewTime(since.Add(grace * time.Second)))
	pod.DeletionGracePeriodSeconds = new(int64(grace))
	return objects
}

// testClient returns a client of a fake API server that holds objects.
func testClient(objects ...runtime.Object) (*Client, *fake.Clientset) {
	api := fake.NewClientset(objects...)
	return New(api, testNamespace), api
}

// changes lists the calls that changed something, as "verb resource".
func changes(api *fake.Clientset) []string {
	var made []string
	for _, action := range api.Actions() {
		if verb := action.GetVerb(); verb == "create" || verb == "delete" || verb == "update" || verb == "patch" {
			made = append(made, verb+" "+action.GetResource().Resource)
		}
	}
	return made
}

func deletions(api *fake.Clientset) []k8stesting.DeleteActionImpl {
	var made []k8stesting.DeleteActionImpl
	for _, action := range api.Actions() {
		if deletion, ok := action.(k8stesting.DeleteActionImpl); ok {
			made = append(made, deletion)
		}
	}
	return made
}
