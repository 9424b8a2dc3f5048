package feed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/feed"
)

// source is a store of pods whose answers can be held back.
type source struct {
	mu        sync.Mutex
	pods      map[string]pods.Pod
	err       error
	reads     int
	fullReads int
	busy      int
	maxBusy   int
	// hold, when set, is called after the answer is taken and before it is
	// given, without mu held.
	hold     func(podID string)
	holdFull func()
	// unmergeable are ids of pods whose template cannot be had.
	unmergeable map[string]bool
}

var errTemplate = errors.New("template not found")

func newSource(all ...pods.Pod) *source {
	s := &source{pods: map[string]pods.Pod{}}
	for _, pod := range all {
		s.set(pod)
	}
	return s
}

func (s *source) set(pod pods.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods[pod.TenantID+"/"+pod.ID] = pod
}

func (s *source) remove(pod pods.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pods, pod.TenantID+"/"+pod.ID)
}

func (s *source) change(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *source) counts() (reads, fullReads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.fullReads
}

func (s *source) Pods(ctx context.Context) ([]pods.Pod, error) {
	s.mu.Lock()
	s.fullReads++
	var all []pods.Pod
	err, hold := s.err, s.holdFull
	unmerged := &feed.UnmergedError{}
	for _, pod := range s.pods {
		if s.unmergeable[pod.ID] {
			unmerged.Pods = append(unmerged.Pods, feed.Unmerged{Pod: pod, Err: errTemplate})
			continue
		}
		all = append(all, pod)
	}
	if err == nil && len(unmerged.Pods) > 0 {
		err = fmt.Errorf("read pods: %w", unmerged)
	}
	s.mu.Unlock()
	if hold != nil {
		hold()
	}
	return all, errors.Join(err, ctx.Err())
}

func (s *source) Pod(ctx context.Context, tenantID, podID string) (pods.Pod, error) {
	s.mu.Lock()
	s.reads++
	s.busy++
	s.maxBusy = max(s.maxBusy, s.busy)
	pod, found := s.pods[tenantID+"/"+podID]
	err, hold := s.err, s.hold
	if err == nil && found && s.unmergeable[podID] {
		err = &feed.UnmergedError{Pods: []feed.Unmerged{{Pod: pod, Err: errTemplate}}}
		pod = pods.Pod{}
	}
	s.mu.Unlock()
	if hold != nil {
		hold(podID)
	}
	s.change(func() { s.busy-- })
	if err == nil && !found {
		err = fmt.Errorf("load: %w", pods.NotFound("no pod %s", podID))
	}
	return pod, errors.Join(err, ctx.Err())
}

func newPod(id string, status pods.Status) pods.Pod {
	networking := map[string]pods.Networking{pods.DefaultNetworkKey: pods.NewNetworking()}
	return pods.Pod{
		TenantID: "dev", ID: id, Status: status, Address: "10.1.2.3",
		Spec: pods.Spec{Networking: pods.WithURLs(networking, id, "pods.localhost")},
	}
}

