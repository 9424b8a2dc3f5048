package knative

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pods-service/pods/test/service"
	"github.com/pods-service/pods/test/suite"
)

// atOnce is how many pods are created at a time.
const atOnce = 10

// TestKilled kills a part of the deployment with SIGKILL, twice, while many pods
// are created that each end by themselves and are then deleted. Nothing is
// lost: every pod is COMPLETE in the end. Nothing happens twice: each had one
// Kubernetes pod. Nothing is stuck: no event, object or row is left.
func TestKilled(t *testing.T) {
	state := func(name string) part { return part{service.FunctionsNamespace, "app.kubernetes.io/name=" + name} }
	victims := []struct {
		name string
		part part
	}{
		{"BrokerIngress", part{"knative-eventing", "eventing.knative.dev/brokerRole=ingress"}},
		{"Spawner", function("spawner")},
		{"Health", function("health")},
		{"API", function("api")},
		{"Postgres", state("postgres")},
		{"Redis", state("redis")},
	}
	for _, victim := range victims {
		t.Run(victim.name, func(t *testing.T) { killDuring(t, victim.part) })
	}
}

func killDuring(t *testing.T, victim part) {
	alice, born := newUser(t, 0), watchBirths(t)
	admin := deployed.User(t, "admin")
	letters := deadLetters(t, admin)
	started := time.Now()
	var accepted, killed atomic.Int64
	kill := func() {
		// A function that has just been woken may have no process yet.
		err := suite.Eventually(t.Context(), func() error {
			number, err := victim.kill(t.Context())
			killed.Add(int64(number))
			if err == nil && number == 0 {
				err = errors.New("nothing runs")
			}
			return err
		})
		if err != nil {
			t.Errorf("kill: %v", err)
		}
	}
	run := runLives(t, alice, func() {
		switch int(accepted.Add(1)) {
		case creates / 4, creates * 3 / 4:
			kill()
		}
	})
	lived := time.Since(started)

	for _, podID := range run.podIDs {
		if made := born.of(podID); made != 1 {
			t.Errorf("%d Kubernetes pods were made for %s", made, podID)
		}
	}
	deployed.WaitGone(t, run.podIDs...)
	deployed.WaitSettled(t)
	if rows, err := alice.api.Pods(t.Context()); err != nil || len(rows) > 0 {
		t.Errorf("%d pods are left, %v", len(rows), err)
	}
	if now := deadLetters(t, admin); len(now) > len(letters) {
		t.Errorf("events have become dead letters: %v", now)
	}
	t.Logf("killed %d times in %d creates of %s: all COMPLETE, once each; create to COMPLETE %s at p50, %s at most; %d calls, %d repeated; nothing left %s later",
		killed.Load(), creates, lived.Round(time.Second), run.at(50), run.at(100), alice.calls.Load(), alice.repeats.Load(),
		(time.Since(started) - lived).Round(100*time.Millisecond))
}

// lives are pods that were created, became COMPLETE and were deleted.
type lives struct {
	podIDs []string
	mu     sync.Mutex
	took   []time.Duration // from create to COMPLETE
}

// runLives has pods live, some at a time, and calls accepted after each create.
func runLives(t *testing.T, alice *user, accepted func()) *lives {
	t.Helper()
	run := &lives{}
	prefix := suite.NewID("life")
	work := make(chan string, creates)
	for i := range creates {
		podID := fmt.Sprintf("%sx%d", prefix, i)
		run.podIDs = append(run.podIDs, podID)
		work <- podID
	}
	close(work)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for podID := range work {
				if err := run.live(t, alice, podID, accepted); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return run
}

func (l *lives) live(t *testing.T, alice *user, podID string, accepted func()) error {
	started := time.Now()
	if err := alice.create(t.Context(), podID); err != nil {
		return err
	}
	accepted()
	if err := alice.await(t.Context(), podID); err != nil {
		return errors.Join(err, alice.remove(t.Context(), podID))
	}
	l.mu.Lock()
	l.took = append(l.took, time.Since(started))
	l.mu.Unlock()
	return alice.remove(t.Context(), podID)
}

// at returns a percentile of the times.
func (l *lives) at(percent int) time.Duration {
	slices.Sort(l.took)
	return l.took[(len(l.took)-1)*percent/100].Round(10 * time.Millisecond)
}
