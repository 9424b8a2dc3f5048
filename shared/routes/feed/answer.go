package feed

import (
	"errors"
	"fmt"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

// UnmergedError says that pods could not be merged with their templates. Each
// keeps the networking that its routes had before, at the status and address
// it has now; one that had none gets none. Its own networking alone would not
// do: who may visit it may stand in the template.
type UnmergedError struct {
	Pods []Unmerged
}

// Unmerged is a pod as it is stored, and why it could not be merged.
type Unmerged struct {
	Pod pods.Pod
	Err error
}

// Error names the first of the pods.
func (e *UnmergedError) Error() string {
	if len(e.Pods) == 0 {
		return "no pod could not be merged"
	}
	first := e.Pods[0]
	return fmt.Sprintf("merge pod %s/%s with its template (and %d more): %v", first.Pod.TenantID, first.Pod.ID, len(e.Pods)-1, first.Err)
}

// withRoutesOf returns the pod with the networking it has in table.
func (u Unmerged) withRoutesOf(table *routes.Table) pods.Pod {
	u.Pod.Networking = nil
	if table != nil {
		u.Pod.Networking = table.Networking(u.Pod.TenantID, u.Pod.ID)
	}
	return u.Pod
}

func (u Unmerged) problem() routes.Problem {
	return routes.Problem{TenantID: u.Pod.TenantID, PodID: u.Pod.ID, Reason: fmt.Sprintf("not merged with its template: %v", u.Err)}
}

// splitUnmerged takes the pods that could not be merged out of err.
func splitUnmerged(err error) ([]Unmerged, error) {
	if unmerged, ok := errors.AsType[*UnmergedError](err); ok {
		return unmerged.Pods, nil
	}
	return nil, err
}

// answer is what the source said of one pod.
type answer struct {
	pod      pods.Pod
	gone     bool
	unmerged *Unmerged // instead of pod
}

// settled returns an answer that no longer depends on the table it is for.
func (a answer) settled(table *routes.Table) answer {
	if a.unmerged != nil {
		return answer{pod: a.unmerged.withRoutesOf(table)}
	}
	return a
}

func (a answer) applyTo(table *routes.Table, key podKey) *routes.Table {
	if a.gone {
		return table.Without(key.tenantID, key.podID)
	}
	return table.With(a.pod)
}

// newAnswer makes sense of what the source returned for one pod.
func newAnswer(pod pods.Pod, err error, key podKey) (answer, error) {
	if pods.KindOf(err) == pods.KindNotFound {
		return answer{gone: true}, nil
	}
	a := answer{pod: pod}
	unmerged, err := splitUnmerged(err)
	if len(unmerged) > 0 {
		pod, a.unmerged = unmerged[0].Pod, &unmerged[0]
	}
	if err == nil && (pod.TenantID != key.tenantID || pod.ID != key.podID) {
		err = fmt.Errorf("source answered with pod %s/%s", pod.TenantID, pod.ID)
	}
	return a, err
}
