package server

import (
	"context"
	"errors"
	"reflect"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/volumes"
)

func (s *Server) volumeRoutes() []rest.Route {
	return []rest.Route{
		{Pattern: "GET /pods/volumes", Level: permissions.None, Handle: s.listVolumes},
		{Pattern: "POST /pods/volumes", Level: permissions.None, Handle: s.storage(s.createVolume)},
		{Pattern: "GET /pods/volumes/{volume_id}", Level: permissions.Read, Handle: s.getVolume},
		{Pattern: "PUT /pods/volumes/{volume_id}", Level: permissions.User, Handle: s.updateVolume},
		{Pattern: "DELETE /pods/volumes/{volume_id}", Level: permissions.Admin, Handle: s.storage(s.deleteVolume)},
		{Pattern: "GET /pods/volumes/{volume_id}/list", Level: permissions.Read, Timeout: listTimeout, Handle: s.storage(s.listVolumeFiles)},
		{Pattern: "GET /pods/volumes/{volume_id}/contents/{path...}", Level: permissions.User, Timeout: transferTimeout, Handle: s.storage(s.getContents)},
		{Pattern: "GET /pods/volumes/{volume_id}/download/{path...}", Level: permissions.User, Timeout: transferTimeout, Handle: s.storage(s.getContents)},
		{
			Pattern: "POST /pods/volumes/{volume_id}/upload/{path...}", Level: permissions.User,
			Timeout: transferTimeout, MaxBody: maxUpload, Handle: s.storage(s.uploadToVolume),
		},
		{Pattern: "GET /pods/volumes/{volume_id}/permissions", Level: permissions.Read, Handle: s.getVolumePermissions},
		{Pattern: "POST /pods/volumes/{volume_id}/permissions", Level: permissions.Admin, Handle: s.setVolumePermission},
		{Pattern: "DELETE /pods/volumes/{volume_id}/permissions/{user}", Level: permissions.Admin, Handle: s.deleteVolumePermission},
	}
}

// listVolumes serves GET /pods/volumes: those that the caller may read.
func (s *Server) listVolumes(ctx context.Context, req *rest.Request) (rest.Result, error) {
	list, metadata, err := visibleStorage(ctx, req.Caller, s.Store.Volumes, fromVolume)
	if err != nil {
		return rest.Result{}, err
	}
	shown := make([]client.Volume, len(list))
	for i, volume := range list {
		shown[i] = client.FromVolume(volume)
	}
	return rest.Result{Message: "Volumes retrieved successfully.", Metadata: metadata, Value: shown}, nil
}

// createVolume serves POST /pods/volumes. The volume is there when it answers.
//
// Errors: KindInvalid for fields; KindConflict when the id is taken.
func (s *Server) createVolume(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	volume, err := document.NewVolume(data)
	if err != nil {
		return rest.Result{}, err
	}
	volume.TenantID, volume.SiteID, volume.AddedBy = req.Caller.TenantID, req.Caller.SiteID, req.Caller.Username
	volume.Permissions = permissions.Set{{User: req.Caller.Username, Level: permissions.Admin}}
	created, err := s.Objects.CreateVolume(ctx, volume)
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Volume created successfully.", Value: client.FromVolume(created)}, nil
}

// loadVolume returns a volume, if the caller may act on it as the route does.
//
// Errors: volumes.NotFound, also for a volume that the caller may not see;
// KindForbidden.
func (s *Server) loadVolume(ctx context.Context, req *rest.Request, id string) (volumes.Volume, error) {
	volume, err := s.Store.Volume(ctx, req.Caller.TenantID, id)
	if err != nil {
		return volumes.Volume{}, err
	}
	return volume, permissions.Check(req.Caller, volume.Object(), req.Level)
}

// getVolume serves GET /pods/volumes/{volume_id}.
func (s *Server) getVolume(ctx context.Context, req *rest.Request) (rest.Result, error) {
	volume, err := s.loadVolume(ctx, req, req.PathValue("volume_id"))
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Volume retrieved successfully.", Metadata: fullness(fromVolume(volume)), Value: client.FromVolume(volume)}, nil
}

