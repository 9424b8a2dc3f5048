package pods

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// MaxActionLogs is how many lines the store keeps for one pod; the first line,
// that of its creation, is always kept.
const MaxActionLogs = 300

// ActionLine renders one line of a pod's action log.
func ActionLine(at time.Time, text string) string {
	return at.UTC().Format("06/01/02 15:04") + ": " + text
}

// ActionTimeToStop is logged when a pod's time to stop has come.
const ActionTimeToStop = "health set pod to OFF due to time_to_stop trigger"

// ActionCreated is logged when user creates a pod.
func ActionCreated(user string) string { return fmt.Sprintf("Pod object created by '%s'", user) }

// ActionStopped is logged when user stops a pod.
func ActionStopped(user string) string { return fmt.Sprintf("'%s' ran stop_pod, set to OFF", user) }

// ActionStarted is logged when user starts a pod.
func ActionStarted(user string) string {
	return fmt.Sprintf("'%s' ran start_pod, set to ON and REQUESTED", user)
}

// ActionRestarted is logged when user restarts a pod.
func ActionRestarted(user string) string {
	return fmt.Sprintf("'%s' ran restart_pod, set to RESTART", user)
}

// ActionPermissionSet is logged when user gives other a level.
func ActionPermissionSet(user, other, level string) string {
	return fmt.Sprintf("'%s' set permission for '%s' to %s", user, other, level)
}

// ActionPermissionDeleted is logged when user takes other's level away.
func ActionPermissionDeleted(user, other string) string {
	return fmt.Sprintf("'%s' deleted permission for '%s'", user, other)
}

// ActionStatus is logged when a part of the service moves a pod to a status.
func ActionStatus(by Actor, status Status) string {
	return fmt.Sprintf("%s set status to %s", by, status)
}

// Ran is how one command in a pod's container has ended.
type Ran struct {
	Program string
	Result  string // "ok", "exit 1", "timeout"
	Took    time.Duration
}

// ActionExec is logged when user runs commands in a pod. It tells the programs,
// never their arguments, which may hold secrets.
func ActionExec(user string, ran []Ran, total int, took time.Duration) string {
	const longest = 24 // characters of a program's name
	parts := make([]string, len(ran))
	succeeded := 0
	for i, command := range ran {
		name := []rune(path.Base(command.Program))
		if command.Result == "ok" {
			succeeded++
		}
		parts[i] = fmt.Sprintf("%s(%s, %.1fs)", string(name[:min(len(name), longest)]), command.Result, command.Took.Seconds())
	}
	return fmt.Sprintf("'%s' exec %d/%d ok  [%s]  %.1fs total", user, succeeded, total, strings.Join(parts, ", "), took.Seconds())
}

// ActionUploaded is logged when user writes a file into a pod.
func ActionUploaded(user, destination string, size int64) string {
	return fmt.Sprintf("'%s' uploaded %d bytes to %s", user, size, destination)
}
