package server

import (
	"context"
	"errors"
	"reflect"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/volumes"
)

func (s *Server) snapshotRoutes() []rest.Route {
	return []rest.Route{
		{Pattern: "GET /pods/snapshots", Level: permissions.None, Handle: s.listSnapshots},
		{Pattern: "POST /pods/snapshots", Level: permissions.None, Timeout: transferTimeout, Handle: s.storage(s.createSnapshot)},
		{Pattern: "GET /pods/snapshots/{snapshot_id}", Level: permissions.Read, Handle: s.getSnapshot},
		{Pattern: "PUT /pods/snapshots/{snapshot_id}", Level: permissions.User, Handle: s.updateSnapshot},
		{Pattern: "DELETE /pods/snapshots/{snapshot_id}", Level: permissions.Admin, Handle: s.storage(s.deleteSnapshot)},
		{Pattern: "GET /pods/snapshots/{snapshot_id}/list", Level: permissions.Read, Timeout: listTimeout, Handle: s.storage(s.listSnapshotFiles)},
		{Pattern: "GET /pods/snapshots/{snapshot_id}/contents/{path...}", Level: permissions.User, Timeout: transferTimeout, Handle: s.storage(s.getContents)},
		{Pattern: "GET /pods/snapshots/{snapshot_id}/download/{path...}", Level: permissions.User, Timeout: transferTimeout, Handle: s.storage(s.getContents)},
		{Pattern: "POST /pods/snapshots/{snapshot_id}/restore", Level: permissions.User, Timeout: transferTimeout, Handle: s.storage(s.restoreSnapshot)},
		{Pattern: "GET /pods/snapshots/{snapshot_id}/permissions", Level: permissions.Read, Handle: s.getSnapshotPermissions},
		{Pattern: "POST /pods/snapshots/{snapshot_id}/permissions", Level: permissions.Admin, Handle: s.setSnapshotPermission},
		{Pattern: "DELETE /pods/snapshots/{snapshot_id}/permissions/{user}", Level: permissions.Admin, Handle: s.deleteSnapshotPermission},
	}
}

// listSnapshots serves GET /pods/snapshots: those that the caller may read.
func (s *Server) listSnapshots(ctx context.Context, req *rest.Request) (rest.Result, error) {
	list, metadata, err := visibleStorage(ctx, req.Caller, s.Store.Snapshots, fromSnapshot)
	if err != nil {
		return rest.Result{}, err
	}
	shown := make([]client.Snapshot, len(list))
	for i, snapshot := range list {
		shown[i] = client.FromSnapshot(snapshot)
	}
	return rest.Result{Message: "Snapshots retrieved successfully.", Metadata: metadata, Value: shown}, nil
}

// createSnapshot serves POST /pods/snapshots. The copy is complete when it
// answers.
//
// Errors: KindInvalid for fields, and for a source that is not there;
// KindForbidden without USER on the source volume; KindConflict when the id is
// taken.
func (s *Server) createSnapshot(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	snapshot, err := document.NewSnapshot(data)
	if err != nil {
		return rest.Result{}, err
	}
	snapshot.TenantID, snapshot.SiteID, snapshot.AddedBy = req.Caller.TenantID, req.Caller.SiteID, req.Caller.Username
	snapshot.Permissions = permissions.Set{{User: req.Caller.Username, Level: permissions.Admin}}
	source, err := s.sourceVolume(ctx, req.Caller, snapshot.SourceVolumeID)
	if err != nil {
		return rest.Result{}, err
	}
	if err := s.checkSource(source, snapshot); err != nil {
		return rest.Result{}, err
	}
	if err := snapshot.CheckInterval(s.SnapshotInterval); err != nil {
		return rest.Result{}, err
	}
	created, err := s.Objects.CreateSnapshot(ctx, snapshot)
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Snapshot created successfully.", Metadata: fullness(fromSnapshot(created)), Value: client.FromSnapshot(created)}, nil
}

