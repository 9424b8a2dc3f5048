package postgres_test

import (
	"testing"
	"time"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
)

// TestRestart restarts a pod from every status and follows it to its next
// request.
func TestRestart(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	for _, from := range pods.Statuses {
		for _, by := range []pods.Actor{pods.ActorSpawner, pods.ActorHealth} {
			t.Run(string(from)+"/"+string(by), func(t *testing.T) {
				t.Parallel()

				pod := podstest.CreateIn(t, store, from, tenantFor("restart", string(from), string(by)))
				podstest.Wish(t, store, pod, pods.DesiredRestart)
				if from != pods.StatusStopped && from != pods.StatusDeleting {
					move := pods.Move{Ref: pod.Ref(), By: pods.ActorSpawner, To: pods.StatusDeleting}
					if _, err := store.Move(t.Context(), move); err != nil {
						t.Fatalf("Move: %v", err)
					}
				}
				again, err := store.FinishStop(t.Context(), pod.Ref(), by)
				if err != nil {
					t.Fatalf("FinishStop: %v", err)
				}
				if again.Status != pods.StatusRequested || again.StatusRequested != pods.DesiredOn || again.Instance != pod.Instance+1 {
					t.Errorf("the pod is %s, wanted %s, in instance %d after %d; want it requested anew",
						again.Status, again.StatusRequested, again.Instance, pod.Instance)
				}
				texts := actionTexts(t, store, pod)
				wantSame(t, "the last action", texts[len(texts)-1], pods.ActionStatus(by, pods.StatusRequested))

				// The same news again is late.
				_, err = store.FinishStop(t.Context(), pod.Ref(), by)
				wantKind(t, "a repeated FinishStop", err, pods.KindConflict)
			})
		}
	}
}

func TestFinishStopForgetsTheRun(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	pod := podstest.CreateIn(t, store, pods.StatusAvailable, func(pod *pods.Pod) { pod.TimeToStopInstance = new(int64(900)) })
	podstest.Wish(t, store, pod, pods.DesiredOff)
	if _, err := store.Move(t.Context(), pods.Move{Ref: pod.Ref(), By: pods.ActorSpawner, To: pods.StatusDeleting}); err != nil {
		t.Fatalf("Move: %v", err)
	}
	now := clock.Advance(time.Second)
	stopped, err := store.FinishStop(t.Context(), pod.Ref(), pods.ActorSpawner)
	if err != nil {
		t.Fatalf("FinishStop: %v", err)
	}
	want := pod
	want.Status, want.StatusRequested, want.StatusSince, want.UpdateTS = pods.StatusStopped, pods.DesiredOff, now, now
	want.StatusContainer, want.Address = pods.ContainerStatus{}, ""
	want.StartInstanceTS, want.TimeToStopTS, want.TimeToStopInstance = nil, nil, nil
	wantSame(t, "the stopped pod", stopped, want)

	before := stateOf(t, store, pod.TenantID, pod.ID)
	if _, err := store.FinishStop(t.Context(), pod.Ref(), pods.ActorHealth); err != nil {
		t.Errorf("FinishStop of a pod at rest: %v, want nothing to do", err)
	}
	wantSame(t, "a pod at rest", stateOf(t, store, pod.TenantID, pod.ID), before)
}

// TestFinishStopOfVanishedPod ends pods whose Kubernetes pod is gone though
// they are wanted: they are requested again.
func TestFinishStopOfVanishedPod(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	for _, from := range []pods.Status{pods.StatusCreating, pods.StatusAvailable} {
		pod := podstest.CreateIn(t, store, from, tenantFor("vanished", string(from)))
		again, err := store.FinishStop(t.Context(), pod.Ref(), pods.ActorHealth)
		if err != nil || again.Status != pods.StatusRequested || again.Instance != pod.Instance+1 {
			t.Errorf("from %s: the pod is %s in instance %d (%v), want it requested anew", from, again.Status, again.Instance, err)
		}
	}
}

func TestStartAfterStopWhileDeleting(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusDeleting)
	podstest.Wish(t, store, pod, pods.DesiredOn)

	again, err := store.FinishStop(t.Context(), pod.Ref(), pods.ActorSpawner)
	if err != nil || again.Status != pods.StatusRequested || again.Instance != pod.Instance+1 {
		t.Errorf("the pod is %s in instance %d (%v), want it requested anew", again.Status, again.Instance, err)
	}
}

func TestStopDue(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	pod := podstest.CreateIn(t, store, pods.StatusAvailable, func(pod *pods.Pod) { pod.TimeToStopDefault = 300 })
	never := podstest.CreateIn(t, store, pods.StatusAvailable, podstest.ID("never"), func(pod *pods.Pod) { pod.TimeToStopDefault = -1 })

	clock.Set(pod.TimeToStopTS.Add(-time.Microsecond))
	_, err := store.StopDue(t.Context(), pod.Ref())
	wantKind(t, "StopDue before its time", err, pods.KindConflict)

	clock.Advance(time.Microsecond)
	due, err := store.StopDue(t.Context(), pod.Ref())
	if err != nil || due.StatusRequested != pods.DesiredOff {
		t.Fatalf("StopDue: wanted %s, %v; want OFF", due.StatusRequested, err)
	}
	texts := actionTexts(t, store, pod)
	wantSame(t, "the last action", texts[len(texts)-1], pods.ActionTimeToStop)
	outbox := podstest.Outbox(t, store)
	wantSame(t, "the last event", outbox[len(outbox)-1].Type(), events.TypePodStopRequested)

	_, err = store.StopDue(t.Context(), pod.Ref())
	wantKind(t, "StopDue again", err, pods.KindConflict)
	clock.Advance(100 * 365 * 24 * time.Hour)
	_, err = store.StopDue(t.Context(), never.Ref())
	wantKind(t, "StopDue of a pod that is never stopped", err, pods.KindConflict)
}
