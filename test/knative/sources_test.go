package knative

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/service"
	"github.com/pods-service/pods/test/suite"
)

var (
	pingSources      = schema.GroupVersionResource{Group: "sources.knative.dev", Version: "v1", Resource: "pingsources"}
	apiServerSources = schema.GroupVersionResource{Group: "sources.knative.dev", Version: "v1", Resource: "apiserversources"}
)

const (
	// tick is how often the PingSource sends.
	tick = 10 * time.Second
	// slack is how much later than told a busy machine may be.
	slack = 5 * time.Second
)

// TestTickOff has health hear of changes in the cluster alone: statuses follow
// as fast as ever.
func TestTickOff(t *testing.T) {
	switchOff(t, pingSources)
	timeStarts(t, 3, slack)
}

// TestClusterEventsOff has health hear of ticks alone: statuses follow with the
// next tick.
func TestClusterEventsOff(t *testing.T) {
	switchOff(t, apiServerSources)
	timeStarts(t, 2, tick+slack)
}

// timeStarts creates pods one after another, each of which must be AVAILABLE
// within limit.
func timeStarts(t *testing.T, number int, limit time.Duration) {
	t.Helper()
	alice := deployed.User(t, "alice")
	for range number {
		podID := suite.NewID("start")
		started := time.Now()
		suite.Create(t, alice, podID, nil)
		suite.WaitFor(t, alice, podID, pods.StatusAvailable)
		took := time.Since(started)
		t.Logf("create to AVAILABLE in %s", took.Round(time.Millisecond))
		if took > limit {
			t.Errorf("a status followed after %s, want %s at most", took, limit)
		}
		if err := alice.DeletePod(t.Context(), podID); err != nil {
			t.Fatal(err)
		}
		deployed.WaitGone(t, podID)
	}
}

// switchOff takes the deployment's one source of a kind away until the test has
// ended.
func switchOff(t *testing.T, kind schema.GroupVersionResource) {
	t.Helper()
	sources := objects.Resource(kind).Namespace(service.FunctionsNamespace)
	list, err := sources.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 {
		t.Fatalf("there are %d %s, want one", len(list.Items), kind.Resource)
	}
	source := fresh(&list.Items[0])
	wait := metav1.DeletePropagationForeground
	if err := sources.Delete(t.Context(), source.GetName(), metav1.DeleteOptions{PropagationPolicy: &wait}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { switchOn(t, kind, source) })
	err = suite.Eventually(t.Context(), func() error {
		list, err := sources.List(t.Context(), metav1.ListOptions{})
		if err == nil && len(list.Items) > 0 {
			err = fmt.Errorf("%s %s is still there", kind.Resource, source.GetName())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	adapter := part{service.FunctionsNamespace, "sources.knative.dev/apiServerSource=" + source.GetName()}
	if kind == apiServerSources {
		adapter.waitNone(t)
	}
}

// switchOn makes a source again and waits until it sends.
func switchOn(t *testing.T, kind schema.GroupVersionResource, source *unstructured.Unstructured) {
	ctx, cancel := context.WithTimeout(context.Background(), suite.Patience)
	defer cancel()
	sources := objects.Resource(kind).Namespace(service.FunctionsNamespace)
	if _, err := sources.Create(ctx, source, metav1.CreateOptions{}); err != nil {
		t.Errorf("make %s again: %v", kind.Resource, err)
		return
	}
	err := suite.Eventually(ctx, func() error {
		now, err := sources.Get(ctx, source.GetName(), metav1.GetOptions{})
		if err == nil && !isTrue(now, "Ready") {
			err = fmt.Errorf("%s %s is not ready", kind.Resource, source.GetName())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// fresh returns what was asked for of an object, without what came of it.
func fresh(object *unstructured.Unstructured) *unstructured.Unstructured {
	made := &unstructured.Unstructured{Object: map[string]any{"spec": object.Object["spec"]}}
	made.SetAPIVersion(object.GetAPIVersion())
	made.SetKind(object.GetKind())
	made.SetName(object.GetName())
	made.SetNamespace(object.GetNamespace())
	made.SetLabels(object.GetLabels())
	made.SetAnnotations(object.GetAnnotations())
	return made
}