// sourceVolume returns the volume that a snapshot is to be made of, if the caller
// may copy its files.
//
// Errors: KindInvalid for a volume that is not there, or that the caller may not
// see; KindForbidden for one that they may only read.
func (s *Server) sourceVolume(ctx context.Context, caller pods.Caller, id string) (volumes.Volume, error) {
	volume, err := s.Store.Volume(ctx, caller.TenantID, id)
	if err == nil {
		err = permissions.Check(caller, volume.Object(), permissions.User)
	}
	switch pods.KindOf(err) {
	case pods.KindNotFound:
		return volumes.Volume{}, pods.Invalid("source_volume_id does not exist in our database: '%s'", id)
	case pods.KindForbidden:
		return volumes.Volume{}, pods.Forbidden("User does not have permission to use source_volume_id '%s'. It needs level USER.", id)
	}
	return volume, err
}

// checkSource checks that there is what the snapshot is to be a copy of.
//
// Errors: KindInvalid.
func (s *Server) checkSource(source volumes.Volume, snapshot volumes.Snapshot) error {
	found, err := s.Files.Stat(context.Background(), objects.FilesOf(source.Ref()), snapshot.SourceVolumePath)
	switch {
	case pods.KindOf(err) == pods.KindNotFound:
		return pods.Invalid("source_volume_path '%s' does not exist in volume '%s'", snapshot.SourceVolumePath, source.ID)
	case err != nil:
		return err
	case found.Type == files.TypeFile && snapshot.DestinationPath == "":
		return pods.Invalid("destination_path must be set if source_volume_path is a file")
	}
	return nil
}

// loadSnapshot returns a snapshot, if the caller may act on it as the route does.
//
// Errors: volumes.NotFound, also for a snapshot that the caller may not see;
// KindForbidden.
func (s *Server) loadSnapshot(ctx context.Context, req *rest.Request, id string) (volumes.Snapshot, error) {
	snapshot, err := s.Store.Snapshot(ctx, req.Caller.TenantID, id)
	if err != nil {
		return volumes.Snapshot{}, err
	}
	return snapshot, permissions.Check(req.Caller, snapshot.Object(), req.Level)
}

// getSnapshot serves GET /pods/snapshots/{snapshot_id}.
func (s *Server) getSnapshot(ctx context.Context, req *rest.Request) (rest.Result, error) {
	snapshot, err := s.loadSnapshot(ctx, req, req.PathValue("snapshot_id"))
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Snapshot retrieved successfully.", Metadata: fullness(fromSnapshot(snapshot)), Value: client.FromSnapshot(snapshot)}, nil
}

// changeSnapshot runs fn on the snapshot that the path names, in one transaction,
// if the caller may act on it as the route does.
func (s *Server) changeSnapshot(
	ctx context.Context, req *rest.Request, fn func(volumes.Snapshot) (volumes.Snapshot, error),
) (volumes.Snapshot, error) {
	return s.Store.ChangeSnapshot(ctx, req.Caller.TenantID, req.PathValue("snapshot_id"), func(snapshot volumes.Snapshot) (volumes.Snapshot, error) {
		if err := permissions.Check(req.Caller, snapshot.Object(), req.Level); err != nil {
			return volumes.Snapshot{}, err
		}
		return fn(snapshot)
	})
}

// updateSnapshot serves PUT /pods/snapshots/{snapshot_id}. Who sets a schedule
// needs USER on the source volume: it goes on copying what the snapshot alone may
// show no more.
//
// Errors: KindInvalid for fields; those of sourceVolume for a new schedule.
func (s *Server) updateSnapshot(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	current, err := s.loadSnapshot(ctx, req, req.PathValue("snapshot_id"))
	if err != nil {
		return rest.Result{}, err
	}
	_, maySchedule := s.sourceVolume(ctx, req.Caller, current.SourceVolumeID)
	updated, err := s.changeSnapshot(ctx, req, func(snapshot volumes.Snapshot) (volumes.Snapshot, error) {
		current = snapshot
		updated, err := document.Snapshot(data, snapshot)
		switch {
		case err != nil:
		case updated.Cron != snapshot.Cron && updated.Cron != "":
			if err = maySchedule; err == nil {
				err = updated.CheckInterval(s.SnapshotInterval)
			}
		case reflect.DeepEqual(updated, snapshot):
			err = errUnchanged
		}
		return updated, err
	})
	if errors.Is(err, errUnchanged) {
		return unchanged("snapshot", client.FromSnapshot(current)), nil
	}
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Snapshot updated successfully.", Metadata: fullness(fromSnapshot(updated)), Value: client.FromSnapshot(updated)}, nil
}

