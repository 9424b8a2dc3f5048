package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
)

// numbered gives a pod an id, a name and a uid of its own.
func numbered(n int) func(*pods.Pod) {
	return func(p *pods.Pod) {
		p.ID, p.UID = fmt.Sprintf("db%d", n), fmt.Sprintf("life%d", n)
		p.K8sName = pods.Name(p.SiteID, p.TenantID, p.ID)
	}
}

// of makes what is seen that of a pod's run.
func of(pod pods.Pod) func(*kube.Observed) {
	return func(o *kube.Observed) {
		o.Name, o.PodID, o.UID, o.Instance = pod.K8sName, pod.ID, pod.UID, pod.Instance
	}
}

func TestFirstTickComparesAll(t *testing.T) {
	t.Parallel()

	starting := podIn(pods.StatusCreating, time.Second, numbered(1))
	failing := podIn(pods.StatusAvailable, time.Hour, numbered(2))
	leaving := podIn(pods.StatusDeleting, time.Second, numbered(3), wanted(pods.DesiredOff))
	due := podIn(pods.StatusAvailable, time.Hour, numbered(4), func(p *pods.Pod) { p.TimeToStopTS = new(testNow) })
	unheard := podIn(pods.StatusRequested, time.Minute, numbered(5))
	w := newWorld(starting, failing, leaving, due, unheard)
	w.see(seenIn(kube.StateRunning, of(starting)), seenIn(kube.StateFailed, of(failing), exit(1)))
	// The facts of due are known, so its time to stop is all there is to do.
	w.see(seenIn(kube.StateRunning, of(due)))
	w.store.pods[due.K8sName].StatusContainer = containerStatus(due, w.cluster.pods[due.K8sName], "")

	if got := w.tick(t); got != http.StatusAccepted {
		t.Errorf("acknowledged with %d", got)
	}
	want := map[string]pods.Status{
		starting.K8sName: pods.StatusAvailable, failing.K8sName: pods.StatusError, leaving.K8sName: pods.StatusStopped,
		due.K8sName: pods.StatusAvailable, unheard.K8sName: pods.StatusRequested,
	}
	got := map[string]pods.Status{}
	for name, pod := range w.store.pods {
		got[name] = pod.Status
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if w.store.pods[due.K8sName].StatusRequested != pods.DesiredOff {
		t.Error("the pod that is due was not set to OFF")
	}
	if diff := cmp.Diff([]string{events.TypePodRequested + " life5"}, w.store.resent); diff != "" {
		t.Errorf("asked for again (-want +got):\n%s", diff)
	}
	if w.store.batches != 1 {
		t.Errorf("moved in %d batches, want 1", w.store.batches)
	}
}

// A quiet tick must not cost a call per pod.
func TestTickQuiet(t *testing.T) {
	t.Parallel()

	w := newWorld()
	for n := range 20 {
		pod := podIn(pods.StatusAvailable, time.Hour, numbered(n))
		seen := seenIn(kube.StateRunning, of(pod))
		pod.StatusContainer = containerStatus(pod, seen, "")
		w.store.pods[pod.K8sName] = new(pod)
		w.see(seen)
	}
	w.tick(t)
	w.now = testNow.Add(recheckFor)
	for range 3 { // young pods are compared for a while
		w.tick(t)
	}
	if w.cluster.observed != 0 || w.store.batches != 0 || len(w.store.resent) != 0 {
		t.Errorf("%d observations, %d batches, %d resent, want none", w.cluster.observed, w.store.batches, len(w.store.resent))
	}
	if w.store.overviews != 1 || w.cluster.lists != 1 || len(w.store.read) != 0 {
		t.Errorf("all was read %d times, listed %d times, and %v by name; want it once", w.store.overviews, w.cluster.lists, w.store.read)
	}
	w.now = testNow.Add(WholeEvery)
	w.tick(t)
	if w.store.overviews != 2 || w.cluster.lists != 2 {
		t.Errorf("after %s all was read %d times and listed %d times, want twice", WholeEvery, w.store.overviews, w.cluster.lists)
	}
}

// TestWholeIsRareWhenSlow shows that comparing everything takes no larger part of
// the time for taking longer.
func TestWholeIsRareWhenSlow(t *testing.T) {
	t.Parallel()

	w := newWorld()
	w.cluster.onList = func() { w.now = w.now.Add(2 * time.Second) }
	w.tick(t)
	first := w.now
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{5 * time.Hour, 1}, {6 * time.Hour, 2}} {
		w.now = first.Add(step.after)
		w.tick(t)
		if w.store.overviews != step.want {
			t.Errorf("after %s all was read %d times, want %d", step.after, w.store.overviews, step.want)
		}
	}
	if got := WholeAfter(time.Minute); got != WholeAtLeast {
		t.Errorf("WholeAfter(1m) = %s, want %s", got, WholeAtLeast)
	}
}

