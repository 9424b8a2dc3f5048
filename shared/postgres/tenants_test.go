package postgres_test

import (
	"context"
	"testing"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/volumes"
)

// TestTenantsAreApart asks for a pod of one tenant in the name of others, by
// everything that users can reach. The answer is the very one for a pod that
// is nowhere.
func TestTenantsAreApart(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable, podstest.ID("private"))
	log := output{store: store, ref: pod.Ref()}
	log.append(t, "private\n")
	storeVolume(t, store, pod.ID)
	storeSnapshot(t, store, newSnapshot(pod.ID, ""))
	before := stateOf(t, store, pod.TenantID, pod.ID)

	reached := func(context.Context, pods.Pod, permissions.Set) (postgres.Change, error) {
		t.Error("a stranger's change saw the pod")
		return postgres.Change{Wish: pods.DesiredOff}, nil
	}
	calls := map[string]func(tenantID, podID string) error{
		"Pod": func(tenantID, podID string) error {
			_, _, err := store.Pod(t.Context(), tenantID, podID)
			return err
		},
		"ChangePod": func(tenantID, podID string) error {
			_, err := store.ChangePod(t.Context(), tenantID, podID, pods.Caller{TenantID: tenantID, Username: "alice"}, reached)
			return err
		},
		"DeletePod": func(tenantID, podID string) error {
			return store.DeletePod(t.Context(), tenantID, podID, func(pods.Pod, permissions.Set) error {
				t.Error("a stranger's delete saw the pod")
				return nil
			})
		},
		"Volume": func(tenantID, id string) error {
			_, err := store.Volume(t.Context(), tenantID, id)
			return err
		},
		"ChangeVolume": func(tenantID, id string) error {
			_, err := store.ChangeVolume(t.Context(), tenantID, id, func(v volumes.Volume) (volumes.Volume, error) {
				t.Error("a stranger's change saw the volume")
				return v, nil
			})
			return err
		},
		"Snapshot": func(tenantID, id string) error {
			_, err := store.Snapshot(t.Context(), tenantID, id)
			return err
		},
		"ChangeSnapshot": func(tenantID, id string) error {
			_, err := store.ChangeSnapshot(t.Context(), tenantID, id, func(s volumes.Snapshot) (volumes.Snapshot, error) {
				t.Error("a stranger's change saw the snapshot")
				return s, nil
			})
			return err
		},
		"BeginRemoval": func(tenantID, id string) error {
			work := postgres.Work{Ref: volumes.Ref{TenantID: tenantID, Kind: volumes.KindVolume, ID: id}, Worker: "stranger"}
			return store.BeginRemoval(t.Context(), work, lease, postgres.Removal{}, anybody)
		},
		"Credentials": func(tenantID, podID string) error {
			_, err := store.Credentials(t.Context(), tenantID, podID)
			return err
		},
		"ActionLogs": func(tenantID, podID string) error {
			_, err := store.ActionLogs(t.Context(), tenantID, podID)
			return err
		},
		"Logs": func(tenantID, podID string) error {
			_, _, err := store.Logs(t.Context(), tenantID, podID)
			return err
		},
	}
	for _, tenantID := range []string{"dev2", "de", "devx", "DEV", "%", ""} {
		for name, call := range calls {
			theirs, nowhere := call(tenantID, pod.ID), call(tenantID, pod.ID+"x")
			wantKind(t, name+" as "+tenantID, theirs, pods.KindNotFound)
			wantSame(t, name+" as "+tenantID+" tells whether the pod exists",
				message(theirs, pod.ID), message(nowhere, pod.ID+"x"))
		}
		listed, err := store.ListPods(t.Context(), tenantID, "alice")
		if err != nil || len(listed) != 0 {
			t.Errorf("ListPods as %s shows %d pods (%v), want none", tenantID, len(listed), err)
		}
		if found, err := store.Volumes(t.Context(), tenantID, "alice"); err != nil || len(found) != 0 {
			t.Errorf("Volumes as %s shows %d (%v), want none", tenantID, len(found), err)
		}
		if found, err := store.Snapshots(t.Context(), tenantID, ""); err != nil || len(found) != 0 {
			t.Errorf("Snapshots as %s shows %d (%v), want none", tenantID, len(found), err)
		}
		cursor, err := store.LogCursor(t.Context(), pods.Ref{TenantID: tenantID, PodID: pod.ID, UID: pod.UID, Instance: pod.Instance})
		if err != nil || !cursor.Equal(pods.LogCursor{}) {
			t.Errorf("LogCursor as %s shows %v (%v), want none", tenantID, cursor, err)
		}
	}
	// A caller of another tenant does not get in by naming the right one.
	_, err := store.ChangePod(t.Context(), pod.TenantID, pod.ID, pods.Caller{TenantID: "dev2", Username: "alice"}, reached)
	wantKind(t, "ChangePod by a caller of another tenant", err, pods.KindNotFound)
	wantSame(t, "the pod", stateOf(t, store, pod.TenantID, pod.ID), before)
	wantLogs(t, store, pod, "private\n")

	// The same id in another tenant is another pod.
	other := podstest.Create(t, store, podstest.ID("private"), podstest.InTenant("dev2"))
	if err := store.DeletePod(t.Context(), other.TenantID, other.ID, allow); err != nil {
		t.Fatalf("DeletePod: %v", err)
	}
	wantSame(t, "the pod", stateOf(t, store, pod.TenantID, pod.ID), before)
}

// message is what the user sees, with the pod's id taken out.
func message(err error, podID string) string {
	return err.Error()[:len(err.Error())-len(podID+"' not found")]
}
