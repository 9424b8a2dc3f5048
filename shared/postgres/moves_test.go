package postgres_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

// attempt asks the store to move a pod by the method that leads to a status.
func attempt(t *testing.T, store *postgres.Store, ref pods.Ref, by pods.Actor, to pods.Status) (pods.Pod, error) {
	t.Helper()
	switch to {
	case pods.StatusSpawnerSetup:
		pod, _, err := store.ClaimPod(t.Context(), ref)
		return pod, err
	case pods.StatusStopped:
		return store.FinishStop(t.Context(), ref, by)
	}
	return store.Move(t.Context(), pods.Move{Ref: ref, By: by, To: to})
}

// TestTransitions tries every move by every actor from every status: those of
// pods.Transitions are made, with their line and event, and all others change
// nothing.
func TestTransitions(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	targets := slices.DeleteFunc(slices.Clone(pods.Statuses), func(s pods.Status) bool { return s == pods.StatusRequested })
	for _, by := range []pods.Actor{pods.ActorAPI, pods.ActorSpawner, pods.ActorHealth} {
		for _, from := range pods.Statuses {
			for _, to := range targets {
				if to == pods.StatusSpawnerSetup && by != pods.ActorSpawner {
					continue // only the spawner claims
				}
				t.Run(fmt.Sprintf("%s/%s/%s", by, from, to), func(t *testing.T) {
					t.Parallel()

					testTransition(t, store, by, from, to)
				})
			}
		}
	}
}

func testTransition(t *testing.T, store *postgres.Store, by pods.Actor, from, to pods.Status) {
	t.Helper()
	pod := podstest.CreateIn(t, store, from, tenantFor(string(by), string(from), string(to)))
	if to == pods.StatusDeleting || to == pods.StatusStopped {
		pod = podstest.Wish(t, store, pod, pods.DesiredOff)
	}
	before := stateOf(t, store, pod.TenantID, pod.ID)

	moved, err := attempt(t, store, pod.Ref(), by, to)

	after := stateOf(t, store, pod.TenantID, pod.ID)
	resumed := from == to && (to == pods.StatusSpawnerSetup || to == pods.StatusStopped)
	switch {
	case resumed:
		wantKind(t, "a step that was made before", err, "")
		wantSame(t, "the pod", after, before)
	case pods.MayMove(by, from, to):
		wantKind(t, "a step of the life cycle", err, "")
		if after.Pod.Status != to || moved.Status != to {
			t.Errorf("the pod is %s and was returned as %s, want %s", after.Pod.Status, moved.Status, to)
		}
		line := pods.ActionLine(pod.CreationTS, pods.ActionStatus(by, to))
		wantSame(t, "the action log", after.Actions, append(before.Actions, line))
		wantSame(t, "the number of events", after.Events, before.Events+1)
	default:
		wantKind(t, "a step that is not of the life cycle", err, pods.KindConflict)
		wantSame(t, "the pod", after, before)
	}
}

func TestMoveRequestedIsNone(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusStopped)
	for _, to := range []pods.Status{pods.StatusRequested, pods.StatusSpawnerSetup, pods.StatusStopped, "NONSENSE"} {
		move := pods.Move{Ref: pod.Ref(), By: pods.ActorHealth, To: to}
		_, err := store.Move(t.Context(), move)
		wantKind(t, "Move to "+string(to), err, pods.KindInternal)
		_, err = store.MoveAll(t.Context(), []pods.Move{move})
		wantKind(t, "MoveAll to "+string(to), err, pods.KindInternal)
	}
}

