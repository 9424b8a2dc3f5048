package server

import (
	"context"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/rest"
)

// tailTimeout bounds how long an answer waits for Kubernetes when it could do
// without. A node that is busy starting pods may take a few seconds.
const tailTimeout = 5 * time.Second

// getPodLogs serves GET /pods/{pod_id}/logs: the stored output, then what the
// container has written since. When the node does not tell that in time, the
// answer says so in its metadata.
func (s *Server) getPodLogs(ctx context.Context, req *rest.Request) (rest.Result, error) {
	pod, _, err := s.load(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	actions, err := s.Store.ActionLogs(ctx, pod.TenantID, pod.ID)
	if err != nil {
		return rest.Result{}, err
	}
	text, cursor, err := s.Store.Logs(ctx, pod.TenantID, pod.ID)
	if err != nil {
		return rest.Result{}, err
	}
	result := rest.Result{Message: "Pod logs retrieved successfully."}
	tailCtx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	newer, err := s.Tail.ReadNew(tailCtx, pod.Ref(), pod.K8sName, cursor, pods.MaxLogBytes)
	if err != nil {
		s.Logger.WarnContext(ctx, "newest output is left out", "tenant_id", pod.TenantID, "pod_id", pod.ID, "error", err)
		result.Metadata = map[string]any{"warnings": []string{"The newest lines cannot be read right now and may be missing; ask again in a moment."}}
	}
	result.Value = client.Logs{Logs: pods.NewestLog(text + newer), ActionLogs: actions}
	return result, nil
}

// getPodCredentials serves GET /pods/{pod_id}/credentials.
func (s *Server) getPodCredentials(ctx context.Context, req *rest.Request) (rest.Result, error) {
	pod, _, err := s.load(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	credentials, err := s.Store.Credentials(ctx, pod.TenantID, pod.ID)
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Value: client.Credentials{UserUsername: credentials.UserUsername, UserPassword: credentials.UserPassword}}, nil
}

// getPodPermissions serves GET /pods/{pod_id}/permissions.
func (s *Server) getPodPermissions(ctx context.Context, req *rest.Request) (rest.Result, error) {
	_, set, err := s.load(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	return permissionsResult("Pod permissions retrieved successfully.", set), nil
}

// setPodPermission serves POST /pods/{pod_id}/permissions: it replaces the
// level of one user.
//
// Errors: KindInvalid for an unknown level or when nobody would be left with
// ADMIN.
func (s *Server) setPodPermission(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	user, levelName, reading := document.Permission(data)
	level, checking := permissions.PodType.Parse(req.Caller, user, levelName)
	if err := document.Both(reading, checking); err != nil {
		return rest.Result{}, err
	}
	return s.changePermissions(ctx, req, "Pod permissions updated successfully.",
		func(set permissions.Set) (permissions.Set, error) { return permissions.PodType.With(set, user, level) },
		pods.ActionPermissionSet(req.Caller.Username, user, level.String()))
}

// deletePodPermission serves DELETE /pods/{pod_id}/permissions/{user}.
//
// Errors: KindInvalid when the user has no entry or nobody would be left with
// ADMIN.
func (s *Server) deletePodPermission(ctx context.Context, req *rest.Request) (rest.Result, error) {
	user := req.PathValue("user")
	return s.changePermissions(ctx, req, "Pod permission deleted successfully.",
		func(set permissions.Set) (permissions.Set, error) { return permissions.PodType.Without(set, user) },
		pods.ActionPermissionDeleted(req.Caller.Username, user))
}

func (s *Server) changePermissions(
	ctx context.Context, req *rest.Request, message string,
	edit func(permissions.Set) (permissions.Set, error), action string,
) (rest.Result, error) {
	var edited permissions.Set
	_, err := s.change(ctx, req, func(_ context.Context, pod pods.Pod, set permissions.Set) (postgres.Change, error) {
		var err error
		edited, err = edit(set)
		return postgres.Change{Pod: pod, Permissions: edited, Actions: []string{action}}, err
	})
	if err != nil {
		return rest.Result{}, err
	}
	return permissionsResult(message, edited), nil
}

func permissionsResult(message string, set permissions.Set) rest.Result {
	return rest.Result{Message: message, Value: client.Permissions{Permissions: set.Strings()}}
}
