package server

import (
	"context"
	"fmt"
	"maps"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/rest"
)

// listPods serves GET /pods: the pods that the caller may read, as they were
// written or, with derived or derived_lite, merged with their templates.
func (s *Server) listPods(ctx context.Context, req *rest.Request) (rest.Result, error) {
	isDerived, err := wantsDerived(req)
	if err != nil {
		return rest.Result{}, err
	}
	list, metadata, err := s.visiblePods(ctx, req.Caller)
	if err != nil {
		return rest.Result{}, err
	}
	merge := func(pod pods.Pod) pods.Pod { return pod }
	if isDerived {
		broken, warnings := s.unreadable(ctx, req.Caller.TenantID, list)
		if len(warnings) > 0 {
			metadata["warnings"] = warnings
		}
		merge = func(pod pods.Pod) pods.Pod {
			if broken[pod.Template] {
				return pod
			}
			derived, err := s.Deriver.Derive(ctx, pod)
			if err != nil { // since a moment ago
				return pod
			}
			return derived.Pod
		}
	}
	return rest.Result{
		Message: "Pods retrieved successfully.", Metadata: metadata,
		Value: rest.List(func(yield func(any, error) bool) {
			for pod, err := range s.Store.Pods(ctx, req.Caller.TenantID, list) {
				if !yield(client.FromPod(merge(pod)), err) {
					return
				}
			}
		}),
	}, nil
}

// unreadable returns which templates of the listed pods cannot be read, and
// warns of the pods that are shown without theirs.
func (s *Server) unreadable(ctx context.Context, tenantID string, list []postgres.ListedPod) (broken map[string]bool, warnings []string) {
	broken = map[string]bool{} // each is read once
	for _, pod := range list {
		if _, known := broken[pod.Template]; !known {
			_, err := s.Deriver.Derive(ctx, pods.Pod{TenantID: tenantID, Spec: pods.Spec{Template: pod.Template}})
			broken[pod.Template] = err != nil
		}
		if broken[pod.Template] {
			warnings = append(warnings, fmt.Sprintf("Pod %s is shown without its template, which cannot be read; GET /pods/%[1]s/derived says why.", pod.ID))
		}
	}
	return broken, warnings
}

// wantsDerived reports whether the query asks for merged pods.
func wantsDerived(req *rest.Request) (bool, error) {
	full, err := req.QueryFlag("derived", false)
	if err != nil {
		return false, err
	}
	lite, err := req.QueryFlag("derived_lite", false)
	return full || lite, err
}

// visiblePods lists the pods that caller may read, and metadata that tells a
// site admin in admin mode which of them are not shown to all others.
func (s *Server) visiblePods(ctx context.Context, caller pods.Caller) ([]postgres.ListedPod, map[string]any, error) {
	own, err := s.Store.ListPods(ctx, caller.TenantID, caller.Username)
	if err != nil || !caller.AdminMode {
		return own, map[string]any{}, err
	}
	ids := make([]string, len(own))
	for i, pod := range own {
		ids[i] = pod.ID
	}
	all, err := s.Store.ListTenantPods(ctx, caller.TenantID)
	return all, adminContext("user_accessible_ids", ids), err
}

// adminContext is metadata for a list that shows everything: which entries the
// caller would see without admin mode.
func adminContext(key string, accessible []string) map[string]any {
	return map[string]any{"admin_context": map[string]any{
		"admin_mode": true, key: accessible,
		"msg": "Admin mode: everything is shown, also what is not accessible to you as a user.",
	}}
}

// getPod serves GET /pods/{pod_id}, as it was written or, with derived or
// derived_lite, merged with its templates.
//
// Errors: as for getDerivedPod when it is to be merged.
func (s *Server) getPod(ctx context.Context, req *rest.Request) (rest.Result, error) {
	isDerived, err := wantsDerived(req)
	if err != nil {
		return rest.Result{}, err
	}
	pod, _, err := s.load(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	result := rest.Result{Message: "Pod retrieved successfully.", Value: client.FromPod(pod)}
	if isDerived {
		derived, err := s.Deriver.Derive(ctx, pod)
		if err != nil {
			return rest.Result{}, err
		}
		result.Value, result.Metadata = client.FromPod(derived.Pod), s.links(derived.Pod)
		return result, nil
	}
	// A pod whose template is gone can still be read.
	if networking, err := s.Deriver.Networking(ctx, pod); err == nil {
		pod.Networking = networking
		result.Metadata = s.links(pod)
	}
	return result, nil
}

// getDerivedPod serves GET /pods/{pod_id}/derived: the pod merged with its
// templates. Those who may see its credentials see them in the environment too,
// in the place of their placeholders.
//
// Errors: KindInvalid when a template is gone.
func (s *Server) getDerivedPod(ctx context.Context, req *rest.Request) (rest.Result, error) {
	pod, set, err := s.load(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	derived, err := s.Deriver.Derive(ctx, pod)
	if err != nil {
		return rest.Result{}, err
	}
	merged := derived.Pod
	if permissions.Check(req.Caller, podObject(pod, set), permissions.User) == nil {
		credentials, err := s.Store.Credentials(ctx, pod.TenantID, pod.ID)
		if err != nil {
			return rest.Result{}, err
		}
		merged.EnvironmentVariables = maps.Clone(merged.EnvironmentVariables)
		for name, value := range merged.EnvironmentVariables {
			merged.EnvironmentVariables[name] = credentials.Expand(value)
		}
	}
	return rest.Result{
		Message: "Final derived pod retrieved successfully.", Metadata: s.links(derived.Pod), Value: client.FromPod(merged),
	}, nil
}
