package client

import (
	"github.com/pods-service/pods/shared/client/api"
	"github.com/pods-service/pods/shared/pods"
)

// ExecResult is what came of a list of commands.
type ExecResult = api.ExecResult

// CommandResult is what came of one command.
type CommandResult = api.CommandResult

// Uploaded is what came of writing a file into a pod.
type Uploaded = api.UploadResult

// JupyterPod is the pod that a user's notebooks are in.
type JupyterPod struct {
	PodID      string                     `json:"pod_id"`
	Status     pods.Status                `json:"status"`
	Networking map[string]pods.Networking `json:"networking"`
	URL        string                     `json:"url"`
}