// run starts a feed in a bubble of synthetic time and hands it to check once
// all is quiet.
func run(t *testing.T, s *source, check func(t *testing.T, f *feed.Feed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := feed.New(feed.Options{Source: s, Logger: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		synctest.Wait()
		check(t, f)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// stateOf returns what a visitor of the pod finds now.
func stateOf(f *feed.Feed, id string) routes.State {
	if route, found := f.Table().Lookup(id + ".pods.localhost"); found {
		return route.State
	}
	return "none"
}

func wantState(t *testing.T, f *feed.Feed, id string, want routes.State) {
	t.Helper()
	if got := stateOf(f, id); got != want {
		t.Fatalf("pod %s is %s, want %s", id, got, want)
	}
}

func TestFirstRead(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newSource(newPod("db", pods.StatusAvailable))
		f := feed.New(feed.Options{Source: s, Logger: slog.New(slog.DiscardHandler)})
		if f.Table() != nil || f.Age() >= 0 {
			t.Error("there is a table before the first read")
		}
		f.Changed("dev", "db") // too early to matter
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = f.Run(ctx) }()
		<-f.Ready()
		wantState(t, f, "db", routes.StateServing)
		if f.Age() != 0 {
			t.Errorf("age %s right after the first read", f.Age())
		}
		cancel()
		synctest.Wait()
	})
}

// TestChangedIsServedAtOnce: no timer stands between an announcement and the
// route; in synthetic time none of these steps takes any.
func TestChangedIsServedAtOnce(t *testing.T) {
	t.Parallel()

	s := newSource()
	run(t, s, func(t *testing.T, f *feed.Feed) {
		began := time.Now()
		for _, step := range []struct {
			status pods.Status
			want   routes.State
		}{
			{pods.StatusRequested, routes.StateStarting}, {pods.StatusAvailable, routes.StateServing},
			{pods.StatusDeleting, routes.StateStopping}, {pods.StatusStopped, routes.StateStopped},
		} {
			s.set(newPod("db", step.status))
			f.Changed("dev", "db")
			synctest.Wait()
			wantState(t, f, "db", step.want)
		}
		s.remove(newPod("db", ""))
		f.Changed("dev", "db")
		synctest.Wait()
		wantState(t, f, "db", "none")
		if took := time.Since(began); took != 0 {
			t.Errorf("the changes took %s of synthetic time", took)
		}
		if reads, fullReads := s.counts(); reads != 5 || fullReads != 1 {
			t.Errorf("%d reads and %d full reads, want 5 and 1", reads, fullReads)
		}
	})
}

func TestAnnouncementsAreCoalesced(t *testing.T) {
	t.Parallel()

	s := newSource(newPod("db", pods.StatusCreating))
	run(t, s, func(t *testing.T, f *feed.Feed) {
		release := make(chan struct{})
		s.change(func() { s.hold = func(string) { <-release } })
		f.Changed("dev", "db")
		synctest.Wait() // the old state is read and held back
		s.set(newPod("db", pods.StatusAvailable))
		for range 100 {
			f.Changed("dev", "db")
		}
		synctest.Wait()
		if reads, _ := s.counts(); reads != 1 {
			t.Errorf("%d reads of one pod at once", reads)
		}
		close(release)
		synctest.Wait()
		wantState(t, f, "db", routes.StateServing)
		if reads, _ := s.counts(); reads != 2 {
			t.Errorf("%d reads, want 2: the one under way and one for the rest", reads)
		}
	})
}

// TestManyChanges: pods are read side by side, few at a time, none is
// forgotten, and one that hangs does not hold up the others.
func TestManyChanges(t *testing.T) {
	t.Parallel()

	s := newSource()
	run(t, s, func(t *testing.T, f *feed.Feed) {
		release := make(chan struct{})
		s.change(func() {
			s.hold = func(podID string) {
				if podID == "slow" {
					<-release
				}
			}
		})
		s.set(newPod("slow", pods.StatusAvailable))
		f.Changed("dev", "slow")
		for i := range 500 {
			id := fmt.Sprintf("pod%d", i)
			s.set(newPod(id, pods.StatusAvailable))
			f.Changed("dev", id)
		}
		synctest.Wait()
		if got := f.Table().Len(); got != 500 {
			t.Errorf("%d routes while one pod hangs, want 500", got)
		}
		close(release)
		synctest.Wait()
		if got := f.Table().Len(); got != 501 {
			t.Errorf("%d routes in the end, want 501", got)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.maxBusy > 4 {
			t.Errorf("%d pods read at once", s.maxBusy)
		}
	})
}

func TestFloodOfChangesBecomesOneFullRead(t *testing.T) {
	t.Parallel()

	s := newSource()
	run(t, s, func(t *testing.T, f *feed.Feed) {
		release := make(chan struct{})
		s.change(func() { s.hold = func(string) { <-release } })
		for i := range 1100 {
			s.set(newPod(fmt.Sprintf("pod%d", i), pods.StatusAvailable))
		}
		for i := range 1100 {
			f.Changed("dev", fmt.Sprintf("pod%d", i))
			if i < 4 {
				synctest.Wait() // each reader is busy with one
			}
		}
		synctest.Wait()
		if got := f.Table().Len(); got != 1100 {
			t.Errorf("%d routes, want all 1100 by a full read", got)
		}
		close(release)
		synctest.Wait()
		if reads, fullReads := s.counts(); reads > 150 || fullReads != 2 {
			t.Errorf("%d single and %d full reads", reads, fullReads)
		}
	})
}

func TestResync(t *testing.T) {
	t.Parallel()

	s := newSource()
	run(t, s, func(t *testing.T, f *feed.Feed) {
		wantWithin := func(id string, limit time.Duration) {
			t.Helper()
			s.set(newPod(id, pods.StatusAvailable)) // and nobody says so
			time.Sleep(limit - time.Millisecond)
			synctest.Wait()
			wantState(t, f, id, "none")
			time.Sleep(time.Millisecond)
			synctest.Wait()
			wantState(t, f, id, routes.StateServing)
		}
		wantWithin("one", 30*time.Second)
		wantWithin("two", 30*time.Second)
		f.Disconnected()
		synctest.Wait()
		wantWithin("three", 2*time.Second)
		wantWithin("four", 2*time.Second)

		s.set(newPod("five", pods.StatusAvailable))
		f.Connected() // what was missed is read at once
		synctest.Wait()
		wantState(t, f, "five", routes.StateServing)
		wantWithin("six", 30*time.Second)
	})
}

func TestLastGoodTableStays(t *testing.T) {
	t.Parallel()

	s := newSource(newPod("db", pods.StatusAvailable))
	run(t, s, func(t *testing.T, f *feed.Feed) {
		s.change(func() { s.err = pods.Unavailable("the database is down", errors.New("refused")) })
		good := f.Table()
		f.Changed("dev", "db")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if f.Table() != good {
			t.Error("the table changed while the source was down")
		}
		wantState(t, f, "db", routes.StateServing)
		if f.Age() < 10*time.Minute {
			t.Errorf("age %s hides that the table is old", f.Age())
		}
		if _, fullReads := s.counts(); fullReads > 130 {
			t.Errorf("%d full reads of a source that is down in ten minutes", fullReads)
		}
		s.change(func() { s.err = nil })
		s.set(newPod("db", pods.StatusStopped))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		wantState(t, f, "db", routes.StateStopped)
	})
}

// TestOneReadFails: a change that could not be read is not lost.
func TestOneReadFails(t *testing.T) {
	t.Parallel()

	s := newSource(newPod("db", pods.StatusCreating))
	run(t, s, func(t *testing.T, f *feed.Feed) {
		s.change(func() {
			s.err = errors.New("reset")
			s.hold = func(string) { s.change(func() { s.err = nil }) }
		})
		s.set(newPod("db", pods.StatusAvailable))
		f.Changed("dev", "db")
		synctest.Wait()
		wantState(t, f, "db", routes.StateServing)
	})
}

func TestSourceDownAtTheStart(t *testing.T) {
	t.Parallel()

	s := newSource(newPod("db", pods.StatusAvailable))
	s.err = errors.New("refused")
	run(t, s, func(t *testing.T, f *feed.Feed) {
		time.Sleep(time.Minute)
		if f.Table() != nil {
			t.Fatal("there is a table without a read")
		}
		s.change(func() { s.err = nil })
		began := time.Now()
		<-f.Ready()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("ready %s after the source came up", took)
		}
		wantState(t, f, "db", routes.StateServing)
	})
}

// TestFullReadDoesNotUndoAChange: a full read may have looked before a change
// that has been served since.
func TestFullReadDoesNotUndoAChange(t *testing.T) {
	t.Parallel()

	s := newSource(newPod("db", pods.StatusCreating), newPod("old", pods.StatusAvailable))
	run(t, s, func(t *testing.T, f *feed.Feed) {
		release := make(chan struct{})
		s.change(func() { s.holdFull = func() { <-release } })
		f.Connected()
		synctest.Wait() // a full read has its answer and holds it back
		s.set(newPod("db", pods.StatusAvailable))
		f.Changed("dev", "db")
		s.remove(newPod("old", ""))
		f.Changed("dev", "old")
		synctest.Wait()
		wantState(t, f, "db", routes.StateServing) // not held up by it
		close(release)
		synctest.Wait()
		wantState(t, f, "db", routes.StateServing)
		wantState(t, f, "old", "none")
	})
}

// TestOldAnswerDoesNotUndoAFullRead is the other way round.
func TestOldAnswerDoesNotUndoAFullRead(t *testing.T) {
	t.Parallel()

	s := newSource(newPod("db", pods.StatusCreating))
	run(t, s, func(t *testing.T, f *feed.Feed) {
		release := make(chan struct{})
		s.change(func() { s.hold = func(string) { <-release } })
		f.Changed("dev", "db")
		synctest.Wait() // CREATING is read and held back
		s.set(newPod("db", pods.StatusAvailable))
		f.Connected()
		synctest.Wait()
		wantState(t, f, "db", routes.StateServing)
		close(release)
		synctest.Wait()
		wantState(t, f, "db", routes.StateServing)
	})
}

func TestAnswerForAnotherPodIsIgnored(t *testing.T) {
	t.Parallel()

	s := newSource(newPod("db", pods.StatusAvailable))
	run(t, s, func(t *testing.T, f *feed.Feed) {
		s.change(func() { s.pods["dev/web"] = newPod("db", pods.StatusStopped) })
		f.Changed("dev", "web")
		synctest.Wait()
		if _, found := f.Table().Lookup("web.pods.localhost"); found {
			t.Error("the route of another pod was taken")
		}
	})
}

// TestUnmergedPod: a pod whose template cannot be had keeps the networking it
// had, with who may visit it, but not a status or an address of the past. One
// that had none stays closed.
func TestUnmergedPod(t *testing.T) {
	t.Parallel()

	closed := newPod("db", pods.StatusAvailable)
	entry := closed.Networking["default"]
	entry.TapisAuth = true // as the template has it
	closed.Networking = map[string]pods.Networking{"default": entry}
	for name, announce := range map[string]func(f *feed.Feed){
		"Single": func(f *feed.Feed) { f.Changed("dev", "db"); f.Changed("dev", "new") },
		"Full":   func(f *feed.Feed) { f.Connected() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newSource(closed, newPod("other", pods.StatusCreating))
			run(t, s, func(t *testing.T, f *feed.Feed) {
				s.change(func() { s.unmergeable = map[string]bool{"db": true, "new": true} })
				open := newPod("db", pods.StatusAvailable) // as the pod alone is stored
				open.Address = "10.9.9.9"
				s.set(open)
				s.set(newPod("new", pods.StatusAvailable))
				s.set(newPod("other", pods.StatusAvailable))
				announce(f)
				f.Changed("dev", "other")
				synctest.Wait()
				route, found := f.Table().Lookup("db.pods.localhost")
				if !found || !route.Networking.TapisAuth || route.Target != "10.9.9.9:5000" {
					t.Errorf("unmerged pod: found %t, %+v", found, route)
				}
				wantState(t, f, "new", "none")
				wantState(t, f, "other", routes.StateServing)

				open.Status = pods.StatusStopped
				s.set(open)
				announce(f)
				synctest.Wait()
				wantState(t, f, "db", routes.StateStopped)

				s.change(func() { s.unmergeable = nil })
				announce(f)
				synctest.Wait()
				wantState(t, f, "new", routes.StateServing)
			})
		})
	}
}

