package pods

import (
	"fmt"
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