// TestTickFollowsChanges has ticks alone follow the life of pods, after a first
// one that has seen them run.
func TestTickFollowsChanges(t *testing.T) {
	t.Parallel()

	pod := podIn(pods.StatusAvailable, time.Hour)
	running := seenIn(kube.StateRunning)
	pod.StatusContainer = containerStatus(pod, running, "")
	tests := map[string]struct {
		change func(w *world)
		want   pods.Status
		run    int64
	}{
		"Nothing": {func(*world) {}, pods.StatusAvailable, 2},
		"Failed":  {func(w *world) { w.see(seenIn(kube.StateFailed, exit(1))) }, pods.StatusError, 2},
		"Ended":   {func(w *world) { w.see(seenIn(kube.StateSucceeded)) }, pods.StatusComplete, 2},
		"Lost":    {func(w *world) { w.lose(pod.K8sName) }, pods.StatusRequested, 3},
		"Forgotten": {func(w *world) {
			w.see(seenIn(kube.StateFailed, exit(1)))
			w.cluster.expired = true
		}, pods.StatusError, 2},
		"NodeLost": {func(w *world) {
			w.see(seenIn(kube.StateRunning, leaving(time.Second)))
			for range 5 {
				w.tick(t)
				w.now = w.now.Add(recheckFor)
			}
			w.now = w.now.Add(pods.Limits[pods.StatusDeleting].End)
		}, pods.StatusError, 2},
		// What the rows say may be newer than what was seen.
		"SeenLate": {func(w *world) {
			w.see(seenIn(kube.StateFailed, exit(1)))
			delete(w.cluster.pods, pod.K8sName)
			w.cluster.pods[pod.K8sName] = running
		}, pods.StatusAvailable, 2},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(pod)
			w.see(running)
			w.tick(t)
			tc.change(w)
			if got := w.tick(t); got != http.StatusAccepted {
				t.Errorf("acknowledged with %d", got)
			}
			if row := w.store.pods[pod.K8sName]; row.Status != tc.want || row.Instance != tc.run {
				t.Errorf("the pod is %s in run %d, want %s in run %d", row.Status, row.Instance, tc.want, tc.run)
			}
		})
	}
}

// TestTickRetriesChanges has a tick fail after it has heard of a change.
func TestTickRetriesChanges(t *testing.T) {
	t.Parallel()

	pod := podIn(pods.StatusAvailable, time.Hour)
	w := newWorld(pod)
	w.see(seenIn(kube.StateRunning))
	w.tick(t)
	w.see(seenIn(kube.StateFailed, exit(1)))
	w.store.err = pods.Unavailable("down", nil)
	if err := w.handler.compareChanged(t.Context(), false); err == nil {
		t.Error("compared without a store")
	}
	w.store.err = nil
	w.now = testNow.Add(WholeEvery / 2)
	w.tick(t)
	if row := w.store.pods[pod.K8sName]; row.Status != pods.StatusError || w.cluster.lists != 1 {
		t.Errorf("the pod is %s after %d listings, want ERROR after one", row.Status, w.cluster.lists)
	}
}

// A node that comes back changes a great many pods: they are compared together.
func TestTickManyChanges(t *testing.T) {
	t.Parallel()

	w := newWorld()
	var all []pods.Pod
	for n := range maxConfirms + 1 {
		pod := podIn(pods.StatusAvailable, time.Hour, numbered(n))
		all = append(all, pod)
		w.store.pods[pod.K8sName] = new(pod)
		w.see(seenIn(kube.StateRunning, of(pod)))
	}
	w.tick(t)
	for _, pod := range all {
		w.see(seenIn(kube.StateFailed, of(pod), exit(1)))
	}
	w.cluster.observed = 0
	w.tick(t)
	for name, row := range w.store.pods {
		if row.Status != pods.StatusError {
			t.Errorf("%s is %s, want ERROR", name, row.Status)
		}
	}
	if w.cluster.observed != 0 || w.store.batches != 1 {
		t.Errorf("%d observations and %d batches, want none and one", w.cluster.observed, w.store.batches)
	}
}

