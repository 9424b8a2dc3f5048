package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

const lease = time.Minute

func wantDue(t *testing.T, store *postgres.Store, want bool) {
	t.Helper()
	if due, err := store.LogsDue(t.Context()); err != nil || due != want {
		t.Errorf("logs are due: %t (%v), want %t", due, err, want)
	}
}

func claimLogs(t *testing.T, store *postgres.Store, want ...pods.LogRun) {
	t.Helper()
	claimed, err := store.ClaimDueLogs(t.Context(), 10, lease)
	if err != nil {
		t.Fatalf("ClaimDueLogs: %v", err)
	}
	wantSame(t, "the claimed runs", claimed, want)
}

func TestLogSchedule(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	wantDue(t, store, false)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	run := pods.LogRun{Ref: pod.Ref(), K8sName: pod.K8sName, Wait: pods.MinLogWait}
	wantDue(t, store, false)
	claimLogs(t, store)

	clock.Advance(pods.MinLogWait)
	wantDue(t, store, true)
	claimLogs(t, store, run)
	wantDue(t, store, false)
	claimLogs(t, store)
	clock.Advance(lease) // whoever claimed it has gone
	claimLogs(t, store, run)

	if err := store.LogsCollected(t.Context(), pod.Ref(), 5*time.Minute); err != nil {
		t.Fatalf("LogsCollected: %v", err)
	}
	run.Wait = 5 * time.Minute
	clock.Advance(run.Wait - 1)
	wantDue(t, store, false)
	clock.Advance(1)
	claimLogs(t, store, run)

	if _, err := store.Move(t.Context(), pods.Move{Ref: pod.Ref(), By: pods.ActorHealth, To: pods.StatusComplete}); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	wantDue(t, store, true)
	claimLogs(t, store) // it is not running any more
	wantDue(t, store, false)
	if err := store.LogsCollected(t.Context(), pod.Ref(), time.Second); err != nil {
		t.Fatalf("LogsCollected: %v", err)
	}
	clock.Advance(time.Hour)
	wantDue(t, store, false)
}

// TestClaimLogsAtOnce has many collectors claim at the same time: each run goes
// to one of them.
func TestClaimLogsAtOnce(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	const runs, collectors = 20, 6
	for i := range runs {
		podstest.CreateIn(t, store, pods.StatusAvailable, podstest.ID(fmt.Sprintf("pod%d", i)))
	}
	clock.Advance(time.Minute)
	claimed := make([][]pods.LogRun, collectors)
	calls := make([]func() error, collectors)
	for i := range calls {
		calls[i] = func() (err error) {
			claimed[i], err = store.ClaimDueLogs(t.Context(), runs/2, lease)
			return err
		}
	}
	for _, err := range atOnce(calls...) {
		if err != nil {
			t.Errorf("ClaimDueLogs: %v", err)
		}
	}
	times := map[pods.Ref]int{}
	for _, some := range claimed {
		if len(some) > runs/2 {
			t.Errorf("claimed %d at a time, want %d at most", len(some), runs/2)
		}
		for _, run := range some {
			times[run.Ref]++
		}
	}
	for ref, n := range times {
		if n != 1 {
			t.Errorf("the run of %s was claimed %d times", ref.PodID, n)
		}
	}
	if len(times) != runs {
		t.Errorf("%d runs were claimed, want %d", len(times), runs)
	}
}
