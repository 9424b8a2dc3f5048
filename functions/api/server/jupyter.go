package server

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

const (
	// notebookTemplate is what pods for notebooks are made of.
	notebookTemplate = "jupyterlab"
	// notebooks is the folder of the notebooks in them.
	notebooks = "/home/jovyan/work"
	// maxNotebookPods is how many names for the pod of one user are tried.
	maxNotebookPods = 999
)

// ensureJupyterPod serves GET /pods/jupyter/ensure: the pod of the caller's
// notebooks, which is made if there is none that is wanted ON.
//
// Errors: KindInvalid when the template is not there, or no name is free.
func (s *Server) ensureJupyterPod(ctx context.Context, req *rest.Request) (rest.Result, error) {
	caller := req.Caller
	for number := range maxNotebookPods {
		// Anew each time: the caller may be making one in another window.
		pod, found, err := s.findNotebookPod(ctx, caller)
		if err != nil {
			return rest.Result{}, err
		}
		if found {
			return s.showNotebookPod(ctx, pod, "Retrieved existing Jupyter pod successfully.")
		}
		patch := pods.Patch{ID: pods.Some(notebookPodID(caller.Username, number)), Template: pods.Some(notebookTemplate)}
		made, err := s.newPod(ctx, caller, patch, nil)
		if err == nil {
			return s.showNotebookPod(ctx, made.pod, "Created new Jupyter pod successfully.")
		}
		if pods.KindOf(err) != pods.KindConflict { // else the name is taken
			return rest.Result{}, err
		}
	}
	return rest.Result{}, pods.Invalid("All names for a Jupyter pod of '%s' are taken. Delete pods that are not needed any more.", caller.Username)
}

// findNotebookPod returns a pod for notebooks on which caller has USER.
func (s *Server) findNotebookPod(ctx context.Context, caller pods.Caller) (pods.Pod, bool, error) {
	list, err := s.Store.ListPods(ctx, caller.TenantID, caller.Username)
	if err != nil {
		return pods.Pod{}, false, err
	}
	for _, listed := range list {
		if !strings.HasPrefix(listed.Template, notebookTemplate+":") {
			continue
		}
		pod, set, err := s.Store.Pod(ctx, caller.TenantID, listed.ID)
		if pods.KindOf(err) == pods.KindNotFound {
			continue // deleted meanwhile
		}
		if err != nil {
			return pods.Pod{}, false, err
		}
		if pod.StatusRequested == pods.DesiredOn && permissions.Check(caller, podObject(pod, set), permissions.User) == nil {
			return pod, true, nil
		}
	}
	return pods.Pod{}, false, nil
}

// notebookPodID is "<user>jupyter" and, from the second on, a number: what of
// the user's name a pod may be called.
func notebookPodID(username string, number int) string {
	const longest = 64 - len("jupyter999")
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(username))
	name = strings.TrimLeft(name, "0123456789")
	name = cmp.Or(name[:min(len(name), longest)], "user")
	if number == 0 {
		return name + "jupyter"
	}
	return fmt.Sprintf("%sjupyter%d", name, number+1)
}

func (s *Server) showNotebookPod(ctx context.Context, pod pods.Pod, message string) (rest.Result, error) {
	derived, err := s.Deriver.Derive(ctx, pod)
	if err != nil {
		return rest.Result{}, err
	}
	networking := derived.Pod.Networking
	shown := client.JupyterPod{PodID: pod.ID, Status: pod.Status, Networking: networking}
	if entry, found := networking[pods.DefaultNetworkKey]; found && entry.URL != "" {
		shown.URL = "https://" + entry.URL
	}
	return rest.Result{Message: message, Metadata: s.links(derived.Pod), Value: shown}, nil
}