// TestBadPodIsReportedOnce: what cannot be routed is said once, not at every
// read, and again when it comes back after it was solved.
func TestBadPodIsReportedOnce(t *testing.T) {
	t.Parallel()

	bad := newPod("bad", pods.StatusAvailable)
	bad.Address = "not-an-address"
	s := newSource(bad, newPod("db", pods.StatusAvailable))
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	synctest.Test(t, func(t *testing.T) {
		f := feed.New(feed.Options{Source: s, Logger: slog.New(slog.NewTextHandler(&log, nil)), Registerer: registry})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = f.Run(ctx) }()
		time.Sleep(10 * time.Minute)
		f.Changed("dev", "bad")
		synctest.Wait()
		wantState(t, f, "db", routes.StateServing)
		wantState(t, f, "bad", routes.StateStarting)
		if got := strings.Count(log.String(), "networking entry not routed"); got != 1 {
			t.Errorf("the problem was logged %d times:\n%s", got, log.String())
		}
		s.set(newPod("bad", pods.StatusAvailable))
		time.Sleep(time.Minute)
		s.set(bad)
		time.Sleep(time.Minute)
		cancel()
		synctest.Wait()
		if got := strings.Count(log.String(), "networking entry not routed"); got != 2 {
			t.Errorf("the problem that came back was logged %d times in all:\n%s", got, log.String())
		}
		const want = `
# HELP pods_gateway_route_problems Networking entries without a route to a target.
# TYPE pods_gateway_route_problems gauge
pods_gateway_route_problems 1
# HELP pods_gateway_routes Hosts that have a route.
# TYPE pods_gateway_routes gauge
pods_gateway_routes 2
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "pods_gateway_routes", "pods_gateway_route_problems"); err != nil {
			t.Error(err)
		}
	})
}