// deleteSnapshot serves DELETE /pods/snapshots/{snapshot_id}. The copies that its
// schedule has made stay.
//
// Errors: KindConflict while a pod that is wanted to run mounts it.
func (s *Server) deleteSnapshot(ctx context.Context, req *rest.Request) (rest.Result, error) {
	ref := volumes.Ref{TenantID: req.Caller.TenantID, Kind: volumes.KindSnapshot, ID: req.PathValue("snapshot_id")}
	err := s.Objects.Remove(ctx, ref, req.Caller.Username, func(found volumes.Snapshot) error {
		return permissions.Check(req.Caller, found.Object(), req.Level)
	})
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Snapshot successfully deleted.", Value: ""}, nil
}

// restoreSnapshot serves POST /pods/snapshots/{snapshot_id}/restore: the files of
// the snapshot replace those of the volume that have the same paths, and the
// others of the volume stay.
//
// Errors: KindNotFound for a volume that is not there; KindForbidden without USER
// on it; KindTooLarge when the files would take it past its limit; those of
// files.Store.Copy.
func (s *Server) restoreSnapshot(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	snapshot, err := s.loadSnapshot(ctx, req, req.PathValue("snapshot_id"))
	if err != nil {
		return rest.Result{}, err
	}
	sent, err := document.RestoreSnapshot(data)
	if err != nil {
		return rest.Result{}, err
	}
	volume, err := s.loadVolume(ctx, req, sent.VolumeID)
	if err != nil {
		return rest.Result{}, err
	}
	room := roomIn(volume, 0)
	if room <= 0 {
		return rest.Result{}, pastLimit(volume)
	}
	size, err := s.Files.Copy(ctx, objects.FilesOf(snapshot.Ref()), "", objects.FilesOf(volume.Ref()), sent.Path, files.CopyMode{Over: true, Limit: room})
	if pods.KindOf(err) == pods.KindTooLarge && size.Bytes == 0 {
		return rest.Result{}, pastLimit(volume)
	}
	if err != nil {
		return rest.Result{}, err
	}
	if err := s.Store.Uploaded(ctx, volume.Ref(), size.Bytes); err != nil {
		return rest.Result{}, err
	}
	volume.Usage.Bytes += size.Bytes // about, until it is measured
	return rest.Result{Message: "Snapshot restored successfully.", Metadata: fullness(fromVolume(volume)), Value: client.FromVolume(volume)}, nil
}

// getSnapshotPermissions serves GET /pods/snapshots/{snapshot_id}/permissions.
func (s *Server) getSnapshotPermissions(ctx context.Context, req *rest.Request) (rest.Result, error) {
	snapshot, err := s.loadSnapshot(ctx, req, req.PathValue("snapshot_id"))
	if err != nil {
		return rest.Result{}, err
	}
	return permissionsResult("Snapshot permissions retrieved successfully.", snapshot.Permissions), nil
}

// setSnapshotPermission serves POST /pods/snapshots/{snapshot_id}/permissions: it
// replaces the level of one user.
//
// Errors: KindInvalid for an unknown level or when nobody would be left with
// ADMIN.
func (s *Server) setSnapshotPermission(ctx context.Context, req *rest.Request) (rest.Result, error) {
	edit, err := editPermissions(req, permissions.SnapshotType)
	if err != nil {
		return rest.Result{}, err
	}
	return s.changeSnapshotPermissions(ctx, req, "Snapshot permissions updated successfully.", edit)
}

// deleteSnapshotPermission serves
// DELETE /pods/snapshots/{snapshot_id}/permissions/{user}.
//
// Errors: KindNotFound when there is no entry; KindInvalid when nobody would be
// left with ADMIN.
func (s *Server) deleteSnapshotPermission(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.changeSnapshotPermissions(ctx, req, "Snapshot permission deleted successfully.", withoutUser(req, permissions.SnapshotType))
}

func (s *Server) changeSnapshotPermissions(
	ctx context.Context, req *rest.Request, message string, edit func(permissions.Set) (permissions.Set, error),
) (rest.Result, error) {
	changed, err := s.changeSnapshot(ctx, req, func(snapshot volumes.Snapshot) (volumes.Snapshot, error) {
		var err error
		snapshot.Permissions, err = edit(snapshot.Permissions)
		return snapshot, err
	})
	if err != nil {
		return rest.Result{}, err
	}
	return permissionsResult(message, changed.Permissions), nil
}
