package feed_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes/feed"
	"github.com/pods-service/pods/shared/templates"
)

// rows is a store of pods as users wrote them.
type rows []pods.Pod

func (r rows) Everything(context.Context) ([]pods.Pod, error) { return r, nil }

func (r rows) Pod(_ context.Context, tenantID, podID string) (pods.Pod, permissions.Set, error) {
	for _, pod := range r {
		if pod.TenantID == tenantID && pod.ID == podID {
			return pod, nil, nil
		}
	}
	return pods.Pod{}, nil, pods.PodNotFound(podID)
}

// deriver knows every template but "gone".
type deriver struct{}

func (deriver) Derive(_ context.Context, pod pods.Pod) (templates.Derived, error) {
	if pod.Template == "gone" {
		return templates.Derived{}, errTemplate
	}
	pod.Description = "merged"
	return templates.Derived{Pod: pod}, nil
}

func TestMerged(t *testing.T) {
	t.Parallel()

	good, bad := newPod("good", pods.StatusAvailable), newPod("bad", pods.StatusAvailable)
	bad.Template = "gone"
	source := feed.Merged{Store: rows{good, bad}, Deriver: deriver{}}

	all, err := source.Pods(t.Context())
	unmerged, ok := errors.AsType[*feed.UnmergedError](err)
	if len(all) != 1 || all[0].ID != "good" || all[0].Description != "merged" {
		t.Errorf("pods = %v, want the one that can be merged", all)
	}
	if !ok || len(unmerged.Pods) != 1 || unmerged.Pods[0].Pod.ID != "bad" {
		t.Errorf("error %v, want the one that cannot", err)
	}
	if pod, err := source.Pod(t.Context(), "dev", "good"); err != nil || pod.Description != "merged" {
		t.Errorf("one pod = %v, %v", pod, err)
	}
	_, err = source.Pod(t.Context(), "dev", "bad")
	if unmerged, ok := errors.AsType[*feed.UnmergedError](err); !ok || !errors.Is(unmerged.Pods[0].Err, errTemplate) {
		t.Errorf("one that cannot be merged: %v", err)
	}
	if _, err := source.Pod(t.Context(), "dev", "none"); pods.KindOf(err) != pods.KindNotFound {
		t.Errorf("one that is not there: %v", err)
	}
}
