package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

func TestListPods(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	clock := podstest.NewClock()
	var want []string
	for _, id := range []string{"zeta", "alpha", "mid"} {
		podstest.Create(t, store, podstest.ID(id), func(pod *pods.Pod) { pod.CreationTS = clock.Now() })
		clock.Advance(1e9)
		want = append(want, id)
	}
	shared := permissions.Set{{User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read}}
	setPermissions(t, store, "dev", "mid", shared)

	tests := map[string]struct {
		user string
		want []string
	}{
		"Owner":          {"alice", want},
		"Reader":         {"bob", []string{"mid"}},
		"Stranger":       {"carol", nil},
		"PrefixOfName":   {"alic", nil},
		"LikePattern":    {"%", nil},
		"OtherCase":      {"Alice", nil},
		"NameWithSuffix": {"bob2", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			listed, err := store.ListPods(t.Context(), "dev", tc.user)
			if err != nil {
				t.Fatalf("ListPods: %v", err)
			}
			var got []string
			for _, pod := range listed {
				got = append(got, pod.ID)
			}
			wantSame(t, "the list, oldest first", got, tc.want)
		})
	}
}

// listed returns what alice may read, and fails unless they are so many.
func listed(t *testing.T, store *postgres.Store, want int) []postgres.ListedPod {
	t.Helper()
	list, err := store.ListPods(t.Context(), "dev", "alice")
	if err != nil || len(list) != want {
		t.Fatalf("ListPods = %d pods, %v; want %d", len(list), err, want)
	}
	return list
}

// TestPodsInOrder reads more pods than are read at a time.
func TestPodsInOrder(t *testing.T) {
	t.Parallel()

	const count = postgres.PodChunk + 3
	store := podstest.Store(t)
	var want []pods.Pod
	for i := range count {
		// Older ones have the later ids.
		older := func(pod *pods.Pod) { pod.CreationTS = pod.CreationTS.Add(-time.Duration(i) * time.Second) }
		want = append(want, podstest.Create(t, store, podstest.ID(fmt.Sprintf("pod%03d", i)), older))
	}
	slices.Reverse(want)
	list := listed(t, store, count)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the time for the request is over, the client still reads
	var got []pods.Pod
	for pod, err := range store.Pods(ctx, "dev", list) {
		if err != nil {
			t.Fatalf("Pods: %v", err)
		}
		got = append(got, pod)
	}
	wantSame(t, "the pods, oldest first", got, want)
	for pod, err := range store.Pods(ctx, "dev2", list) {
		t.Errorf("pods of dev are read as dev2: %s, %v", pod.ID, err)
	}
}

// TestPodsLeavesOutWhatIsGone: another pod that has got the id since may be one
// that the user who asked for the list may not see.
func TestPodsLeavesOutWhatIsGone(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	for _, id := range []string{"gone", "stays", "replaced"} {
		podstest.Create(t, store, podstest.ID(id))
	}
	list := listed(t, store, 3)
	for _, id := range []string{"gone", "replaced"} {
		if err := store.DeletePod(t.Context(), "dev", id, allow); err != nil {
			t.Fatalf("DeletePod %s: %v", id, err)
		}
	}
	podstest.Create(t, store, podstest.ID("replaced"))
	var got []string
	for pod, err := range store.Pods(t.Context(), "dev", list) {
		if err != nil {
			t.Fatalf("Pods: %v", err)
		}
		got = append(got, pod.ID)
	}
	wantSame(t, "what is left", got, []string{"stays"})
}
