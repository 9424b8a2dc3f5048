package server

import (
	"context"
	"fmt"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/commands"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// How long requests about containers may take, below the hour that Knative
// gives a request.
const (
	execTimeout   = document.MaxExec + time.Minute
	uploadTimeout = 55 * time.Minute
)

func (s *Server) commandRoutes() []rest.Route {
	return []rest.Route{
		{Pattern: "POST /pods/{pod_id}/exec", Level: permissions.Admin, Timeout: execTimeout, Handle: s.execPodCommands},
		{
			Pattern: "POST /pods/{pod_id}/upload_to_pod", Level: permissions.Admin,
			Timeout: uploadTimeout, MaxBody: maxUpload, Handle: s.uploadToPod,
		},
		{Pattern: "GET /pods/jupyter/ensure", Level: permissions.None, Handle: s.ensureJupyterPod},
		{
			Pattern: "POST /pods/jupyter/{pod_id}/upload", Level: permissions.User,
			Timeout: uploadTimeout, MaxBody: maxUpload, Handle: s.uploadToJupyter,
		},
	}
}

// execPodCommands serves POST /pods/{pod_id}/exec: commands run one after the
// other in the pod's container, with the credentials in the place of their
// placeholders. It answers 200 also when they fail.
//
// Errors: KindInvalid for fields, and for a pod that does not run.
func (s *Server) execPodCommands(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	pod, _, err := s.load(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	sent, err := document.ExecCommands(data)
	if err != nil {
		return rest.Result{}, err
	}
	if err := forCommands.check(pod); err != nil {
		return rest.Result{}, err
	}
	list := commands.List{Total: sent.TotalTimeout, Each: sent.CommandTimeout, StopOnFailure: sent.FailOnNonSuccess}
	if list.Commands, err = s.expandCommands(ctx, pod, sent.Commands); err != nil {
		return rest.Result{}, err
	}
	started := s.Now()
	results, reason, err := commands.Run(ctx, s.Runner, target(pod), list)
	s.noteExec(ctx, req.Caller, pod, sent.Commands, results, s.Now().Sub(started))
	if err != nil {
		return rest.Result{}, forCommands.noContainer(pod, err)
	}
	return showExec(sent.Commands, results, reason), nil
}

func target(pod pods.Pod) commands.Target {
	return commands.Target{K8sName: pod.K8sName, Ref: pod.Ref()}
}

// use is what a running container is wanted for, and what kind of failure it is
// that there is none.
type use struct {
	name string
	kind pods.Kind
}

var (
	forCommands  = use{"commands", pods.KindInvalid}
	forUpload    = use{"upload", pods.KindNotFound}
	forNotebooks = use{"upload", pods.KindInvalid}
)

// check returns why pod has no container for u.
func (u use) check(pod pods.Pod) error {
	if pod.Status == pods.StatusAvailable && pod.StatusRequested == pods.DesiredOn {
		return nil
	}
	return u.failure("Pod '%s' is in status %s and wanted %s. Start it, and wait until it is AVAILABLE.", pod.ID, pod.Status, pod.StatusRequested)
}

// noContainer turns a container that is gone into the user's words.
func (u use) noContainer(pod pods.Pod, err error) error {
	if pods.KindOf(err) == pods.KindNotFound {
		return u.failure("The container of pod '%s' does not run any more.", pod.ID)
	}
	return err
}

func (u use) failure(format string, args ...any) error {
	return &pods.Error{Kind: u.kind, Message: fmt.Sprintf("Can't find suitable running pod for %s. ", u.name) + fmt.Sprintf(format, args...)}
}

func (s *Server) expandCommands(ctx context.Context, pod pods.Pod, list [][]string) ([][]string, error) {
	credentials, err := s.Store.Credentials(ctx, pod.TenantID, pod.ID)
	if err != nil {
		return nil, err
	}
	expanded := make([][]string, len(list))
	for i, argv := range list {
		expanded[i] = credentials.ExpandAll(argv)
	}
	return expanded, nil
}

// noteExec leaves a line in the pod's action log, also when nobody waits for the
// answer any more.
func (s *Server) noteExec(ctx context.Context, caller pods.Caller, pod pods.Pod, sent [][]string, results []commands.Result, took time.Duration) {
	ran := make([]pods.Ran, len(results))
	for i, result := range results {
		ran[i] = pods.Ran{Program: sent[i][0], Result: result.Outcome, Took: result.Took}
	}
	s.note(ctx, caller, pod, pods.ActionExec(caller.Username, ran, len(sent), took))
}

// noteTimeout bounds how long a line of the action log may keep an answer.
const noteTimeout = 5 * time.Second

func (s *Server) note(ctx context.Context, caller pods.Caller, pod pods.Pod, text string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	if err := s.Store.AddAction(ctx, pod.TenantID, pod.ID, caller.Action(text)); err != nil && pods.KindOf(err) != pods.KindNotFound {
		s.Logger.ErrorContext(ctx, "action not logged", "tenant_id", pod.TenantID, "pod_id", pod.ID, "text", text, "error", err)
	}
}

// showExec shows each command as it was sent: what its placeholders stand for is
// nobody's business who reads the answer.
func showExec(sent [][]string, results []commands.Result, reason string) rest.Result {
	shown := client.ExecResult{ExecutionResults: make([]client.CommandResult, len(results)), TotalCommands: len(sent)}
	for i, result := range results {
		if result.OK() {
			shown.SuccessfulCommands++
		}
		shown.ExecutionResults[i] = client.CommandResult{
			Command: sent[i], Stdout: result.Stdout, Stderr: result.Stderr, Success: result.OK(), ExitCode: result.ExitCode,
			DurationSec: result.Took.Seconds(), Timestamp: client.Time{Time: result.Started},
		}
	}
	message := "All Commands Successful"
	if shown.SuccessfulCommands < shown.TotalCommands {
		message = fmt.Sprintf("%d of %d commands successful", shown.SuccessfulCommands, shown.TotalCommands)
	}
	if reason != "" {
		message += " - " + reason
	}
	return rest.Result{Message: message, Value: shown}
}
