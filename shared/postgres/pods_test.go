package postgres_test

import (
	"errors"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
)

func TestCreatePod(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		mutate func(*pods.Pod)
		event  string
	}{
		"On":  {func(*pods.Pod) {}, events.TypePodRequested},
		"Off": {podstest.Off, events.TypePodUpdated},
		"AllFields": {func(pod *pods.Pod) {
			pod.Template = "postgres:latest@2030-01-02-03:04:05"
			pod.Command, pod.Arguments = []string{}, []string{"-c", "a 'b' \"c\""}
			pod.TimeToStopInstance = new(int64(600))
			pod.VolumeMounts = map[string]*pods.VolumeMount{
				"vol1": {Type: pods.MountVolume, MountPath: new("/data")}, "/gone": nil,
			}
			pod.EnvironmentVariables = map[string]string{"A": "ü \u2028 \\u0000 <TAPIS_user_password>"}
			pod.Networking["db"] = pods.Networking{Protocol: pods.ProtocolPostgres, Port: 5432}
		}, events.TypePodRequested},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var told []cloudevents.Event
			store := podstest.Store(t, podstest.WithCommitted(func(e []cloudevents.Event) { told = append(told, e...) }))
			pod := podstest.Pod(tc.mutate)
			created, err := store.CreatePod(t.Context(), pod, pods.NewCredentials(pod.ID), "alice")
			if err != nil {
				t.Fatalf("CreatePod: %v", err)
			}
			wantSame(t, "the returned pod", created, pod)

			got := stateOf(t, store, pod.TenantID, pod.ID)
			wantSame(t, "the stored pod", got, state{
				Pod: pod, Permissions: permissions.Set{{User: "alice", Level: permissions.Admin}},
				Actions: []string{pods.ActionLine(pod.CreationTS, pods.ActionCreated("alice"))}, Events: 1,
			})
			if (pod.Command == nil) != (got.Pod.Command == nil) {
				t.Errorf("command %#v became %#v: no command and an empty one differ", pod.Command, got.Pod.Command)
			}
			outbox := podstest.Outbox(t, store)
			wantSame(t, "the outbox", podstest.Types(outbox), []string{tc.event})
			wantSame(t, "the ids told of after the commit", ids(told), ids(outbox))
			var data events.PodData
			if err := outbox[0].DataAs(&data); err != nil {
				t.Fatalf("read event: %v", err)
			}
			wantSame(t, "the event's data", data, events.Data(pod))
		})
	}
}

func ids(all []cloudevents.Event) []string {
	found := make([]string, len(all))
	for i, event := range all {
		found[i] = event.ID()
	}
	return found
}

func TestCreatePodTwice(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	first := podstest.Create(t, store)
	before := stateOf(t, store, first.TenantID, first.ID)

	again := podstest.Pod()
	_, err := store.CreatePod(t.Context(), again, pods.NewCredentials(again.ID), "bob")

	wantKind(t, "second CreatePod", err, pods.KindConflict)
	var shown *pods.Error
	if want := "Duplicate key found: pod_id 'docpod' is already taken in this tenant. " +
		"Choose another, or delete the pod first."; !errors.As(err, &shown) || shown.Message != want {
		t.Errorf("the user sees %v, want %q", err, want)
	}
	wantSame(t, "the first pod", stateOf(t, store, first.TenantID, first.ID), before)
}

func TestCreatePodAtOnce(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	create := func() error {
		pod := podstest.Pod()
		_, err := store.CreatePod(t.Context(), pod, pods.NewCredentials(pod.ID), "alice")
		return err
	}
	made := 0
	for _, err := range atOnce(create, create, create, create) {
		if err == nil {
			made++
			continue
		}
		wantKind(t, "CreatePod", err, pods.KindConflict)
	}
	if events := len(podstest.Outbox(t, store)); made != 1 || events != 1 {
		t.Errorf("%d pods and %d events were made, want one of each", made, events)
	}
}

