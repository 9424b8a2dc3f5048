package feed

import (
	"context"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

// Store holds the pods as users wrote them, as postgres.Store does.
type Store interface {
	// Everything returns every pod of every tenant.
	Everything(ctx context.Context) ([]pods.Pod, error)
	// Pod returns one pod, or an error of KindNotFound.
	Pod(ctx context.Context, tenantID, podID string) (pods.Pod, permissions.Set, error)
}

// Deriver merges a pod with its templates.
type Deriver interface {
	Derive(ctx context.Context, pod pods.Pod) (templates.Derived, error)
}

// Merged is the Source that a running service has: the store's pods, merged
// with their templates. One that cannot be merged is reported beside the
// others: without its template nobody knows whom it would let in.
type Merged struct {
	Store   Store
	Deriver Deriver
}

// Pods implements Source.
func (m Merged) Pods(ctx context.Context) ([]pods.Pod, error) {
	list, err := m.Store.Everything(ctx)
	if err != nil {
		return nil, err
	}
	merged := make([]pods.Pod, 0, len(list))
	failed := &UnmergedError{}
	for _, pod := range list {
		derived, err := m.Deriver.Derive(ctx, pod)
		if err != nil {
			failed.Pods = append(failed.Pods, Unmerged{Pod: pod, Err: err})
			continue
		}
		merged = append(merged, derived.Pod)
	}
	if len(failed.Pods) > 0 {
		return merged, failed
	}
	return merged, nil
}

// Pod implements Source.
func (m Merged) Pod(ctx context.Context, tenantID, podID string) (pods.Pod, error) {
	pod, _, err := m.Store.Pod(ctx, tenantID, podID)
	if err != nil {
		return pods.Pod{}, err
	}
	derived, err := m.Deriver.Derive(ctx, pod)
	if err != nil {
		return pods.Pod{}, &UnmergedError{Pods: []Unmerged{{Pod: pod, Err: err}}}
	}
	return derived.Pod, nil
}
