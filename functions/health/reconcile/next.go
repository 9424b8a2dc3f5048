package reconcile

import (
	"slices"
	"time"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
)

// decision is what is to be done about one pod: at most one thing.
type decision struct {
	move      *pods.Move            // make this move
	finish    bool                  // nothing of the run is left: end it
	stopDue   bool                  // its time to stop has come
	resend    string                // ask for this again, by type of event
	container *pods.ContainerStatus // keep these facts; the status stays

	requested time.Time // of a move: when the run was asked for, zero when it is not known
}

// next decides what follows from what the cluster says of the pod's name; seen
// is nil when it says that there is no such pod. It decides the same every
// time; whether something was asked for a moment ago is for the caller to know.
// A caller that is not sure of an absence must make sure before it ends a run.
func next(pod pods.Pod, seen *kube.Observed, now time.Time) decision {
	if seen != nil && seen.IsLife(pod.UID) && seen.Instance > pod.Instance {
		return decision{} // the row was read before the newest run began
	}
	if seen != nil && !seen.IsRun(pod.Ref()) {
		seen = nil // an older object holds the name, so there is none of this run
	}
	d := decision{}
	switch pod.Status {
	case pods.StatusStopped:
		d.finish = pod.StatusRequested != pods.DesiredOff && isStale(pod, now)
	case pods.StatusRequested, pods.StatusSpawnerSetup:
		d = nextUnmade(pod, now)
	case pods.StatusCreating, pods.StatusAvailable:
		d = nextMade(pod, seen, now)
	case pods.StatusDeleting:
		d = nextDeleting(pod, seen, now)
	}
	if d != (decision{}) {
		return d
	}
	return nextWanted(pod, now)
}

// nextWanted sees to what the user wants of a pod about which the cluster gives
// no reason to act.
func nextWanted(pod pods.Pod, now time.Time) decision {
	isEnding := pod.Status == pods.StatusDeleting || pod.Status == pods.StatusStopped
	switch {
	case isEnding:
		return decision{}
	case pod.StatusRequested != pods.DesiredOn && isStale(pod, now):
		return decision{resend: events.TypePodStopRequested}
	case pod.StatusRequested == pods.DesiredOn && pod.TimeToStopTS != nil && !now.Before(*pod.TimeToStopTS):
		return decision{stopDue: true}
	}
	return decision{}
}

// isStale reports whether nothing has happened to a pod for so long that
// whoever was asked to act may never have heard of it.
func isStale(pod pods.Pod, now time.Time) bool {
	return now.Sub(pod.StatusSince) >= resendAfter && now.Sub(pod.UpdateTS) >= resendAfter
}

// nextUnmade decides for a pod whose objects the spawner is to make.
func nextUnmade(pod pods.Pod, now time.Time) decision {
	limit, age := pods.Limits[pod.Status], now.Sub(pod.StatusSince)
	switch {
	case pod.StatusRequested != pods.DesiredOn:
		return decision{}
	case age >= limit.End:
		return failed(pod, nil, withReason("The pod could not be made within "+inWords(limit.End)+".", pod.StatusContainer.Message))
	case age >= limit.Retry:
		return decision{resend: events.TypePodRequested}
	}
	return decision{}
}

// nextMade decides for a pod that is CREATING or AVAILABLE.
func nextMade(pod pods.Pod, seen *kube.Observed, now time.Time) decision {
	switch {
	case seen == nil:
		return decision{finish: true}
	case seen.IsTerminating():
		return nextTaken(pod, seen, now)
	case seen.State == kube.StateSucceeded:
		return moved(pod, seen, pods.StatusComplete, endMessage(seen))
	case seen.State == kube.StateFailed:
		return failed(pod, seen, endMessage(seen))
	case seen.State == kube.StateRunning && pod.Status == pods.StatusCreating:
		d := moved(pod, seen, pods.StatusAvailable, "")
		d.move.Address, d.move.StartedAt = seen.PodIP, new(seen.StartedAt)
		return d
	case seen.State == kube.StateWaiting && pod.Status == pods.StatusCreating:
		return nextWaiting(pod, seen, now)
	}
	return facts(pod, seen, "")
}

// passing are the reasons to wait that pass by themselves or turn into others.
// The first failure to pull an image is among them: Kubernetes tries again and
// then says ImagePullBackOff.
var passing = []string{
	"", "ContainerCreating", "PodInitializing", "ErrImagePull", "RegistryUnavailable",
	"Unschedulable", "SchedulingGated", "SchedulerError",
}

// nextWaiting decides for a pod whose container has not started yet.
func nextWaiting(pod pods.Pod, seen *kube.Observed, now time.Time) decision {
	limit := pods.Limits[pod.Status]
	switch message := waitMessage(seen); {
	case !slices.Contains(passing, seen.Reason):
		return failed(pod, seen, message)
	case now.Sub(pod.StatusSince) >= limit.End:
		return failed(pod, seen, withReason("The container did not start within "+inWords(limit.End)+".", message))
	default:
		return facts(pod, seen, message)
	}
}

// nextTaken decides for a pod that somebody other than the service removes: a
// node that is drained, an operator. The run ends when the pod is gone. A node
// that is lost never says so, which must not look like a running pod for ever.
func nextTaken(pod pods.Pod, seen *kube.Observed, now time.Time) decision {
	if now.Sub(seen.TerminatingSince) < pods.Limits[pods.StatusDeleting].End {
		return decision{}
	}
	return failed(pod, seen, withReason("Kubernetes is removing the pod and its node does not answer.", waitMessage(seen)))
}

// nextDeleting decides for a pod whose objects the spawner is to remove. When
// asked again after the time that a removal may take, it uses force.
func nextDeleting(pod pods.Pod, seen *kube.Observed, now time.Time) decision {
	limit := pods.Limits[pod.Status]
	isIgnored := seen != nil && !seen.IsTerminating() && now.Sub(pod.StatusSince) >= limit.Retry
	isOverdue := seen != nil && seen.IsTerminating() && now.Sub(seen.TerminatingSince) >= limit.End
	switch {
	case seen == nil:
		return decision{finish: true}
	case isIgnored, isOverdue:
		return decision{resend: events.TypePodStopRequested}
	}
	return decision{}
}

func moved(pod pods.Pod, seen *kube.Observed, to pods.Status, message string) decision {
	d := decision{move: &pods.Move{
		Ref: pod.Ref(), By: pods.ActorHealth, To: to, Container: new(containerStatus(pod, seen, message)),
	}}
	if seen != nil {
		d.requested, d.move.Traceparent = seen.RequestedAt, seen.Traceparent
	}
	return d
}

func failed(pod pods.Pod, seen *kube.Observed, message string) decision {
	return moved(pod, seen, pods.StatusError, message)
}

// facts keeps what the cluster says, if it is news.
func facts(pod pods.Pod, seen *kube.Observed, message string) decision {
	status := containerStatus(pod, seen, message)
	if status == pod.StatusContainer {
		return decision{}
	}
	return decision{container: &status}
}