// A create is one transaction: what its later statements cannot store leaves
// nothing of the earlier ones.
func TestCreatePodAllOrNothing(t *testing.T) {
	t.Parallel()

	told := 0
	store := podstest.Store(t, podstest.WithCommitted(func([]cloudevents.Event) { told++ }))
	pod := podstest.Pod()
	if _, err := store.CreatePod(t.Context(), pod, pods.NewCredentials(pod.ID), "no text for Postgres: \x00"); err == nil {
		t.Fatal("CreatePod stored a user name that Postgres cannot hold")
	}
	_, _, err := store.Pod(t.Context(), pod.TenantID, pod.ID)
	wantKind(t, "Pod", err, pods.KindNotFound)
	if events := len(podstest.Outbox(t, store)); events != 0 || told != 0 {
		t.Errorf("%d events were stored and %d told of, want none", events, told)
	}
	if _, err := store.CreatePod(t.Context(), pod, pods.NewCredentials(pod.ID), "alice"); err != nil {
		t.Errorf("CreatePod after that: %v", err)
	}
}

func TestDeletePod(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	before := stateOf(t, store, pod.TenantID, pod.ID)
	refuse := pods.Forbidden("no")

	err := store.DeletePod(t.Context(), pod.TenantID, pod.ID, func(shown pods.Pod, set permissions.Set) error {
		wantSame(t, "the pod shown to authorize", shown, before.Pod)
		wantSame(t, "the permissions shown to authorize", set, before.Permissions)
		return refuse
	})
	if !errors.Is(err, refuse) {
		t.Errorf("DeletePod = %v, want authorize's error as it is", err)
	}
	wantSame(t, "the pod after a refused delete", stateOf(t, store, pod.TenantID, pod.ID), before)

	if err := store.DeletePod(t.Context(), pod.TenantID, pod.ID, allow); err != nil {
		t.Fatalf("DeletePod: %v", err)
	}
	wantKind(t, "second DeletePod", store.DeletePod(t.Context(), pod.TenantID, pod.ID, allow), pods.KindNotFound)

	outbox := podstest.Outbox(t, store)
	last := outbox[len(outbox)-1]
	var data events.PodData
	if err := last.DataAs(&data); err != nil || last.Type() != events.TypePodDeleted {
		t.Fatalf("the last event is %s (%v), want %s", last.Type(), err, events.TypePodDeleted)
	}
	wantSame(t, "the event's data", data, events.PodData{
		TenantID: pod.TenantID, PodID: pod.ID, UID: pod.UID, Instance: pod.Instance, K8sName: pod.K8sName,
	})
	wantEmptyTables(t, podstest.Pool(t, store), "pods", "pod_permissions", "pod_credentials", "pod_actions", "log_runs", "log_chunks")
}

func TestDeletePodAndCreateAgainAtOnce(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	old := podstest.CreateIn(t, store, pods.StatusAvailable)
	if err := store.DeletePod(t.Context(), old.TenantID, old.ID, allow); err != nil {
		t.Fatalf("DeletePod: %v", err)
	}
	fresh := podstest.Create(t, store)

	if fresh.UID == old.UID || fresh.K8sName != old.K8sName {
		t.Fatalf("the new life is %s/%s after %s/%s, want another uid under the same name", fresh.UID, fresh.K8sName, old.UID, old.K8sName)
	}
	stones, err := store.TombstonesByK8sName(t.Context(), old.K8sName)
	if err != nil {
		t.Fatalf("TombstonesByK8sName: %v", err)
	}
	stone := pods.Tombstone{TenantID: old.TenantID, PodID: old.ID, UID: old.UID, K8sName: old.K8sName, DeletedAt: old.CreationTS}
	wantSame(t, "tombstones", stones, []pods.Tombstone{stone})

	// What is late of the old life does not reach the new one.
	_, err = store.Move(t.Context(), pods.Move{Ref: old.Ref(), By: pods.ActorHealth, To: pods.StatusError})
	wantKind(t, "a late move", err, pods.KindConflict)
	_, _, err = store.ClaimPod(t.Context(), old.Ref())
	wantKind(t, "a late claim", err, pods.KindConflict)

	for range 2 { // a repeated removal is none
		if err := store.RemoveTombstone(t.Context(), old.UID); err != nil {
			t.Fatalf("RemoveTombstone: %v", err)
		}
	}
	stones, err = store.Tombstones(t.Context())
	if err != nil || len(stones) != 0 {
		t.Errorf("tombstones are %v (%v), want none", stones, err)
	}
	wantKind(t, "ResendDeleted without a tombstone", store.ResendDeleted(t.Context(), stone), pods.KindConflict)
}
