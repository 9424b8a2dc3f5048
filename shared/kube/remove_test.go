package kube

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"

	"github.com/pods-service/pods/shared/pods"
)

func TestRemoveRuns(t *testing.T) {
	t.Parallel()

	both := []string{"delete services", "delete pods"} // in this order
	tests := map[string]struct {
		held func(t *testing.T) []runtime.Object
		want []string
		left bool
	}{
		"Nothing":    {func(*testing.T) []runtime.Object { return nil }, nil, false},
		"SameRun":    {func(t *testing.T) []runtime.Object { return existing(t, testPod(nil)) }, both, true},
		"EarlierRun": {func(t *testing.T) []runtime.Object { return existing(t, testPod(instance(2))) }, both, true},
		"LaterRun":   {func(t *testing.T) []runtime.Object { return existing(t, testPod(instance(4))) }, nil, false},
		"OtherLife":  {func(t *testing.T) []runtime.Object { return existing(t, testPod(life("other"))) }, nil, false},
		"KeepsClaim": {func(t *testing.T) []runtime.Object { return existing(t, testPod(withClaim)) }, both, true},
		"ServiceOnly": {func(t *testing.T) []runtime.Object { return existing(t, testPod(nil))[1:] },
			[]string{"delete services"}, false},
		"Leaving": {func(t *testing.T) []runtime.Object {
			return terminating(existing(t, testPod(nil)), testNow.Add(-time.Minute))
		}, []string{"delete services"}, true},
		"Overdue": {func(t *testing.T) []runtime.Object {
			return terminating(existing(t, testPod(nil)), testNow.Add(-pods.Limits[pods.StatusDeleting].End))
		}, both, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			pod := testPod(nil)
			client, api := testClient(tc.held(t)...)
			left, err := client.RemoveRuns(t.Context(), pod.K8sName, pod.Ref(), testNow)
			if err != nil {
				t.Fatalf("RemoveRuns: %v", err)
			}
			if left != tc.left {
				t.Errorf("left = %t, want %t", left, tc.left)
			}
			if diff := cmp.Diff(tc.want, changes(api)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// A deletion names the object that was looked at, so a newer one of the same
// name survives, and gives the container its time unless that is over.
func TestRemoveRunsOptions(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		held  func(t *testing.T) []runtime.Object
		grace *int64
	}{
		"Running": {func(t *testing.T) []runtime.Object { return existing(t, testPod(nil)) }, nil},
		"Overdue": {func(t *testing.T) []runtime.Object {
			return terminating(existing(t, testPod(nil)), testNow.Add(-time.Hour))
		}, new(int64(0))},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			pod := testPod(nil)
			client, api := testClient(tc.held(t)...)
			if _, err := client.RemoveRuns(t.Context(), pod.K8sName, pod.Ref(), testNow); err != nil {
				t.Fatalf("RemoveRuns: %v", err)
			}
			made := deletions(api)
			if len(made) != 2 {
				t.Fatalf("%d deletions, want 2", len(made))
			}
			if uid := made[1].DeleteOptions.Preconditions.UID; uid == nil || *uid != "pod-of-life" {
				t.Errorf("the pod's deletion is bound to uid %v", uid)
			}
			if diff := cmp.Diff(tc.grace, made[1].DeleteOptions.GracePeriodSeconds); diff != "" {
				t.Errorf("grace (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemoveToleratesRace(t *testing.T) {
	t.Parallel()

	pod := testPod(nil)
	client, api := testClient(existing(t, pod)...)
	api.PrependReactor("delete", "*", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, conflict()
	})
	if _, err := client.RemoveRuns(t.Context(), pod.K8sName, pod.Ref(), testNow); err != nil {
		t.Errorf("RemoveRuns while another takes the name: %v", err)
	}
}

func TestRemoveLife(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		held func(t *testing.T) []runtime.Object
		want []string
	}{
		"AnyRun": {func(t *testing.T) []runtime.Object {
			return existing(t, testPod(func(p *pods.Pod) { withClaim(p); p.Instance = 70 }))
		}, []string{"delete persistentvolumeclaims", "delete services", "delete pods"}},
		"NewerLife": {func(t *testing.T) []runtime.Object {
			return existing(t, testPod(func(p *pods.Pod) { withClaim(p); p.UID = "newer" }))
		}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			client, api := testClient(tc.held(t)...)
			if _, err := client.RemoveLife(t.Context(), testPod(nil).K8sName, "life", testNow); err != nil {
				t.Fatalf("RemoveLife: %v", err)
			}
			if diff := cmp.Diff(tc.want, changes(api)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemoveOthers(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		holder func(*pods.Pod)
		want   []string
	}{
		"Own":        {nil, nil},
		"EarlierRun": {instance(1), []string{"delete services", "delete pods"}},
		"OtherLife":  {life("other"), []string{"delete services", "delete pods"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			pod := testPod(nil)
			client, api := testClient(existing(t, testPod(tc.holder))...)
			if err := client.RemoveOthers(t.Context(), pod.K8sName, pod.Ref(), testNow); err != nil {
				t.Fatalf("RemoveOthers: %v", err)
			}
			if diff := cmp.Diff(tc.want, changes(api)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemoveSaysWhenUnreachable(t *testing.T) {
	t.Parallel()

	for _, resource := range []string{"pods", "services"} {
		for _, verb := range []string{"get", "delete"} {
			t.Run(verb+" "+resource, func(t *testing.T) {
				t.Parallel()

				pod := testPod(nil)
				client, api := testClient(existing(t, pod)...)
				api.PrependReactor(verb, resource, func(k8stesting.Action) (bool, runtime.Object, error) {
					return true, nil, outage()
				})
				_, err := client.RemoveRuns(t.Context(), pod.K8sName, pod.Ref(), testNow)
				if got := pods.KindOf(err); got != pods.KindUnavailable {
					t.Errorf("kind %q (%v), want unavailable", got, err)
				}
			})
		}
	}
}