// TestOutOfDate has everything that names a run of a pod refused for another
// run, another life and another pod.
func TestOutOfDate(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	refs := map[string]func(*pods.Ref){
		"EarlierRun": func(r *pods.Ref) { r.Instance -= 2 },
		"LaterRun":   func(r *pods.Ref) { r.Instance++ },
		"OtherLife":  func(r *pods.Ref) { r.UID = "another" },
		"OtherPod":   func(r *pods.Ref) { r.PodID = "another" },
		"OtherOwner": func(r *pods.Ref) { r.TenantID = "dev2" },
	}
	calls := map[string]func(pods.Ref) error{
		"ClaimPod": func(r pods.Ref) error { _, _, err := store.ClaimPod(t.Context(), r); return err },
		"Move": func(r pods.Ref) error {
			_, err := store.Move(t.Context(), pods.Move{Ref: r, By: pods.ActorHealth, To: pods.StatusError})
			return err
		},
		"FinishStop": func(r pods.Ref) error { _, err := store.FinishStop(t.Context(), r, pods.ActorHealth); return err },
		"StopDue":    func(r pods.Ref) error { _, err := store.StopDue(t.Context(), r); return err },
		"UpdateContainer": func(r pods.Ref) error {
			return store.UpdateContainer(t.Context(), r, pods.ContainerStatus{Phase: "Odd"})
		},
		"Resend": func(r pods.Ref) error { return store.Resend(t.Context(), events.TypePodRequested, r) },
	}
	before := stateOf(t, store, pod.TenantID, pod.ID)
	for refName, change := range refs {
		for callName, call := range calls {
			ref := pod.Ref()
			change(&ref)
			wantKind(t, callName+" with "+refName, call(ref), pods.KindConflict)
		}
	}
	wantSame(t, "the pod", stateOf(t, store, pod.TenantID, pod.ID), before)
}

func TestMoveFields(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	pod := podstest.CreateIn(t, store, pods.StatusCreating)

	now := clock.Advance(time.Second)
	started, stops := now.Add(-time.Millisecond), now.Add(time.Hour)
	running := pods.ContainerStatus{Phase: "Running", StartTime: "2030-01-02T03:04:06Z", Message: "a\x00b\xff", Ready: true, RestartCount: 2}
	move := pods.Move{
		Ref: pod.Ref(), By: pods.ActorHealth, To: pods.StatusAvailable, Container: &running,
		Address: "10.88.0.9", StartedAt: &started, TimeToStop: &stops,
	}
	available, err := store.Move(t.Context(), move)
	if err != nil {
		t.Fatalf("Move: %v", err)
	}
	want := pod
	want.Status, want.StatusSince, want.UpdateTS = pods.StatusAvailable, now, now
	want.Address, want.StartInstanceTS, want.TimeToStopTS = "10.88.0.9", &started, &stops
	want.StatusContainer = running
	want.StatusContainer.Message = "ab\uFFFD"
	wantSame(t, "an AVAILABLE pod", available, want)

	// A container that failed has no address and keeps what is known of it.
	now = clock.Advance(time.Second)
	failed, err := store.Move(t.Context(), pods.Move{
		Ref: pod.Ref(), By: pods.ActorHealth, To: pods.StatusError, Address: "10.88.0.9", StartedAt: &now,
	})
	if err != nil {
		t.Fatalf("Move: %v", err)
	}
	want.Status, want.StatusSince, want.UpdateTS, want.Address = pods.StatusError, now, now, ""
	wantSame(t, "a pod in ERROR", failed, want)
}

func TestMoveToDeletingNeedsTheWish(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	remove := pods.Move{Ref: pod.Ref(), By: pods.ActorSpawner, To: pods.StatusDeleting}

	_, err := store.Move(t.Context(), remove)
	wantKind(t, "removing a pod that is wanted ON", err, pods.KindConflict)
	podstest.Wish(t, store, pod, pods.DesiredOff)
	podstest.Wish(t, store, pod, pods.DesiredOn)
	_, err = store.Move(t.Context(), remove)
	wantKind(t, "removing a pod that is wanted ON again", err, pods.KindConflict)
	podstest.Wish(t, store, pod, pods.DesiredRestart)
	_, err = store.Move(t.Context(), remove)
	wantKind(t, "removing a pod that is wanted RESTART", err, "")
}

