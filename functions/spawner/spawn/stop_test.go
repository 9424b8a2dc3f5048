package spawn_test

import (
	"net/http"
	"testing"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

func nextRun(p *pods.Pod) { p.Status, p.Instance = pods.StatusAvailable, 2 }

func nextLife(p *pods.Pod) { p.Status, p.UID = pods.StatusAvailable, "another" }

func TestStop(t *testing.T) {
	t.Parallel()

	about := testPod(func(p *pods.Pod) { p.Status = pods.StatusAvailable })
	in := func(status pods.Status, wish pods.Desired) *pods.Pod {
		return new(testPod(func(p *pods.Pod) { p.Status, p.StatusRequested = status, wish }))
	}
	tests := map[string]struct {
		pod      *pods.Pod
		holder   *pods.Ref
		status   pods.Status
		instance int64
		stays    bool // what holds the name
	}{
		"Running":        {in(pods.StatusAvailable, pods.DesiredOff), new(about.Ref()), pods.StatusDeleting, 1, false},
		"Failed":         {in(pods.StatusError, pods.DesiredOff), new(about.Ref()), pods.StatusDeleting, 1, false},
		"NothingMade":    {in(pods.StatusRequested, pods.DesiredOff), nil, pods.StatusStopped, 1, false},
		"Restart":        {in(pods.StatusAvailable, pods.DesiredRestart), new(about.Ref()), pods.StatusDeleting, 1, false},
		"RestartNothing": {in(pods.StatusError, pods.DesiredRestart), nil, pods.StatusRequested, 2, false},
		"RestartStopped": {in(pods.StatusStopped, pods.DesiredRestart), nil, pods.StatusRequested, 2, false},
		"Resumed":        {in(pods.StatusDeleting, pods.DesiredOff), new(about.Ref()), pods.StatusDeleting, 1, false},
		"StoppedBefore":  {in(pods.StatusStopped, pods.DesiredOff), nil, pods.StatusStopped, 1, false},
		"StoppedWithLeftover": {in(pods.StatusStopped, pods.DesiredOff), new(about.Ref()),
			pods.StatusStopped, 1, false},
		"WantedAgain":      {in(pods.StatusAvailable, pods.DesiredOn), new(about.Ref()), pods.StatusAvailable, 1, true},
		"Late":             {new(testPod(nextRun)), new(testPod(nextRun).Ref()), pods.StatusAvailable, 2, true},
		"LateWithLeftover": {new(testPod(nextRun)), new(about.Ref()), pods.StatusAvailable, 2, false},
		"NextLife":         {new(testPod(nextLife)), new(testPod(nextLife).Ref()), pods.StatusAvailable, 1, true},
		"Deleted":          {nil, new(about.Ref()), "", 0, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(tc.pod)
			w.cluster.holder, w.cluster.lingers = tc.holder, true
			for range 2 {
				if got := w.deliver(t, events.TypePodStopRequested, about); got != http.StatusAccepted {
					t.Errorf("acknowledged with %d", got)
				}
			}
			if w.store.pod != nil && (w.store.pod.Status != tc.status || w.store.pod.Instance != tc.instance) {
				t.Errorf("run %d is %s, want run %d %s", w.store.pod.Instance, w.store.pod.Status, tc.instance, tc.status)
			}
			if tc.holder != nil && w.cluster.leaving == tc.stays {
				t.Errorf("what held the name was asked to go: %t, want %t", w.cluster.leaving, !tc.stays)
			}
		})
	}
}

// Events of one pod come in any order; the wish decides.
func TestStopBeforeStart(t *testing.T) {
	t.Parallel()

	about := testPod(nil)
	w := newWorld(new(testPod(func(p *pods.Pod) { p.StatusRequested = pods.DesiredOff })))
	for _, eventType := range []string{events.TypePodStopRequested, events.TypePodRequested, events.TypePodStopRequested} {
		if got := w.deliver(t, eventType, about); got != http.StatusAccepted {
			t.Errorf("%s acknowledged with %d", eventType, got)
		}
	}
	w.check(t, pods.StatusStopped, nil)
}

func TestRemove(t *testing.T) {
	t.Parallel()

	about := testPod(func(p *pods.Pod) { p.Instance = 3 })
	newer := testPod(func(p *pods.Pod) { p.UID = "newer" })
	tests := map[string]struct {
		holder    *pods.Ref
		leaves    bool
		tombstone bool // is still there
	}{
		"Running":    {new(about.Ref()), true, true},
		"EarlierRun": {new(testPod(nil).Ref()), true, true},
		"Nothing":    {nil, false, false},
		"NewerLife":  {new(newer.Ref()), false, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(nil)
			w.cluster.holder, w.cluster.lingers, w.cluster.claims = tc.holder, true, []string{about.UID, newer.UID}
			w.store.tombstones = []string{about.UID}
			for range 2 {
				if got := w.deliver(t, events.TypePodDeleted, about); got != http.StatusAccepted {
					t.Errorf("acknowledged with %d", got)
				}
			}
			if w.cluster.leaving != tc.leaves {
				t.Errorf("what held the name was asked to go: %t, want %t", w.cluster.leaving, tc.leaves)
			}
			if got := len(w.store.tombstones) == 1; got != tc.tombstone {
				t.Errorf("the tombstone is there: %t, want %t", got, tc.tombstone)
			}
			if len(w.cluster.claims) != 1 || w.cluster.claims[0] != newer.UID {
				t.Errorf("claims left: %v, want those of the newer life", w.cluster.claims)
			}
		})
	}
}

// A delivery that cannot do its work must come again.
func TestOutages(t *testing.T) {
	t.Parallel()

	down := pods.Unavailable("down", errOf("refused"))
	types := []string{events.TypePodRequested, events.TypePodStopRequested, events.TypePodDeleted}
	for _, eventType := range types {
		t.Run(eventType, func(t *testing.T) {
			t.Parallel()

			about := testPod(func(p *pods.Pod) { p.Status, p.StatusRequested = pods.StatusDeleting, pods.DesiredOff })
			w := newWorld(new(about))
			w.cluster.err = down
			if got := w.deliver(t, eventType, about); got != http.StatusServiceUnavailable {
				t.Errorf("without Kubernetes acknowledged with %d", got)
			}
			w = newWorld(new(about))
			w.store.err = down
			if got := w.deliver(t, eventType, about); got != http.StatusServiceUnavailable {
				t.Errorf("without database acknowledged with %d", got)
			}
		})
	}
}