// A listing comes from a cache: what it lacks may be there.
func TestTickMakesSureOfAbsence(t *testing.T) {
	t.Parallel()

	there := podIn(pods.StatusCreating, time.Second, numbered(1))
	gone := podIn(pods.StatusAvailable, time.Hour, numbered(2))
	w := newWorld(there, gone)
	w.see(seenIn(kube.StateWaiting, of(there)))
	w.cluster.unlisted[there.K8sName] = true
	w.tick(t)
	if row := w.store.pods[there.K8sName]; row.Status != pods.StatusCreating || row.Instance != 2 {
		t.Errorf("the pod that is there became %s", row.Status)
	}
	if row := w.store.pods[gone.K8sName]; row.Status != pods.StatusRequested || row.Instance != 3 {
		t.Errorf("the pod that is gone is %s in run %d", row.Status, row.Instance)
	}
}

func TestTickBoundsAbsences(t *testing.T) {
	t.Parallel()

	w := newWorld()
	for n := range maxConfirms + 30 {
		pod := podIn(pods.StatusAvailable, time.Hour, numbered(n))
		w.store.pods[pod.K8sName] = new(pod)
	}
	w.tick(t)
	if w.cluster.observed != maxConfirms {
		t.Errorf("%d observations, want %d", w.cluster.observed, maxConfirms)
	}
	w.tick(t) // which sees to the rest
	for name, row := range w.store.pods {
		if row.Status == pods.StatusAvailable {
			t.Errorf("the absence of %s was not looked into", name)
		}
	}
}

func TestTickWithoutCluster(t *testing.T) {
	t.Parallel()

	pod := podIn(pods.StatusAvailable, time.Hour)
	w := newWorld(pod)
	w.cluster.err = pods.Unavailable("down", nil)
	if got := w.tick(t); got != http.StatusServiceUnavailable {
		t.Errorf("acknowledged with %d", got)
	}
	if row := w.store.pods[pod.K8sName]; row.Status != pods.StatusAvailable {
		t.Errorf("without Kubernetes the pod became %s", row.Status)
	}
	if w.relay.flushed != 1 || w.store.pruned != 1 {
		t.Errorf("flushed %d times, pruned %d times, want once each", w.relay.flushed, w.store.pruned)
	}
}

func TestTickFlushFailureKeepsRest(t *testing.T) {
	t.Parallel()

	pod := podIn(pods.StatusCreating, time.Second)
	w := newWorld(pod)
	w.see(seenIn(kube.StateRunning))
	w.relay.err = errors.New("broken")
	if got := w.tick(t); got != http.StatusInternalServerError {
		t.Errorf("acknowledged with %d", got)
	}
	if row := w.store.pods[pod.K8sName]; row.Status != pods.StatusAvailable {
		t.Errorf("the pod is %s, want AVAILABLE", row.Status)
	}
}

func TestTickOneAtATime(t *testing.T) {
	t.Parallel()

	w := newWorld(podIn(pods.StatusAvailable, time.Hour))
	w.store.otherLeads = true
	if got := w.tick(t); got != http.StatusAccepted {
		t.Errorf("acknowledged with %d", got)
	}
	w.store.otherLeads = false
	w.handler.ticking.Lock()
	if err := w.handler.tick(context.Background()); err != nil {
		t.Errorf("second tick: %v", err)
	}
	w.handler.ticking.Unlock()
	if w.relay.flushed != 0 || w.cluster.observed != 0 {
		t.Error("a tick acted beside another")
	}
}

func TestTickPaces(t *testing.T) {
	t.Parallel()

	pod := podIn(pods.StatusRequested, time.Minute)
	w := newWorld(pod)
	w.store.tombstones = []pods.Tombstone{{UID: "dead", K8sName: "dead", DeletedAt: ago(time.Minute)}, {UID: "fresh", DeletedAt: testNow}}
	for range 3 {
		w.tick(t)
	}
	want := []string{events.TypePodDeleted + " dead", events.TypePodRequested + " life"}
	if diff := cmp.Diff(want, w.store.resent); diff != "" {
		t.Errorf("asked for again (-want +got):\n%s", diff)
	}
	if w.store.pruned != 1 {
		t.Errorf("pruned %d times in a moment", w.store.pruned)
	}
	w.now = testNow.Add(resendAfter)
	w.tick(t)
	if len(w.store.resent) != 5 {
		t.Errorf("asked for %d times, want 5: %v", len(w.store.resent), w.store.resent)
	}
	if len(w.store.tombstones) != 2 {
		t.Error("a tick forgot a deleted pod without asking the spawner")
	}
}

