package objects

import (
	"context"
	"fmt"
	"slices"

	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/volumes"
)

// Remove removes a volume or snapshot for user by, if authorize does not object
// to it and no pod that is wanted to run mounts it. It can be restored as long as
// the grace period lasts. A volume is shown to authorize as a snapshot that has
// the Base alone.
//
// Errors: volumes.NotFound; what authorize returns, as it is; volumes.Busy.
func (o *Objects) Remove(ctx context.Context, ref volumes.Ref, by string, authorize func(volumes.Snapshot) error) error {
	work := postgres.Work{Ref: ref, Worker: newWorker()}
	removal := postgres.Removal{By: by, Keep: o.grace}
	err := o.store.BeginRemoval(ctx, work, leaseTime, removal, func(ctx context.Context, found volumes.Snapshot) error {
		if err := authorize(found); err != nil {
			return err
		}
		return o.checkMounts(ctx, ref)
	})
	if err != nil {
		return err
	}
	// For users it is gone. What fails from here on, Finish does.
	end, cancel := closing(ctx)
	defer cancel()
	if err := o.finishRemoval(end, work); err != nil {
		o.log(ctx, "the rest of a removal is left for later", ref, err)
	}
	return nil
}

// finishRemoval moves the files of what is DELETING into quarantine, and its row
// to what was removed.
func (o *Objects) finishRemoval(ctx context.Context, work postgres.Work) error {
	if err := o.files.Remove(ctx, FilesOf(work.Ref)); err != nil {
		return fmt.Errorf("remove the files of %s %s: %w", work.Kind, work.ID, err)
	}
	entry, err := o.entryOf(ctx, work.Ref)
	if err != nil {
		return err
	}
	return o.store.EndRemoval(ctx, work, entry)
}

// entryOf returns the entry in quarantine of what is being removed, empty when it
// had no files. They may have been moved by a process that was killed then: no
// other object of the id can have been made since, so it is the newest entry,
// unless that belongs to an object that was removed before.
func (o *Objects) entryOf(ctx context.Context, ref volumes.Ref) (string, error) {
	object := FilesOf(ref)
	all, err := o.files.Quarantined(ctx)
	if err != nil {
		return "", fmt.Errorf("look for %s in quarantine: %w", object, err)
	}
	all = slices.DeleteFunc(all, func(r files.Removed) bool { return r.Object != object })
	if len(all) == 0 {
		return "", nil
	}
	newest := slices.MaxFunc(all, func(a, b files.Removed) int { return a.At.Compare(b.At) })
	_, err = o.store.RemovedEntry(ctx, newest.Entry)
	switch pods.KindOf(err) {
	case pods.KindNotFound:
		return newest.Entry, nil
	case "":
		return "", nil
	}
	return "", err
}

// mountTypes are the types of the mounts by which pods use what there is.
var mountTypes = map[volumes.Kind]string{
	volumes.KindVolume: pods.MountVolume, volumes.KindSnapshot: pods.MountSnapshot,
}

// checkMounts refuses what a pod that is wanted to run mounts, by itself or
// through a template.
//
// Errors: volumes.Busy.
func (o *Objects) checkMounts(ctx context.Context, ref volumes.Ref) error {
	candidates, err := o.store.MountingPods(ctx, ref.TenantID, ref.ID)
	if err != nil {
		return err
	}
	for _, pod := range candidates {
		// A pod whose template is gone still has the mounts of its own.
		if derived, err := o.deriver.Derive(ctx, pod); err == nil {
			pod = derived.Pod
		}
		for _, mount := range pod.Mounts() {
			if mount.SourceID == ref.ID && mount.Type == mountTypes[ref.Kind] {
				return volumes.Busy(ref.Kind, ref.ID, pod.ID)
			}
		}
	}
	return nil
}

// Restore brings back what was deleted, with its files and permissions; entry
// names it, as Removed has it. It can be repeated when it was cut short.
//
// Errors: KindNotFound for an unknown entry; KindConflict when the tenant has
// another of that id since.
func (o *Objects) Restore(ctx context.Context, entry string) (volumes.Ref, error) {
	removed, err := o.store.RemovedEntry(ctx, entry)
	if err != nil {
		return volumes.Ref{}, err
	}
	_, err = o.files.Restore(ctx, entry)
	if pods.KindOf(err) == pods.KindNotFound {
		// Brought back already, or gone for good.
		_, err = o.files.Measure(ctx, FilesOf(removed.Ref))
	}
	if err != nil {
		return volumes.Ref{}, fmt.Errorf("restore the files of %s %s: %w", removed.Kind, removed.ID, err)
	}
	return o.store.RestoreRemoved(ctx, entry)
}
