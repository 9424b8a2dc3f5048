package objects

import (
	"context"
	"errors"
	"fmt"

	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/volumes"
)

// CreateVolume makes a volume and returns it as it is AVAILABLE.
//
// Errors: KindConflict when the tenant has one of that id, or files of one whose
// row is gone; those of files.Store.Create.
func (o *Objects) CreateVolume(ctx context.Context, volume volumes.Volume) (volumes.Volume, error) {
	work, err := o.store.CreateVolume(ctx, volume, newWorker(), leaseTime)
	if err != nil {
		return volumes.Volume{}, err
	}
	if err := o.makeFolder(ctx, work); err != nil {
		return volumes.Volume{}, o.giveUp(ctx, work, err)
	}
	return o.store.VolumeCreated(ctx, work, volumes.Usage{})
}

// makeFolder makes the folder of a new volume. One that is there may be of an
// attempt that was cut short, and is empty then.
func (o *Objects) makeFolder(ctx context.Context, work postgres.Work) error {
	object := FilesOf(work.Ref)
	if err := o.files.Create(ctx, object); err != nil {
		return err
	}
	err := o.files.List(ctx, object, "", false, func(files.File) error { return errNotEmpty })
	if errors.Is(err, errNotEmpty) {
		return pods.Conflict("There are files of an earlier volume '%s' which the service does not know any more. Choose another volume_id, or ask an operator to look at them.", work.ID)
	}
	return err
}

// giveUp removes the row of what has got no files, and returns why.
func (o *Objects) giveUp(ctx context.Context, work postgres.Work, err error) error {
	ctx, cancel := closing(ctx)
	defer cancel()
	if undo := o.store.NotCreated(ctx, work); undo != nil {
		err = fmt.Errorf("%w (its row stays until it is cleared away: %w)", err, undo)
	}
	return err
}

// CreateSnapshot copies the files that a snapshot is to hold and returns it as it
// is AVAILABLE. A copy that fails or is cut short leaves nothing.
//
// Errors: KindConflict when the tenant has one of that id, or files of one whose
// row is gone; those of files.Store.Copy.
func (o *Objects) CreateSnapshot(ctx context.Context, snapshot volumes.Snapshot) (volumes.Snapshot, error) {
	work, err := o.store.CreateSnapshot(ctx, snapshot, newWorker(), leaseTime)
	if err != nil {
		return volumes.Snapshot{}, err
	}
	return o.fill(ctx, work, snapshot)
}

// fill copies the files of a snapshot that is CREATING.
func (o *Objects) fill(ctx context.Context, work postgres.Work, snapshot volumes.Snapshot) (volumes.Snapshot, error) {
	source := FilesOf(volumes.Ref{TenantID: snapshot.TenantID, Kind: volumes.KindVolume, ID: snapshot.SourceVolumeID})
	held, release := o.hold(ctx, work)
	size, err := o.files.Copy(held, source, snapshot.SourceVolumePath, FilesOf(work.Ref), snapshot.DestinationPath, files.CopyMode{})
	release()
	if err != nil {
		return volumes.Snapshot{}, o.giveUp(ctx, work, err)
	}
	// The files are in their place: should this fail, Finish does it.
	end, cancel := closing(ctx)
	defer cancel()
	return o.store.SnapshotCreated(end, work, usageOf(size))
}
