package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/volumes"
)

func newVolume(id string) volumes.Volume {
	return volumes.Volume{Base: volumes.Base{
		TenantID: "dev", SiteID: "site", ID: id, Description: "data", SizeLimit: 10, AddedBy: "alice",
		Permissions: permissions.Set{{User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read}},
	}}
}

func newSnapshot(id, cron string) volumes.Snapshot {
	return volumes.Snapshot{Base: newVolume(id).Base, SourceVolumeID: "vol", SourceVolumePath: "/", Cron: cron, RetentionPolicy: "keep_last=2"}
}

func storeVolume(t *testing.T, store *postgres.Store, id string) volumes.Volume {
	t.Helper()
	work, err := store.CreateVolume(t.Context(), newVolume(id), "w-"+id, lease)
	if err != nil {
		t.Fatal(err)
	}
	volume, err := store.VolumeCreated(t.Context(), work, volumes.Usage{})
	if err != nil {
		t.Fatal(err)
	}
	return volume
}

func storeSnapshot(t *testing.T, store *postgres.Store, snapshot volumes.Snapshot) volumes.Snapshot {
	t.Helper()
	work, err := store.CreateSnapshot(t.Context(), snapshot, "w-"+snapshot.ID, lease)
	if err != nil {
		t.Fatal(err)
	}
	made, err := store.SnapshotCreated(t.Context(), work, volumes.Usage{Bytes: 7, Files: 1})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func anybody(context.Context, volumes.Snapshot) error { return nil }

// TestStorageLife takes a volume from its row over its files to its removal and
// back.
func TestStorageLife(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))

	work, err := store.CreateVolume(ctx, newVolume("vol"), "one", lease)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Volume(ctx, "dev", "vol")
	wantKind(t, "a volume without files", err, pods.KindNotFound)
	_, err = store.CreateVolume(ctx, newVolume("vol"), "two", lease)
	wantKind(t, "another of the id", err, pods.KindConflict)
	if _, err := store.VolumeCreated(ctx, work, volumes.Usage{}); err != nil {
		t.Fatal(err)
	}
	volume, err := store.Volume(ctx, "dev", "vol")
	if err != nil || volume.Status != volumes.StatusAvailable || volume.Permissions.Strings()[1] != "bob:READ" {
		t.Errorf("the volume is %+v, %v", volume, err)
	}
	_, err = store.VolumeCreated(ctx, work, volumes.Usage{})
	wantKind(t, "work that is over", err, pods.KindConflict)
	for user, want := range map[string]int{"alice": 1, "bob": 1, "ali": 0, "": 1} {
		if listed, err := store.Volumes(ctx, "dev", user); err != nil || len(listed) != want {
			t.Errorf("%q sees %d volumes (%v), want %d", user, len(listed), err, want)
		}
	}
	storeSnapshot(t, store, newSnapshot("vol", "")) // ids of snapshots are apart

	removing := postgres.Work{Ref: volume.Ref(), Worker: "three"}
	refusal := pods.Conflict("busy")
	err = store.BeginRemoval(ctx, removing, lease, postgres.Removal{}, func(context.Context, volumes.Snapshot) error { return refusal })
	wantKind(t, "a removal that is refused", err, pods.KindConflict)
	if err := store.BeginRemoval(ctx, removing, lease, postgres.Removal{By: "alice", Keep: time.Hour}, anybody); err != nil {
		t.Fatal(err)
	}
	_, err = store.Volume(ctx, "dev", "vol")
	wantKind(t, "a volume that is being removed", err, pods.KindNotFound)
	_, err = store.CreateVolume(ctx, newVolume("vol"), "four", lease)
	wantKind(t, "another while it is being removed", err, pods.KindConflict)
	if err := store.EndRemoval(ctx, removing, "entry-1"); err != nil {
		t.Fatal(err)
	}
	removed, err := store.RemovedEntry(ctx, "entry-1")
	if err != nil || removed.By != "alice" || !removed.PurgeAt.Equal(removed.RemovedAt.Add(time.Hour)) || removed.Ref != volume.Ref() {
		t.Errorf("removed %+v, %v", removed, err)
	}
	if due, err := store.Purgeable(ctx, 10); err != nil || len(due) != 0 {
		t.Errorf("%v goes at once (%v)", due, err)
	}

	if ref, err := store.RestoreRemoved(ctx, "entry-1"); err != nil || ref != volume.Ref() {
		t.Fatalf("restored %v, %v", ref, err)
	}
	restored, err := store.Volume(ctx, "dev", "vol")
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "the restored volume", restored, volume)

	if err := store.BeginRemoval(ctx, removing, lease, postgres.Removal{By: "alice", Keep: time.Hour}, anybody); err != nil {
		t.Fatal(err)
	}
	if err := store.EndRemoval(ctx, removing, "entry-2"); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	if due, err := store.Purgeable(ctx, 10); err != nil || len(due) != 1 || due[0].Entry != "entry-2" {
		t.Errorf("after an hour %v goes (%v)", due, err)
	}
	storeVolume(t, store, "vol")
	_, err = store.RestoreRemoved(ctx, "entry-2")
	wantKind(t, "restore over another", err, pods.KindConflict)
	if _, err := store.RemovedEntry(ctx, "entry-2"); err != nil {
		t.Errorf("a restore that failed lost the entry: %v", err)
	}
}

