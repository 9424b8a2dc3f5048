package reconcile

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
)

func TestChanged(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		pod      pods.Pod
		seen     *kube.Observed
		event    string
		status   pods.Status
		instance int64
		resent   []string
	}{
		"Runs": {podIn(pods.StatusCreating, 0), seenIn(kube.StateRunning), events.TypeClusterUpdated,
			pods.StatusAvailable, 2, nil},
		"Fails": {podIn(pods.StatusAvailable, 0), seenIn(kube.StateFailed, exit(1)), events.TypeClusterUpdated,
			pods.StatusError, 2, nil},
		"Vanishes": {podIn(pods.StatusAvailable, 0), nil, events.TypeClusterDeleted, pods.StatusRequested, 3, nil},
		"IsGone": {podIn(pods.StatusDeleting, 0, wanted(pods.DesiredOff)), nil, events.TypeClusterDeleted,
			pods.StatusStopped, 2, nil},
		"IsGoneForRestart": {podIn(pods.StatusDeleting, 0, wanted(pods.DesiredRestart)), nil, events.TypeClusterDeleted,
			pods.StatusRequested, 3, nil},
		"LateDeletion": {podIn(pods.StatusAvailable, 0, told(pods.ContainerStatus{})), seenIn(kube.StateRunning),
			events.TypeClusterDeleted, pods.StatusAvailable, 2, nil},
		"MakesRoom": {podIn(pods.StatusSpawnerSetup, 0), nil, events.TypeClusterDeleted,
			pods.StatusSpawnerSetup, 2, []string{events.TypePodRequested + " life"}},
		"MakesRoomForNobody": {podIn(pods.StatusRequested, 0, wanted(pods.DesiredOff)), nil, events.TypeClusterDeleted,
			pods.StatusRequested, 2, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(tc.pod)
			if tc.seen != nil {
				w.see(tc.seen)
			}
			if got := w.change(t, tc.event, tc.pod.K8sName); got != http.StatusAccepted {
				t.Errorf("acknowledged with %d", got)
			}
			row := w.store.pods[tc.pod.K8sName]
			if row.Status != tc.status || row.Instance != tc.instance {
				t.Errorf("run %d is %s, want run %d %s", row.Instance, row.Status, tc.instance, tc.status)
			}
			if diff := cmp.Diff(tc.resent, w.store.resent); diff != "" {
				t.Errorf("asked for again (-want +got):\n%s", diff)
			}
		})
	}
}

// An event that comes twice changes nothing the second time.
func TestChangedTwice(t *testing.T) {
	t.Parallel()

	pod := podIn(pods.StatusDeleting, 0, wanted(pods.DesiredRestart))
	w := newWorld(pod)
	for range 3 {
		if got := w.change(t, events.TypeClusterDeleted, pod.K8sName); got != http.StatusAccepted {
			t.Errorf("acknowledged with %d", got)
		}
	}
	if row := w.store.pods[pod.K8sName]; row.Status != pods.StatusRequested || row.Instance != 3 {
		t.Errorf("run %d is %s, want run 3 REQUESTED", row.Instance, row.Status)
	}
}

func TestChangedSetsTimeToStop(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		err    error
		status pods.Status
		stop   *time.Time
		ack    int
	}{
		"Template":   {nil, pods.StatusAvailable, new(ago(2 * time.Second).Add(10 * time.Minute)), http.StatusAccepted},
		"NoTemplate": {pods.NotFound("Template not found"), pods.StatusAvailable, nil, http.StatusAccepted},
		"Outage":     {pods.Unavailable("down", nil), pods.StatusCreating, nil, http.StatusServiceUnavailable},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			pod := podIn(pods.StatusCreating, 0)
			w := newWorld(pod)
			w.see(seenIn(kube.StateRunning))
			w.deriver.err = tc.err
			if got := w.change(t, events.TypeClusterUpdated, pod.K8sName); got != tc.ack {
				t.Errorf("acknowledged with %d, want %d", got, tc.ack)
			}
			row := w.store.pods[pod.K8sName]
			if row.Status != tc.status {
				t.Errorf("the pod is %s, want %s", row.Status, tc.status)
			}
			if diff := cmp.Diff(tc.stop, row.TimeToStopTS); diff != "" {
				t.Errorf("time to stop (-want +got):\n%s", diff)
			}
		})
	}
}

func TestChangedBuries(t *testing.T) {
	t.Parallel()

	name := podIn("", 0).K8sName
	newer := podIn(pods.StatusAvailable, 0, func(p *pods.Pod) { p.UID = "newer" })
	tests := map[string]struct {
		rows  []pods.Pod
		seen  *kube.Observed
		event string
		left  int
	}{
		"Gone":         {nil, nil, events.TypeClusterDeleted, 0},
		"StillThere":   {nil, seenIn(kube.StateRunning, leaving(1)), events.TypeClusterUpdated, 1},
		"LateDeletion": {nil, seenIn(kube.StateRunning), events.TypeClusterDeleted, 1},
		"NewerCame": {[]pods.Pod{newer}, seenIn(kube.StateRunning, func(o *kube.Observed) { o.UID = "newer" }),
			events.TypeClusterAdded, 0},
	}
	for test, tc := range tests {
		t.Run(test, func(t *testing.T) {
			t.Parallel()

			w := newWorld(tc.rows...)
			w.store.tombstones = []pods.Tombstone{{UID: "life", K8sName: name}, {UID: "elsewhere", K8sName: "other"}}
			if tc.seen != nil {
				w.see(tc.seen)
			}
			for range 2 {
				if got := w.change(t, tc.event, name); got != http.StatusAccepted {
					t.Errorf("acknowledged with %d", got)
				}
			}
			if got := len(w.store.tombstones) - 1; got != tc.left {
				t.Errorf("%d tombstones are left, want %d", got, tc.left)
			}
		})
	}
}

func TestChangedOutages(t *testing.T) {
	t.Parallel()

	down := pods.Unavailable("down", nil)
	pod := podIn(pods.StatusAvailable, 0)
	w := newWorld(pod)
	w.cluster.err = down
	if got := w.change(t, events.TypeClusterDeleted, pod.K8sName); got != http.StatusServiceUnavailable {
		t.Errorf("without Kubernetes acknowledged with %d", got)
	}
	if row := w.store.pods[pod.K8sName]; row.Status != pods.StatusAvailable {
		t.Errorf("without Kubernetes the pod became %s", row.Status)
	}
	w = newWorld(pod)
	w.store.err = down
	if got := w.change(t, events.TypeClusterDeleted, pod.K8sName); got != http.StatusServiceUnavailable {
		t.Errorf("without database acknowledged with %d", got)
	}
}

func TestForeignEvents(t *testing.T) {
	t.Parallel()

	w := newWorld()
	if got := w.change(t, "com.example.something", "some-pod"); got != http.StatusAccepted {
		t.Errorf("acknowledged with %d", got)
	}
	if got := w.change(t, events.TypeClusterDeleted, "not-ours"); got != http.StatusAccepted {
		t.Errorf("a foreign pod's change acknowledged with %d", got)
	}
}
