package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/google/uuid"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/templates"
)

// createPod serves POST /pods. It records the pod as requested and returns;
// the spawner does the work when the event reaches it.
//
// Errors: KindInvalid for fields, image or template; KindConflict when the pod
// id is taken.
func (s *Server) createPod(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	patch, reading := document.Pod(data)
	created, err := s.newPod(ctx, req.Caller, patch, reading)
	if err != nil {
		return rest.Result{}, err
	}
	metadata := s.links(created.derived)
	if notes := archiveMessages(created.chain); len(notes) > 0 {
		metadata["warnings"] = notes
	}
	return rest.Result{Message: "Pod created successfully.", Metadata: metadata, Value: client.FromPod(created.pod)}, nil
}

// created is a new pod, merged with its templates, and these.
type created struct {
	pod, derived pods.Pod
	chain        []templates.Tag
}

// newPod records the pod that caller asks for with patch; reading is what was
// wrong with the form it came in.
//
// Errors: as for createPod.
func (s *Server) newPod(ctx context.Context, caller pods.Caller, patch pods.Patch, reading error) (c created, err error) {
	pod, checking := pods.New(caller, s.Tenant(caller.TenantID), patch, s.Rules, uuid.NewString(), s.Now())
	if err := document.Both(reading, checking); err != nil {
		return created{}, err
	}
	if c.chain, err = s.pin(ctx, caller, &pod); err != nil {
		return created{}, err
	}
	if c.derived, err = s.derive(ctx, pod); err != nil {
		return created{}, err
	}
	if err := s.Mounts.Check(ctx, c.derived, caller.Username); err != nil {
		return created{}, err
	}
	if c.pod, err = s.Store.CreatePod(ctx, pod, pods.NewCredentials(pod.ID), caller.Username); err != nil {
		return created{}, fmt.Errorf("create pod %s: %w", pod.ID, err)
	}
	return c, nil
}

// pin fixes the template that pod names to the version it means now, if caller
// may use it, and returns its chain.
func (s *Server) pin(ctx context.Context, caller pods.Caller, pod *pods.Pod) ([]templates.Tag, error) {
	if pod.Template == "" {
		return nil, nil
	}
	reference, chain, err := s.Deriver.Pin(ctx, caller, pod.Template)
	if err != nil {
		return nil, err
	}
	pod.Template = reference
	return chain, nil
}

// derive merges pod with its templates and checks what holds only then.
func (s *Server) derive(ctx context.Context, pod pods.Pod) (pods.Pod, error) {
	derived, err := s.Deriver.Derive(ctx, pod)
	if err != nil {
		return pods.Pod{}, err
	}
	if err := s.Rules.CheckMerged(derived.Pod.Spec); err != nil {
		return pods.Pod{}, err
	}
	for _, mount := range derived.Pod.Mounts() {
		if err := s.Mounts.Source.Supports(mount); err != nil {
			return pods.Pod{}, err
		}
	}
	return derived.Pod, s.Allowlist.Check(ctx, pod.TenantID, derived.Pod.Image)
}

func archiveMessages(chain []templates.Tag) []string {
	var messages []string
	for _, tag := range chain {
		if message := tag.Template.ArchiveMessage; message != "" {
			messages = append(messages, fmt.Sprintf("Template %s is archived: %s", tag.Reference, message))
		}
	}
	return messages
}

// links names the addresses of the ports that a merged pod exposes.
func (s *Server) links(derived pods.Pod) map[string]any {
	links := map[string]string{}
	for key, entry := range derived.Networking {
		if entry.URL != "" {
			links[key] = s.Link(entry)
		}
	}
	return map[string]any{"links": links}
}

// errUnchanged ends an update that would change nothing.
var errUnchanged = errors.New("no change")

// updatePod serves PUT /pods/{pod_id}. The running container is not touched.
//
// Errors: KindInvalid as for createPod.
func (s *Server) updatePod(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	patch, reading := document.Pod(data)
	var current pods.Pod
	updated, err := s.change(ctx, req, func(ctx context.Context, pod pods.Pod, _ permissions.Set) (postgres.Change, error) {
		current = pod
		return s.update(ctx, req.Caller, pod, patch, reading)
	})
	if errors.Is(err, errUnchanged) {
		return rest.Result{
			Message: "Incoming data made no changes to pod. Is incoming data equal to current data?",
			Value:   client.FromPod(current),
			IsError: true,
		}, nil
	}
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{
		Message:  "Pod updated successfully.",
		Metadata: map[string]any{"note": "Restart the pod for the update to reach its container."},
		Value:    client.FromPod(updated),
	}, nil
}