// TestStorageWorkIsTakenOver: work that is not renewed is somebody else's, once.
func TestStorageWorkIsTakenOver(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))

	work, err := store.CreateSnapshot(ctx, newSnapshot("snap", ""), "killed", lease)
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(lease / 2)
	if err := store.Renew(ctx, work, lease); err != nil {
		t.Fatal(err)
	}
	clock.Advance(lease / 2)
	_, err = store.TakeOver(ctx, "other", lease)
	wantKind(t, "work that was renewed", err, pods.KindNotFound)
	clock.Advance(lease)
	if due, err := store.StorageDue(ctx); err != nil || !due.CleanUp {
		t.Errorf("due is %+v, %v", due, err)
	}
	left, err := store.TakeOver(ctx, "other", lease)
	if err != nil || left.ID != "snap" || left.Object.Status != volumes.StatusCreating {
		t.Fatalf("took over %+v, %v", left, err)
	}
	_, err = store.TakeOver(ctx, "third", lease)
	wantKind(t, "work that was taken over", err, pods.KindNotFound)
	wantKind(t, "Renew by the first", store.Renew(ctx, work, lease), pods.KindConflict)
	_, err = store.SnapshotCreated(ctx, work, volumes.Usage{})
	wantKind(t, "SnapshotCreated by the first", err, pods.KindConflict)
	if err := store.NotCreated(ctx, work); err != nil {
		t.Fatal(err)
	}
	if _, err := store.SnapshotCreated(ctx, left.Work, volumes.Usage{}); err != nil {
		t.Errorf("the second cannot finish: %v", err)
	}
}

// TestSchedulesAreDue: each time is asked for once, and of those that were missed
// one.
func TestSchedulesAreDue(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	schedule := storeSnapshot(t, store, newSnapshot("hourly", "0 * * * *"))
	storeSnapshot(t, store, newSnapshot("never", ""))
	first := clock.Now().Truncate(time.Hour).Add(time.Hour)
	if schedule.NextDueAt == nil || !schedule.NextDueAt.Equal(first) {
		t.Fatalf("first due at %v, want %s", schedule.NextDueAt, first)
	}
	if count, err := store.ScheduleDueSnapshots(ctx, 10); err != nil || count != 0 {
		t.Errorf("%d are due at once, %v", count, err)
	}
	clock.Advance(3*time.Hour + first.Sub(clock.Now()))
	for _, want := range []int{1, 0} {
		if count, err := store.ScheduleDueSnapshots(ctx, 10); err != nil || count != want {
			t.Errorf("%d are due, %v, want %d", count, err, want)
		}
	}
	sent, err := store.UnsentEvents(ctx, 0, 10)
	if err != nil || len(sent) != 1 || sent[0].Type() != events.TypeSnapshotDue || sent[0].Subject() != "dev/hourly" {
		t.Fatalf("sent %v, %v", sent, err)
	}
	var data events.SnapshotDue
	if err := sent[0].DataAs(&data); err != nil || !data.DueAt.Equal(first) {
		t.Errorf("data %+v, %v", data, err)
	}
	taken := storeSnapshot(t, store, schedule.Copy(data.DueAt))
	if taken.NextDueAt != nil || taken.ScheduleID != "hourly" {
		t.Errorf("the copy is %+v", taken)
	}
	if copies, err := store.Copies(ctx, "dev", "hourly"); err != nil || len(copies) != 1 || copies[0].ID != taken.ID {
		t.Errorf("copies %v, %v", copies, err)
	}
	if err := store.ScheduleRan(ctx, schedule.Ref(), first, "no room"); err != nil {
		t.Fatal(err)
	}
	now, err := store.Snapshot(ctx, "dev", "hourly")
	if err != nil || now.LastError != "no room" || !now.LastDueAt.Equal(first) || !now.NextDueAt.Equal(first.Add(4*time.Hour)) {
		t.Errorf("the schedule is %+v, %v", now, err)
	}
	now, err = store.ChangeSnapshot(ctx, "dev", "hourly", func(s volumes.Snapshot) (volumes.Snapshot, error) {
		s.Cron = ""
		return s, nil
	})
	if err != nil || now.NextDueAt != nil {
		t.Errorf("without cron it is %+v, %v", now, err)
	}
}