// changeVolume runs fn on the volume that the path names, in one transaction, if
// the caller may act on it as the route does.
func (s *Server) changeVolume(
	ctx context.Context, req *rest.Request, fn func(volumes.Volume) (volumes.Volume, error),
) (volumes.Volume, error) {
	return s.Store.ChangeVolume(ctx, req.Caller.TenantID, req.PathValue("volume_id"), func(volume volumes.Volume) (volumes.Volume, error) {
		if err := permissions.Check(req.Caller, volume.Object(), req.Level); err != nil {
			return volumes.Volume{}, err
		}
		return fn(volume)
	})
}

// updateVolume serves PUT /pods/volumes/{volume_id}.
//
// Errors: KindInvalid for fields.
func (s *Server) updateVolume(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	var current volumes.Volume
	updated, err := s.changeVolume(ctx, req, func(volume volumes.Volume) (volumes.Volume, error) {
		current = volume
		updated, err := document.Volume(data, volume)
		if err == nil && reflect.DeepEqual(updated, volume) {
			err = errUnchanged
		}
		return updated, err
	})
	if errors.Is(err, errUnchanged) {
		return unchanged("volume", client.FromVolume(current)), nil
	}
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Volume updated successfully.", Metadata: fullness(fromVolume(updated)), Value: client.FromVolume(updated)}, nil
}

// deleteVolume serves DELETE /pods/volumes/{volume_id}.
//
// Errors: KindConflict while a pod that is wanted to run mounts it.
func (s *Server) deleteVolume(ctx context.Context, req *rest.Request) (rest.Result, error) {
	ref := volumes.Ref{TenantID: req.Caller.TenantID, Kind: volumes.KindVolume, ID: req.PathValue("volume_id")}
	err := s.Objects.Remove(ctx, ref, req.Caller.Username, func(found volumes.Snapshot) error {
		return permissions.Check(req.Caller, volumes.Volume{Base: found.Base}.Object(), req.Level)
	})
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Volume successfully deleted.", Value: ""}, nil
}

// getVolumePermissions serves GET /pods/volumes/{volume_id}/permissions.
func (s *Server) getVolumePermissions(ctx context.Context, req *rest.Request) (rest.Result, error) {
	volume, err := s.loadVolume(ctx, req, req.PathValue("volume_id"))
	if err != nil {
		return rest.Result{}, err
	}
	return permissionsResult("Volume permissions retrieved successfully.", volume.Permissions), nil
}

// setVolumePermission serves POST /pods/volumes/{volume_id}/permissions: it
// replaces the level of one user.
//
// Errors: KindInvalid for an unknown level or when nobody would be left with
// ADMIN.
func (s *Server) setVolumePermission(ctx context.Context, req *rest.Request) (rest.Result, error) {
	edit, err := editPermissions(req, permissions.VolumeType)
	if err != nil {
		return rest.Result{}, err
	}
	return s.changeVolumePermissions(ctx, req, "Volume permissions updated successfully.", edit)
}

// deleteVolumePermission serves
// DELETE /pods/volumes/{volume_id}/permissions/{user}.
//
// Errors: KindNotFound when there is no entry; KindInvalid when nobody would be
// left with ADMIN.
func (s *Server) deleteVolumePermission(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.changeVolumePermissions(ctx, req, "Volume permission deleted successfully.", withoutUser(req, permissions.VolumeType))
}

func (s *Server) changeVolumePermissions(
	ctx context.Context, req *rest.Request, message string, edit func(permissions.Set) (permissions.Set, error),
) (rest.Result, error) {
	changed, err := s.changeVolume(ctx, req, func(volume volumes.Volume) (volumes.Volume, error) {
		var err error
		volume.Permissions, err = edit(volume.Permissions)
		return volume, err
	})
	if err != nil {
		return rest.Result{}, err
	}
	return permissionsResult(message, changed.Permissions), nil
}
