package reconcile

import (
	"fmt"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
)

// containerStatus returns what users are told of the container: what was seen,
// or what was known before when nothing was.
func containerStatus(pod pods.Pod, seen *kube.Observed, message string) pods.ContainerStatus {
	if seen == nil {
		status := pod.StatusContainer
		status.Message = message
		return status
	}
	status := pods.ContainerStatus{
		Phase: seen.Phase, Message: message, Ready: seen.Ready, RestartCount: seen.RestartCount,
	}
	if !seen.StartedAt.IsZero() {
		status.StartTime = seen.StartedAt.Format(time.RFC3339)
	}
	return status
}

// maxMessage bounds what is kept of the cluster's own words.
const maxMessage = 1000

// endMessage says how a container ended: "exit code 1, Error", and nothing for
// one that did as it should.
func endMessage(seen *kube.Observed) string {
	if seen.State == kube.StateSucceeded {
		return ""
	}
	var parts []string
	if seen.ExitCode != 0 {
		parts = append(parts, fmt.Sprintf("exit code %d", seen.ExitCode))
	}
	if reason := reasonOf(seen); reason != "" {
		parts = append(parts, reason)
	}
	message := strings.Join(parts, ", ")
	if seen.Reason == "OOMKilled" {
		message = "The container used more memory than its limit allows and was ended: " + message
	}
	return message
}

// waitMessage says what a container waits for: "Unschedulable: no node fits".
func waitMessage(seen *kube.Observed) string {
	if seen.Reason == "ContainerCreating" || seen.Reason == "PodInitializing" {
		return ""
	}
	return reasonOf(seen)
}

func reasonOf(seen *kube.Observed) string {
	text := seen.Reason
	if seen.Message != "" {
		text = strings.TrimPrefix(text+": "+seen.Message, ": ")
	}
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}

func withReason(message, reason string) string {
	if reason == "" {
		return message
	}
	return message + " " + reason
}

// inWords writes whole minutes for people.
func inWords(d time.Duration) string {
	return fmt.Sprintf("%d minutes", int(d.Minutes()))
}