func TestMeasuring(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	volume := storeVolume(t, store, "vol")
	storeSnapshot(t, store, newSnapshot("snap", "")) // never changes
	claim := func() int {
		t.Helper()
		claimed, err := store.ClaimMeasure(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(claimed)
	}
	if got := claim(); got != 0 {
		t.Errorf("%d are to be measured at once", got)
	}
	if err := store.Uploaded(ctx, volume.Ref(), 100); err != nil {
		t.Fatal(err)
	}
	if now, err := store.Volume(ctx, "dev", "vol"); err != nil || now.Usage.Bytes != 100 {
		t.Errorf("after an upload %+v, %v", now.Usage, err)
	}
	clock.Advance(time.Minute)
	if due, err := store.StorageDue(ctx); err != nil || !due.Measure || due.CleanUp || due.Snapshots {
		t.Errorf("due is %+v, %v", due, err)
	}
	if err := store.AskForUpkeep(ctx, postgres.StorageDue{Measure: true, CleanUp: true}); err != nil {
		t.Fatal(err)
	}
	wantSame(t, "what was asked for", podstest.Types(podstest.Outbox(t, store)), []string{events.TypeVolumeMeasureDue, events.TypeVolumeCleanUpDue})
	for _, want := range []int{1, 0} {
		if got := claim(); got != want {
			t.Errorf("%d are to be measured, want %d", got, want)
		}
	}
	if err := store.Measured(ctx, volume.Ref(), volumes.Usage{Bytes: 12 * volumes.MB, Files: 3}); err != nil {
		t.Fatal(err)
	}
	if now, err := store.Volume(ctx, "dev", "vol"); err != nil || !now.IsFull() || now.Usage.Files != 3 || !now.Usage.MeasuredAt.Equal(clock.Now()) {
		t.Errorf("measured %+v, %v", now.Usage, err)
	}
}

// TestMountingPods finds the pods by both forms of mounts.
func TestMountingPods(t *testing.T) {
	t.Parallel()
	store := podstest.Store(t)
	source := "vol"
	mounts := map[string]map[string]*pods.VolumeMount{
		"byid":   {"vol": {Type: pods.MountVolume}},
		"bypath": {"/data": {Type: pods.MountVolume, SourceID: &source}},
		"other":  {"vol2": {Type: pods.MountVolume}},
		"none":   nil,
	}
	for id, mounts := range mounts {
		podstest.Create(t, store, podstest.ID(id), func(p *pods.Pod) { p.VolumeMounts = mounts })
	}
	podstest.Create(t, store, podstest.ID("templated"), func(p *pods.Pod) { p.Template = "postgres:latest@2026-01-02-03:04:05" })
	podstest.Create(t, store, podstest.ID("elsewhere"), podstest.InTenant("dev2"), func(p *pods.Pod) { p.VolumeMounts = mounts["byid"] })
	found, err := store.MountingPods(t.Context(), "dev", "vol")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, pod := range found {
		ids = append(ids, pod.ID)
	}
	wantSame(t, "the pods", ids, []string{"byid", "bypath", "templated"})
}
