package client

import (
	"strings"

	"github.com/pods-service/pods/shared/client/api"
	"github.com/pods-service/pods/shared/volumes"
)

// Volume is a volume as the API shows it.
type Volume = api.VolumeResponseModel

// Snapshot is a snapshot as the API shows it.
type Snapshot = api.SnapshotResponseModel

// File describes a file, folder or link in a volume or snapshot.
type File = api.FileModel

// FromVolume returns volume as the API shows it.
func FromVolume(volume volumes.Volume) Volume {
	return Volume{
		VolumeID: volume.ID, Description: volume.Description, SizeLimit: int(volume.SizeLimit),
		Size: int(volume.Usage.MB()), Status: string(volume.Status), Usage: fromUsage(volume.Usage),
		CreationTS: Time{Time: volume.CreationTS}, UpdateTS: Time{Time: volume.UpdateTS},
	}
}

// FromSnapshot returns snapshot as the API shows it.
func FromSnapshot(snapshot volumes.Snapshot) Snapshot {
	return Snapshot{
		SnapshotID: snapshot.ID, SourceVolumeID: snapshot.SourceVolumeID, SourceVolumePath: snapshot.SourceVolumePath,
		DestinationPath: snapshot.DestinationPath, Description: snapshot.Description, SizeLimit: int(snapshot.SizeLimit),
		Cron: snapshot.Cron, RetentionPolicy: snapshot.RetentionPolicy,
		Size: int(snapshot.Usage.MB()), Status: string(snapshot.Status), Usage: fromUsage(snapshot.Usage),
		CreationTS: Time{Time: snapshot.CreationTS}, UpdateTS: Time{Time: snapshot.UpdateTS},
		ScheduleID: snapshot.ScheduleID, DueTS: fromTime(snapshot.DueAt), NextDueTS: fromTime(snapshot.NextDueAt), LastError: snapshot.LastError,
	}
}

func fromUsage(usage volumes.Usage) api.StorageUsage {
	return api.StorageUsage{Bytes: usage.Bytes, Files: usage.Files, MeasuredTS: fromTime(usage.MeasuredAt)}
}

// FilePath returns a path below the root of a volume or snapshot as the API
// shows it: with a slash in front, and without what JSON cannot hold.
func FilePath(path string) string { return "/" + strings.ToValidUTF8(path, "\uFFFD") }
