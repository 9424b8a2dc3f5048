package podstest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
)

func TestStoresAreApart(t *testing.T) {
	t.Parallel()

	first, second := podstest.Store(t), podstest.Store(t)
	created := podstest.Create(t, first)

	if _, _, err := second.Pod(t.Context(), created.TenantID, created.ID); pods.KindOf(err) != pods.KindNotFound {
		t.Errorf("a pod of one store in the other: %v, want not found", err)
	}
	if got, want := podstest.Types(podstest.Outbox(t, first)), []string{events.TypePodRequested}; !cmp.Equal(got, want) {
		t.Errorf("outbox holds %v, want %v", got, want)
	}
}

func TestDatabaseHasAnAwkwardTimeZone(t *testing.T) {
	t.Parallel()

	var zone string
	err := podstest.Pool(t, podstest.Store(t)).QueryRow(t.Context(), "SHOW timezone").Scan(&zone)
	if err != nil || zone == "UTC" {
		t.Errorf("the time zone is %q (%v), want one in which mistakes show", zone, err)
	}
}

func TestCreateIn(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	for _, status := range pods.Statuses {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()

			pod := podstest.CreateIn(t, store, status, podstest.InTenant("t"+string(status)))
			stored, _, err := store.Pod(t.Context(), pod.TenantID, pod.ID)
			if err != nil || stored.Status != status {
				t.Fatalf("the pod is %s (%v), want %s", stored.Status, err, status)
			}
			if diff := cmp.Diff(stored, pod, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("returned and stored pod differ:\n%s", diff)
			}
		})
	}
}
