package reconcile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
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

func TestTickComparesAll(t *testing.T) {
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
	if w.cluster.observed != 0 || w.store.batches != 0 || len(w.store.resent) != 0 {
		t.Errorf("%d observations, %d batches, %d resent, want none", w.cluster.observed, w.store.batches, len(w.store.resent))
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
	want := []string{events.TypePodRequested + " life", events.TypePodDeleted + " dead"}
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
		})
	}
}

func TestTickAsksForLogs(t *testing.T) {
	t.Parallel()

	running := podIn(pods.StatusAvailable, 0, numbered(1))
	w := newWorld(running, podIn(pods.StatusComplete, 0, numbered(2)))
	w.see(seenIn(kube.StateRunning, of(running)))
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {minLogInterval - 1, 1}, {minLogInterval, 2}, {time.Hour, 3}, {time.Hour + maxLogInterval - 1, 3}, {time.Hour + maxLogInterval, 4}} {
		w.now = testNow.Add(step.after)
		w.tick(t)
		if got := len(w.publishedOf(t, events.TypePodLogsDue)); got != step.want {
			t.Errorf("after %v asked %d times, want %d", step.after, got, step.want)
		}
	}
	w.store.pods[running.K8sName].Status = pods.StatusError
	w.tick(t)
	if len(w.handler.logs) != 0 {
		t.Error("a pod that ended is remembered")
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
