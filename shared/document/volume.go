package document

import (
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/volumes"
)

// NewVolume reads the body of a request that creates a volume, and checks it.
//
// Errors: KindInvalid naming every field at fault.
func NewVolume(data []byte) (volumes.Volume, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	volume := volumes.Volume{Base: volumes.Base{ID: o.required("volume_id"), SizeLimit: volumes.DefaultSizeLimit}}
	o.storage(&volume.Base)
	o.close()
	return volume, Both(pods.InvalidFields(errs), volume.Check())
}

// Volume reads the body of a request that updates a volume and returns volume
// with the fields that are in it.
//
// Errors: KindInvalid naming every field at fault.
func Volume(data []byte, volume volumes.Volume) (volumes.Volume, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	o.storage(&volume.Base)
	o.close()
	return volume, Both(pods.InvalidFields(errs), volume.Check())
}

// NewSnapshot reads the body of a request that creates a snapshot, and checks it.
//
// Errors: KindInvalid naming every field at fault.
func NewSnapshot(data []byte) (volumes.Snapshot, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	snapshot := volumes.Snapshot{
		Base:           volumes.Base{ID: o.required("snapshot_id"), SizeLimit: volumes.DefaultSizeLimit},
		SourceVolumeID: o.required("source_volume_id"), SourceVolumePath: o.required("source_volume_path"),
	}
	set(&snapshot.DestinationPath, o.text("destination_path"))
	o.snapshot(&snapshot)
	o.close()
	return snapshot, Both(pods.InvalidFields(errs), snapshot.Check())
}

// Snapshot reads the body of a request that updates a snapshot and returns
// snapshot with the fields that are in it.
//
// Errors: KindInvalid naming every field at fault.
func Snapshot(data []byte, snapshot volumes.Snapshot) (volumes.Snapshot, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	o.snapshot(&snapshot)
	o.close()
	return snapshot, Both(pods.InvalidFields(errs), snapshot.Check())
}

func (o object) snapshot(snapshot *volumes.Snapshot) {
	o.storage(&snapshot.Base)
	set(&snapshot.Cron, o.text("cron"))
	set(&snapshot.RetentionPolicy, o.text("retention_policy"))
}

func (o object) storage(base *volumes.Base) {
	set(&base.Description, o.text("description"))
	set(&base.SizeLimit, o.number("size_limit"))
}

// Restore is what a user sends to copy a snapshot into a volume.
type Restore struct {
	VolumeID string
	Path     string
}

// RestoreSnapshot reads the body of a request that copies a snapshot into a
// volume.
//
// Errors: KindInvalid naming every field at fault.
func RestoreSnapshot(data []byte) (Restore, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	restore := Restore{VolumeID: o.required("volume_id"), Path: "/"}
	set(&restore.Path, o.text("path"))
	o.close()
	return restore, pods.InvalidFields(errs)
}