func (s *Server) update(ctx context.Context, caller pods.Caller, pod pods.Pod, patch pods.Patch, reading error) (postgres.Change, error) {
	updated, checking := pod.Update(caller, s.Tenant(pod.TenantID), patch, s.Rules)
	if err := document.Both(reading, checking); err != nil {
		return postgres.Change{}, err
	}
	if patch.Template.Set {
		if _, err := s.pin(ctx, caller, &updated); err != nil {
			return postgres.Change{}, err
		}
	}
	change := postgres.Change{Pod: updated}
	if patch.StatusRequested.Set && patch.StatusRequested.Value != pod.StatusRequested {
		change.Wish = patch.StatusRequested.Value
	}
	differences := pods.Diff(pod.Spec, updated.Spec)
	if len(differences) == 0 && change.Wish == "" && reflect.DeepEqual(pod.Modified, updated.Modified) {
		return postgres.Change{}, errUnchanged
	}
	derived, err := s.derive(ctx, updated)
	if err != nil {
		return postgres.Change{}, err
	}
	checked := derived
	if !change.Wish.Starts() {
		checked.VolumeMounts = newMounts(pod, updated, derived)
	}
	if err := s.Mounts.Check(ctx, checked, caller.Username); err != nil {
		return postgres.Change{}, err
	}
	if pod.StartInstanceTS != nil {
		change.TimeToStopTS = pods.Some(derived.TimeToStop(*pod.StartInstanceTS))
	}
	if change.Wish != "" {
		differences = append(differences, fmt.Sprintf("status_requested: %s→%s", pod.StatusRequested, change.Wish))
	}
	change.Actions = []string{pods.ActionUpdated(caller.Username, differences)}
	return change, nil
}

// newMounts returns the mounts that an update of the pod before to after brings
// to the merged pod. What was there already is for the next start to check.
func newMounts(before, after, derived pods.Pod) map[string]*pods.VolumeMount {
	mounts := maps.Clone(derived.VolumeMounts)
	maps.DeleteFunc(mounts, func(key string, mount *pods.VolumeMount) bool {
		if after.VolumeMounts[key] == nil { // the template brings it
			return before.Template == after.Template
		}
		return reflect.DeepEqual(mount, before.VolumeMounts[key])
	})
	return mounts
}

// deletePod serves DELETE /pods/{pod_id}: the pod is gone at once for users,
// its objects follow.
func (s *Server) deletePod(ctx context.Context, req *rest.Request) (rest.Result, error) {
	err := s.Store.DeletePod(ctx, req.Caller.TenantID, req.PathValue("pod_id"), func(pod pods.Pod, set permissions.Set) error {
		return check(req, pod, set)
	})
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Pod successfully deleted.", Value: ""}, nil
}

// startPod serves GET /pods/{pod_id}/start.
//
// Errors: KindInvalid unless the pod is STOPPED; those of storage.Mounts.Check.
func (s *Server) startPod(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.wish(ctx, req, pods.DesiredOn, pods.ActionStarted, "Updated pod's status_requested to ON and requested pod.")
}

// stopPod serves GET /pods/{pod_id}/stop, in any status.
func (s *Server) stopPod(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.wish(ctx, req, pods.DesiredOff, pods.ActionStopped, "Updated pod's status_requested to OFF.")
}

// restartPod serves GET /pods/{pod_id}/restart, in any status. With
// grab_latest_template_tag the template is fixed anew to the newest version of
// its tag.
//
// Errors: those of storage.Mounts.Check.
func (s *Server) restartPod(ctx context.Context, req *rest.Request) (rest.Result, error) {
	latest, err := req.QueryFlag("grab_latest_template_tag", false)
	if err != nil {
		return rest.Result{}, err
	}
	return s.wish(ctx, req, pods.DesiredRestart, pods.ActionRestarted, "Updated pod's status_requested to RESTART.",
		func(ctx context.Context, pod *pods.Pod) error {
			if !latest || pod.Template == "" {
				return nil
			}
			pod.Template, _, _ = strings.Cut(pod.Template, "@")
			if _, err := s.pin(ctx, req.Caller, pod); err != nil {
				return err
			}
			_, err := s.derive(ctx, *pod)
			return err
		})
}

// wish records what the caller wants of a pod after preparing it.
func (s *Server) wish(
	ctx context.Context, req *rest.Request, wish pods.Desired, action func(user string) string, message string,
	prepare ...func(context.Context, *pods.Pod) error,
) (rest.Result, error) {
	pod, err := s.change(ctx, req, func(ctx context.Context, pod pods.Pod, _ permissions.Set) (postgres.Change, error) {
		if wish == pods.DesiredOn && pod.Status != pods.StatusStopped {
			return postgres.Change{}, pods.Invalid("Pod must be in 'STOPPED' status to run 'start_pod'. It is in '%s'.", pod.Status)
		}
		for _, step := range prepare {
			if err := step(ctx, &pod); err != nil {
				return postgres.Change{}, err
			}
		}
		if wish.Starts() {
			derived, err := s.Deriver.Derive(ctx, pod)
			if err != nil {
				return postgres.Change{}, err
			}
			if err := s.Mounts.Check(ctx, derived.Pod, req.Caller.Username); err != nil {
				return postgres.Change{}, err
			}
		}
		return postgres.Change{Pod: pod, Wish: wish, Actions: []string{action(req.Caller.Username)}}, nil
	})
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: message, Value: client.FromPod(pod)}, nil
}
