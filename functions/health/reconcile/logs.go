package reconcile

import (
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// How often the output of a running pod is collected: often while it starts and
// is being watched, seldom once it runs for long. The node keeps what is not
// collected yet, and whoever reads a log is shown that too.
const (
	minLogInterval = 5 * time.Second
	maxLogInterval = time.Minute
)

// askForLogs has the output of running pods collected that is due. Only the
// tick calls it.
func (h *Handler) askForLogs(rows []pods.Pod) {
	now := h.now()
	collected := make(map[pods.Ref]time.Time, len(h.logs))
	var due []cloudevents.Event
	for _, pod := range rows {
		if pod.Status != pods.StatusAvailable {
			continue
		}
		last, found := h.logs[pod.Ref()]
		if !found || now.Sub(last) >= logInterval(now.Sub(pod.StatusSince)) {
			last = now
			due = append(due, events.NewPod(events.TypePodLogsDue, pods.ActorHealth, events.Data(pod), now))
		}
		collected[pod.Ref()] = last
	}
	h.logs = collected
	if len(due) > 0 {
		h.publish(due)
	}
}

// logInterval returns the time between collections from a pod that has been
// running for age.
func logInterval(age time.Duration) time.Duration {
	return min(max(age/8, minLogInterval), maxLogInterval)
}
