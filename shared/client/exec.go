package client

import "github.com/pods-service/pods/shared/pods"

// ExecResult is what came of a list of commands.
type ExecResult struct {
	ExecutionResults   []CommandResult `json:"execution_results"`
	TotalCommands      int             `json:"total_commands"`
	SuccessfulCommands int             `json:"successful_commands"`
}

// CommandResult is what came of one command.
type CommandResult struct {
	Command     []string `json:"command"` // as it was sent
	Stdout      string   `json:"stdout"`
	Stderr      string   `json:"stderr"`
	Success     bool     `json:"success"`
	ExitCode    *int     `json:"exit_code,omitempty"` // missing when the command has not ended by itself
	DurationSec float64  `json:"duration_sec"`
	Timestamp   Time     `json:"timestamp"` // of the start
}

// Uploaded is what came of writing a file into a pod.
type Uploaded struct {
	Uploaded string `json:"uploaded"` // the destination
	PodName  string `json:"pod_name"` // the pod's id
}

// JupyterPod is the pod that a user's notebooks are in.
type JupyterPod struct {
	PodID      string                     `json:"pod_id"`
	Status     pods.Status                `json:"status"`
	Networking map[string]pods.Networking `json:"networking"`
	URL        string                     `json:"url"`
}
