package server

import (
	"context"
	"fmt"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/volumes"
)

// StorageStore holds the rows of volumes and snapshots.
type StorageStore interface {
	Volume(ctx context.Context, tenantID, volumeID string) (volumes.Volume, error)
	Volumes(ctx context.Context, tenantID, username string) ([]volumes.Volume, error)
	ChangeVolume(ctx context.Context, tenantID, volumeID string, change func(volumes.Volume) (volumes.Volume, error)) (volumes.Volume, error)
	Snapshot(ctx context.Context, tenantID, snapshotID string) (volumes.Snapshot, error)
	Snapshots(ctx context.Context, tenantID, username string) ([]volumes.Snapshot, error)
	ChangeSnapshot(ctx context.Context, tenantID, snapshotID string, change func(volumes.Snapshot) (volumes.Snapshot, error)) (volumes.Snapshot, error)
	Uploaded(ctx context.Context, ref volumes.Ref, bytes int64) error
}

// How long requests about files may take, below the hour that Knative gives a
// request.
const (
	transferTimeout = 55 * time.Minute
	listTimeout     = 10 * time.Minute
)

// storage guards a route whose handler needs the files of volumes.
//
// Errors: KindUnavailable on an installation without them.
func (s *Server) storage(handle func(context.Context, *rest.Request) (rest.Result, error)) func(context.Context, *rest.Request) (rest.Result, error) {
	return func(ctx context.Context, req *rest.Request) (rest.Result, error) {
		if s.Objects == nil || s.Files == nil {
			return rest.Result{}, pods.Unavailable("This installation has no storage for volumes and snapshots. Ask an operator to set it up.", nil)
		}
		return handle(ctx, req)
	}
}

// object is a volume or snapshot as far as both are alike.
type object struct {
	volumes.Base
	ref    volumes.Ref
	access permissions.Object
}

func fromVolume(v volumes.Volume) object     { return object{v.Base, v.Ref(), v.Object()} }
func fromSnapshot(s volumes.Snapshot) object { return object{s.Base, s.Ref(), s.Object()} }

// loadObject returns the volume or snapshot that the path names, if the caller may
// act on it as the route does.
//
// Errors: volumes.NotFound, also for one that the caller may not see;
// KindForbidden.
func (s *Server) loadObject(ctx context.Context, req *rest.Request) (object, error) {
	if id := req.PathValue("volume_id"); id != "" {
		volume, err := s.loadVolume(ctx, req, id)
		return fromVolume(volume), err
	}
	snapshot, err := s.loadSnapshot(ctx, req, req.PathValue("snapshot_id"))
	return fromSnapshot(snapshot), err
}

// fullness is metadata that warns of what holds more than it is meant to.
func fullness(o object) map[string]any {
	if !o.IsFull() {
		return map[string]any{}
	}
	return map[string]any{"warnings": []string{fmt.Sprintf(
		"%s '%s' holds %d MB, more than its size_limit of %d MB. Delete files, or raise size_limit.", o.ref.Kind, o.ID, o.Usage.MB(), o.SizeLimit)}}
}

// fullnessOf warns of all in a list.
func fullnessOf(list []object) map[string]any {
	var warnings []string
	for _, o := range list {
		if found, isFull := fullness(o)["warnings"].([]string); isFull {
			warnings = append(warnings, found...)
		}
	}
	if warnings == nil {
		return map[string]any{}
	}
	return map[string]any{"warnings": warnings}
}

// visibleStorage lists what the caller may read, and metadata as visiblePods does.
func visibleStorage[T any](
	ctx context.Context, caller pods.Caller, list func(ctx context.Context, tenantID, username string) ([]T, error), toObject func(T) object,
) ([]T, map[string]any, error) {
	found, err := list(ctx, caller.TenantID, caller.Username)
	if err != nil {
		return nil, nil, err
	}
	admin := map[string]any{}
	if caller.AdminMode {
		ids := make([]string, len(found))
		for i, entry := range found {
			ids[i] = toObject(entry).ID
		}
		admin = adminContext("user_accessible_ids", ids)
		if found, err = list(ctx, caller.TenantID, ""); err != nil {
			return nil, nil, err
		}
	}
	all := make([]object, len(found))
	for i, entry := range found {
		all[i] = toObject(entry)
	}
	metadata := fullnessOf(all)
	for key, value := range admin {
		metadata[key] = value
	}
	return found, metadata, nil
}

// editPermissions reads what a request does to the permissions of a volume or
// snapshot.
//
// Errors: KindInvalid for an unknown level.
func editPermissions(req *rest.Request, kind permissions.Type) (func(permissions.Set) (permissions.Set, error), error) {
	data, err := req.ReadJSON()
	if err != nil {
		return nil, err
	}
	user, levelName, reading := document.Permission(data)
	level, checking := kind.Parse(req.Caller, user, levelName)
	if err := document.Both(reading, checking); err != nil {
		return nil, err
	}
	return func(set permissions.Set) (permissions.Set, error) { return kind.With(set, user, level) }, nil
}

// withoutUser takes away the level of the user whom the path names.
//
// Errors: KindNotFound for a user without one, as clients expect it here;
// KindInvalid when nobody would be left with ADMIN.
func withoutUser(req *rest.Request, kind permissions.Type) func(permissions.Set) (permissions.Set, error) {
	user := req.PathValue("user")
	return func(set permissions.Set) (permissions.Set, error) {
		for _, entry := range set {
			if entry.User == user {
				return kind.Without(set, user)
			}
		}
		return nil, pods.NotFound("Could not find permission for %s with username '%s'", kind.Noun, user)
	}
}

// unchanged is the answer to an update that would change nothing.
func unchanged(noun string, value any) rest.Result {
	return rest.Result{
		Message: fmt.Sprintf("Incoming data made no changes to %s. Is incoming data equal to current data?", noun),
		Value:   value, IsError: true,
	}
}

// showFile returns a file as the API shows it.
func showFile(path, name, kind string, size int64, modified time.Time, permissions string) client.File {
	return client.File{
		Path: client.FilePath(path), Name: client.FilePath(name)[1:], Type: kind, Size: int(size),
		LastModified: modified.UTC().Format("2006-01-02T15:04:05Z"), NativePermissions: permissions,
	}
}
