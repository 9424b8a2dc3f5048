package kube

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"

	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/storage"
)

func TestEnsureMakesEverything(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		change func(*pods.Pod)
		want   []string
	}{
		"Plain":   {nil, []string{"create pods", "create services"}},
		"Claims":  {withClaim, []string{"create persistentvolumeclaims", "create pods", "create services"}},
		"NoPorts": {func(p *pods.Pod) { p.Networking = nil }, []string{"create pods"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			client, api := testClient()
			objects := build(t, testPod(tc.change))
			if err := client.Ensure(t.Context(), objects); err != nil {
				t.Fatalf("Ensure: %v", err)
			}
			got := changes(api)
			slices.Sort(got) // pod and service are made at once
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if err := client.Ensure(t.Context(), objects); err != nil {
				t.Errorf("second Ensure: %v", err)
			}
		})
	}
}

func TestEnsureMeetsOthers(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		held     func(t *testing.T) []runtime.Object
		occupied bool
	}{
		"SameRun":     {func(t *testing.T) []runtime.Object { return existing(t, testPod(nil)) }, false},
		"EarlierRun":  {func(t *testing.T) []runtime.Object { return existing(t, testPod(instance(2))) }, true},
		"LaterRun":    {func(t *testing.T) []runtime.Object { return existing(t, testPod(instance(4))) }, true},
		"OtherLife":   {func(t *testing.T) []runtime.Object { return existing(t, testPod(life("other"))) }, true},
		"Leaving":     {func(t *testing.T) []runtime.Object { return terminating(existing(t, testPod(nil)), testNow) }, true},
		"ServiceOnly": {func(t *testing.T) []runtime.Object { return existing(t, testPod(instance(2)))[1:] }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			client, api := testClient(tc.held(t)...)
			err := client.Ensure(t.Context(), build(t, testPod(nil)))
			_, occupied := errors.AsType[*OccupiedError](err)
			if occupied != tc.occupied || (err != nil) != tc.occupied {
				t.Fatalf("Ensure: %v, want occupied %t", err, tc.occupied)
			}
			if occupied && pods.KindOf(err) != pods.KindUnavailable {
				t.Errorf("kind %q, want unavailable", pods.KindOf(err))
			}
			if made := deletions(api); len(made) > 0 {
				t.Errorf("Ensure removed something: %v", made)
			}
		})
	}
}

func TestEnsureNamesOccupant(t *testing.T) {
	t.Parallel()

	client, _ := testClient(existing(t, testPod(instance(2)))...)
	occupied, _ := errors.AsType[*OccupiedError](client.EnsurePod(t.Context(), build(t, testPod(nil)).Pod))
	if occupied == nil || occupied.Pod == nil || occupied.Pod.Instance != 2 || occupied.Pod.ObjectUID != "pod-of-life" {
		t.Errorf("occupied by %+v, want run 2", occupied)
	}
}

func TestEnsureReportsBoth(t *testing.T) {
	t.Parallel()

	client, api := testClient()
	api.PrependReactor("create", "pods", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, forbidden("exceeded quota: pods")
	})
	err := client.Ensure(t.Context(), build(t, testPod(nil)))
	if got := pods.KindOf(err); got != pods.KindExhausted {
		t.Errorf("Ensure: kind %q (%v), want exhausted", got, err)
	}
	if got := changes(api); !slices.Contains(got, "create services") {
		t.Errorf("the service was given up when the pod failed: %v", got)
	}
}

// The next run of a pod must find its data.
func TestEnsureKeepsClaim(t *testing.T) {
	t.Parallel()

	held := existing(t, testPod(func(p *pods.Pod) { withClaim(p); p.Instance = 2 }))
	client, api := testClient(held[2:]...)
	if err := client.Ensure(t.Context(), build(t, testPod(withClaim))); err != nil {
		t.Fatalf("Ensure: %v", err)
	}
	if made := deletions(api); len(made) > 0 {
		t.Errorf("Ensure removed something: %v", made)
	}
}

func TestEnsureNamespace(t *testing.T) {
	t.Parallel()

	hostPath := storage.Source{HostPath: "/srv/pods"}
	tests := map[string]struct {
		existing map[string]string // labels; nil for no namespace
		shared   storage.Source
		want     string
	}{
		"New":           {nil, storage.Source{}, "baseline"},
		"NewHostPath":   {nil, hostPath, "privileged"},
		"Same":          {labels("baseline"), storage.Source{}, "baseline"},
		"NeedsHostPath": {labels("baseline"), hostPath, "privileged"},
		"NeedsNone":     {labels("privileged"), storage.Source{}, "baseline"},
		"Stricter":      {labels("restricted"), hostPath, "restricted"},
		"NotOurs":       {map[string]string{manifests.LabelSecurity: "baseline"}, hostPath, "baseline"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			client, api := testClient()
			namespaces := api.CoreV1().Namespaces()
			if tc.existing != nil {
				existing := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "users", Labels: tc.existing}}
				if _, err := namespaces.Create(t.Context(), existing, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if err := client.EnsureNamespace(t.Context(), manifests.Namespace("users", tc.shared)); err != nil {
					t.Errorf("EnsureNamespace: %v", err)
				}
			}
			got, err := namespaces.Get(t.Context(), "users", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if level := got.Labels[manifests.LabelSecurity]; level != tc.want {
				t.Errorf("the level is %q, want %q", level, tc.want)
			}
		})
	}
}

func labels(level string) map[string]string {
	return map[string]string{manifests.LabelManagedBy: manifests.ManagedBy, manifests.LabelSecurity: level}
}