func TestTickLeftovers(t *testing.T) {
	t.Parallel()

	row := podIn(pods.StatusAvailable, time.Hour, numbered(1))
	fresh := func(o *kube.Observed) { o.CreatedAt = ago(resendAfter - 1) }
	other := func(o *kube.Observed) { o.UID = "other" }
	tests := map[string]struct {
		rows []pods.Pod
		seen *kube.Observed
		want []string
	}{
		"RowGone":      {[]pods.Pod{row}, seenIn(kube.StateRunning), []string{"life"}},
		"JustMade":     {[]pods.Pod{row}, seenIn(kube.StateRunning, fresh), nil},
		"OnItsWay":     {[]pods.Pod{row}, seenIn(kube.StateRunning, leaving(time.Second)), nil},
		"Overdue":      {[]pods.Pod{row}, seenIn(kube.StateRunning, leaving(time.Hour)), []string{"life"}},
		"Stopped":      {[]pods.Pod{podIn(pods.StatusStopped, time.Hour, wanted(pods.DesiredOff))}, seenIn(kube.StateRunning), []string{"life"}},
		"OtherLife":    {[]pods.Pod{podIn(pods.StatusError, time.Hour)}, seenIn(kube.StateRunning, other), []string{"other"}},
		"ToBeReplaced": {[]pods.Pod{podIn(pods.StatusRequested, 0)}, seenIn(kube.StateRunning, other), nil},
		"Own":          {[]pods.Pod{podIn(pods.StatusError, time.Hour)}, seenIn(kube.StateFailed), nil},
		"EmptyStore":   {nil, seenIn(kube.StateRunning), nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(tc.rows...)
			w.see(tc.seen)
			if _, found := w.store.pods[row.K8sName]; found {
				w.see(seenIn(kube.StateRunning, of(row)))
			}
			for range 2 { // asked for once in a while
				w.tick(t)
			}
			if diff := cmp.Diff(tc.want, w.publishedOf(t, events.TypePodStopRequested)); diff != "" {
				t.Errorf("asked to be stopped (-want +got):\n%s", diff)
			}
			if name == "EmptyStore" {
				return
			}
			// The same when the pod has come since the last tick.
			later := newWorld(tc.rows...)
			later.tick(t)
			later.see(tc.seen)
			later.tick(t)
			if diff := cmp.Diff(tc.want, later.publishedOf(t, events.TypePodStopRequested)); diff != "" {
				t.Errorf("asked to be stopped when it has just come (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTickAsksForLogs(t *testing.T) {
	t.Parallel()

	w := newWorld()
	w.tick(t)
	if len(w.published) != 0 {
		t.Errorf("published %v when nothing was due", w.published)
	}
	w.store.logsDue = true
	w.cluster.err = pods.Unavailable("down", nil) // which the function logs finds out by itself
	w.tick(t)
	if len(w.published) != 1 || w.published[0].Type() != events.TypePodLogsDue {
		t.Errorf("published %v, want one request for all that is due", w.published)
	}
}

// TestTickLooksAfterStorage: what is due is asked for, and not with every tick
// while somebody is at it.
func TestTickLooksAfterStorage(t *testing.T) {
	t.Parallel()

	w := newWorld()
	w.tick(t)
	if len(w.store.upkeep) != 0 || w.store.schedules != 0 {
		t.Errorf("asked for %v and %d times for schedules when nothing was due", w.store.upkeep, w.store.schedules)
	}
	w.store.storageDue = postgres.StorageDue{Snapshots: true, Measure: true}
	w.tick(t)
	w.store.storageDue = postgres.StorageDue{Measure: true, CleanUp: true}
	w.tick(t)
	want := []postgres.StorageDue{{Measure: true}, {CleanUp: true}}
	if !slices.Equal(w.store.upkeep, want) || w.store.schedules != 1 {
		t.Errorf("asked for %v and %d times for schedules, want %v and once", w.store.upkeep, w.store.schedules, want)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()

	registry := prometheus.NewRegistry()
	pod := podIn(pods.StatusCreating, 2*time.Second)
	w := newWorld(pod)
	w.handler.metrics = newMetrics(registry)
	w.see(seenIn(kube.StateRunning))
	w.change(t, events.TypeClusterUpdated, pod.K8sName)
	w.tick(t)
	if got := testutil.ToFloat64(w.handler.metrics.moves.WithLabelValues(string(pods.StatusAvailable))); got != 1 {
		t.Errorf("%v moves to AVAILABLE counted, want 1", got)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
}