func TestClaimPodAtOnce(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.Create(t, store)
	claim := func() error {
		claimed, creds, err := store.ClaimPod(t.Context(), pod.Ref())
		if err == nil && (claimed.Status != pods.StatusSpawnerSetup || creds.UserPassword == "") {
			err = fmt.Errorf("claimed in %s with %d characters of password", claimed.Status, len(creds.UserPassword))
		}
		return err
	}
	for _, err := range atOnce(claim, claim, claim, claim) {
		wantKind(t, "ClaimPod", err, "")
	}
	wantSame(t, "events", podstest.Types(podstest.Outbox(t, store)), []string{events.TypePodRequested, events.TypePodStatusChanged})
	wantSame(t, "actions", actionTexts(t, store, pod), []string{
		pods.ActionCreated("alice"), pods.ActionStatus(pods.ActorSpawner, pods.StatusSpawnerSetup),
	})

	podstest.Wish(t, store, pod, pods.DesiredOff)
	wantKind(t, "claiming a pod that is wanted OFF", claim(), pods.KindConflict)
}

func TestMoveAll(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	var moves []pods.Move
	for i, from := range []pods.Status{pods.StatusCreating, pods.StatusAvailable, pods.StatusStopped, pods.StatusCreating} {
		pod := podstest.CreateIn(t, store, from, podstest.ID(fmt.Sprintf("pod%d", i)), tenantFor("batch", fmt.Sprint(i%2)))
		moves = append(moves, pods.Move{Ref: pod.Ref(), By: pods.ActorHealth, To: pods.StatusComplete})
	}
	moves[3].To, moves[3].Address, moves[3].StartedAt = pods.StatusAvailable, "10.0.0.3", new(podstest.NewClock().Now())
	moves = append(moves, pods.Move{Ref: pods.Ref{TenantID: "dev", PodID: "none"}, By: pods.ActorHealth, To: pods.StatusError})

	made, err := store.MoveAll(t.Context(), moves)
	if err != nil || made != 3 {
		t.Fatalf("MoveAll = %d, %v; want 3 moves", made, err)
	}
	var got []pods.Status
	for _, move := range moves[:4] {
		pod, _, err := store.Pod(t.Context(), move.TenantID, move.PodID)
		if err != nil {
			t.Fatalf("Pod: %v", err)
		}
		got = append(got, pod.Status)
	}
	wantSame(t, "the statuses", got, []pods.Status{
		pods.StatusComplete, pods.StatusComplete, pods.StatusStopped, pods.StatusAvailable,
	})
	made, err = store.MoveAll(t.Context(), moves)
	if err != nil || made != 0 {
		t.Errorf("the same moves again: %d, %v; want none", made, err)
	}
}

// TestMoveAllAtOnce has two batches move the same pods in opposite orders:
// neither may block the other for good, and each move is made once.
func TestMoveAllAtOnce(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	for round := range 10 {
		var moves []pods.Move
		for i := range 20 {
			id := fmt.Sprintf("pod%dr%d", i, round)
			pod := podstest.CreateIn(t, store, pods.StatusCreating, podstest.ID(id))
			moves = append(moves, pods.Move{Ref: pod.Ref(), By: pods.ActorHealth, To: pods.StatusAvailable})
		}
		backwards := slices.Clone(moves)
		slices.Reverse(backwards)
		made := make([]int, 2)
		errs := atOnce(
			func() (err error) { made[0], err = store.MoveAll(t.Context(), moves); return err },
			func() (err error) { made[1], err = store.MoveAll(t.Context(), backwards); return err },
		)
		if errs[0] != nil || errs[1] != nil || made[0]+made[1] != len(moves) {
			t.Fatalf("MoveAll made %v moves of %d, errors %v", made, len(moves), errs)
		}
	}
}
