package spawn_test

import (
	"net/http"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/storage"
	"github.com/pods-service/pods/shared/volumes"
)

func TestStart(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		pod    *pods.Pod // as the store has it when the event comes
		status pods.Status
		made   bool
	}{
		"Requested": {new(testPod(nil)), pods.StatusCreating, true},
		"Resumed": {new(testPod(func(p *pods.Pod) { p.Status = pods.StatusSpawnerSetup })),
			pods.StatusCreating, true},
		"StoppedMeanwhile": {new(testPod(func(p *pods.Pod) { p.StatusRequested = pods.DesiredOff })),
			pods.StatusRequested, false},
		"Stopped": {new(testPod(func(p *pods.Pod) { p.Status, p.StatusRequested = pods.StatusStopped, pods.DesiredOff })),
			pods.StatusStopped, false},
		"NextRun":  {new(testPod(func(p *pods.Pod) { p.Instance = 2 })), pods.StatusRequested, false},
		"NextLife": {new(testPod(func(p *pods.Pod) { p.UID = "another" })), pods.StatusRequested, false},
		"Deleted":  {nil, "", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			about, w := testPod(nil), newWorld(tc.pod)
			for range 2 { // every event may be delivered twice
				if got := w.deliver(t, events.TypePodRequested, about); got != http.StatusAccepted {
					t.Errorf("acknowledged with %d", got)
				}
			}
			var holder *pods.Ref
			if tc.made {
				holder = new(about.Ref())
			}
			w.check(t, tc.status, holder)
		})
	}
}

func TestStartLeavesRunningAlone(t *testing.T) {
	t.Parallel()

	for _, status := range []pods.Status{pods.StatusCreating, pods.StatusAvailable, pods.StatusComplete, pods.StatusError} {
		pod := testPod(func(p *pods.Pod) { p.Status = status })
		w := newWorld(&pod)
		w.cluster.holder = new(pod.Ref())
		if got := w.deliver(t, events.TypePodRequested, pod); got != http.StatusAccepted {
			t.Errorf("%s: acknowledged with %d", status, got)
		}
		w.check(t, status, new(pod.Ref()))
	}
}

// Whatever happens to the pod while its objects are made, none may stay behind
// and none of a newer run may be touched.
func TestStartOvertaken(t *testing.T) {
	t.Parallel()

	about := testPod(func(p *pods.Pod) {
		p.VolumeMounts = map[string]*pods.VolumeMount{"/data": {Type: pods.MountPVC}}
	})
	tests := map[string]struct {
		meanwhile func(w *world)
		holder    *pods.Ref
		claims    int
	}{
		"Stopping": {func(w *world) {
			w.store.pod.Status, w.store.pod.StatusRequested = pods.StatusDeleting, pods.DesiredOff
		}, nil, 1},
		"Stopped": {func(w *world) {
			w.store.pod.Status, w.store.pod.StatusRequested = pods.StatusStopped, pods.DesiredOff
		}, nil, 1},
		"Restarted":     {func(w *world) { w.store.pod.Instance++ }, nil, 1},
		"Deleted":       {func(w *world) { w.store.pod = nil }, nil, 0},
		"CreatedAgain":  {func(w *world) { w.store.pod.UID = "another" }, nil, 0},
		"TwinWasFaster": {func(w *world) { w.store.pod.Status = pods.StatusCreating }, new(about.Ref()), 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(new(about))
			w.cluster.onEnsure = func() { tc.meanwhile(w) }
			if got := w.deliver(t, events.TypePodRequested, about); got != http.StatusAccepted {
				t.Errorf("acknowledged with %d", got)
			}
			if tc.holder == nil && w.cluster.holder != nil || tc.holder != nil && w.cluster.holder == nil {
				t.Errorf("the cluster holds %v, want %v", w.cluster.holder, tc.holder)
			}
			if len(w.cluster.claims) != tc.claims {
				t.Errorf("%d claims are left, want %d", len(w.cluster.claims), tc.claims)
			}
		})
	}
}

// A spawner killed between making objects and moving the pod leaves them; the
// next delivery finds out that the run is over.
func TestStartCleansUpAfterCrash(t *testing.T) {
	t.Parallel()

	tests := map[string]*pods.Pod{
		"Stopped":      new(testPod(func(p *pods.Pod) { p.Status, p.StatusRequested = pods.StatusStopped, pods.DesiredOff })),
		"Deleted":      nil,
		"CreatedAgain": new(testPod(func(p *pods.Pod) { p.UID = "another" })),
	}
	for name, pod := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			about, w := testPod(nil), newWorld(pod)
			w.cluster.holder, w.cluster.claims = new(about.Ref()), []string{about.UID}
			if got := w.deliver(t, events.TypePodRequested, about); got != http.StatusAccepted {
				t.Errorf("acknowledged with %d", got)
			}
			if w.cluster.holder != nil {
				t.Errorf("the cluster still holds %+v", *w.cluster.holder)
			}
			if len(w.cluster.claims) != 1 {
				t.Error("claims were removed without the event that asks for it")
			}
		})
	}
}

func TestStartFailsForGood(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		spoil   func(w *world)
		message string
	}{
		"Template": {func(w *world) { w.deriver.err = pods.NotFound("Template not found") }, "Template not found"},
		"Merged":   {func(w *world) { w.deriver.err = pods.Invalid("image is required") }, "image is required"},
		"Fields": {func(w *world) {
			w.deriver.err = pods.InvalidFields([]pods.FieldError{{Location: []string{"body", "resources"}, Message: "too many"}})
		}, "body, resources: too many"},
		"Volume": {func(w *world) {
			w.store.pod.VolumeMounts = map[string]*pods.VolumeMount{"vol": {Type: pods.MountVolume}}
		}, "not available on this installation"},
		"VolumeGone": {func(w *world) {
			w.mountVolume("alice")
			w.store.volume = nil
		}, "there is no volume 'vol' that user 'alice' may use"},
		"VolumeTakenBack":  {func(w *world) { w.mountVolume("mallory") }, "that user 'mallory' may use. Create it, ask its owner for access"},
		"VolumeTurnedRead": {func(w *world) { w.mountVolume("bob") }, "user 'bob' needs level USER, and has READ"},
		"VolumeOfTemplate": {func(w *world) { w.mountVolume("") }, "that user 'starter' may use"},
		"Refused":          {func(w *world) { w.cluster.failures = []error{pods.Invalid("no such field")} }, "no such field"},
		"Quota":            {func(w *world) { w.cluster.failures = []error{pods.Exhausted("exceeded quota")} }, "exceeded quota"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			about := testPod(nil)
			w := newWorld(new(about))
			w.cluster.holder = new(about.Ref()) // half of it was made
			tc.spoil(w)
			for range 2 {
				if got := w.deliver(t, events.TypePodRequested, about); got != http.StatusAccepted {
					t.Errorf("acknowledged with %d", got)
				}
			}
			if w.store.pod.Status != pods.StatusError {
				t.Errorf("the pod is %s, want ERROR", w.store.pod.Status)
			}
			if got := w.store.pod.StatusContainer.Message; !strings.Contains(got, tc.message) {
				t.Errorf("the user is told %q, want %q in it", got, tc.message)
			}
		})
	}
}

// mountVolume has the pod mount a volume of alice's, which bob may read; the user
// by has added the mount, or a template for none. The user starter has started it.
func (w *world) mountVolume(by string) {
	w.shared = storage.Source{HostPath: "/srv/pods"}
	w.store.volume = &volumes.Volume{Base: volumes.Base{
		TenantID: "dev", ID: "vol", Permissions: permissions.Set{{User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read}},
	}}
	w.store.pod.StartedBy = "starter"
	w.store.pod.VolumeMounts = map[string]*pods.VolumeMount{"vol": {Type: pods.MountVolume, MountedBy: by}}
}

func TestStartWithVolume(t *testing.T) {
	t.Parallel()

	about := testPod(nil)
	w := newWorld(new(about))
	w.mountVolume("alice")
	if got := w.deliver(t, events.TypePodRequested, about); got != http.StatusAccepted {
		t.Errorf("acknowledged with %d", got)
	}
	w.check(t, pods.StatusCreating, new(about.Ref()))
}

func TestStartFailsForNow(t *testing.T) {
	t.Parallel()

	outage := pods.Unavailable("Kubernetes cannot be reached right now.", errOf("dial tcp 192.0.2.1"))
	tests := map[string]struct {
		failure error
		status  int
	}{
		"Outage": {outage, http.StatusServiceUnavailable},
		"Slow":   {pods.Timeout("too slow", nil), http.StatusServiceUnavailable},
		"Bug":    {errOf("boom"), http.StatusInternalServerError},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			about := testPod(nil)
			w := newWorld(new(about))
			w.cluster.failures = []error{tc.failure}
			if got := w.deliver(t, events.TypePodRequested, about); got != tc.status {
				t.Errorf("acknowledged with %d, want %d", got, tc.status)
			}
			w.check(t, pods.StatusSpawnerSetup, nil)
			message := w.store.pod.StatusContainer.Message
			if message == "" || strings.Contains(message, "192.0.2.1") || strings.Contains(message, "boom") {
				t.Errorf("the user is told %q", message)
			}
			if got := w.deliver(t, events.TypePodRequested, about); got != http.StatusAccepted {
				t.Errorf("second delivery acknowledged with %d", got)
			}
			w.check(t, pods.StatusCreating, new(about.Ref()))
			if message := w.store.pod.StatusContainer.Message; message != "" {
				t.Errorf("after it worked the user is still told %q", message)
			}
		})
	}
}

type errOf string

func (e errOf) Error() string { return string(e) }

func TestStartInPlaceOfOlder(t *testing.T) {
	t.Parallel()

	older := map[string]pods.Ref{
		"EarlierRun": testPod(nil).Ref(),
		"OtherLife":  testPod(func(p *pods.Pod) { p.UID, p.Instance = "another", 7 }).Ref(),
	}
	for name, holder := range older {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			about := testPod(func(p *pods.Pod) { p.Instance = 2 })
			w := newWorld(new(about))
			w.cluster.holder, w.cluster.lingers = new(holder), true
			if got := w.deliver(t, events.TypePodRequested, about); got != http.StatusServiceUnavailable {
				t.Errorf("acknowledged with %d while the older pod is there, want %d", got, http.StatusServiceUnavailable)
			}
			w.check(t, pods.StatusSpawnerSetup, &holder)
			if !w.cluster.leaving {
				t.Error("the older pod was not asked to go")
			}
			w.cluster.holder, w.cluster.leaving = nil, false
			if got := w.deliver(t, events.TypePodRequested, about); got != http.StatusAccepted {
				t.Errorf("acknowledged with %d", got)
			}
			w.check(t, pods.StatusCreating, new(about.Ref()))
		})
	}
}

func TestStartWaitsForOlderToGo(t *testing.T) {
	t.Parallel()

	about := testPod(func(p *pods.Pod) { p.Instance = 2 })
	w := newWorld(new(about))
	w.cluster.holder = new(testPod(nil).Ref()) // goes as soon as it is asked to
	if got := w.deliver(t, events.TypePodRequested, about); got != http.StatusAccepted {
		t.Errorf("acknowledged with %d", got)
	}
	w.check(t, pods.StatusCreating, new(about.Ref()))
}

// A start that was slow must not push out the life that came after it.
func TestStartNeverRemovesNewer(t *testing.T) {
	t.Parallel()

	newer := testPod(func(p *pods.Pod) { p.UID = "newer" })
	about := testPod(nil)
	w := newWorld(new(about))
	w.cluster.onEnsure = func() {
		w.store.pod = new(newer)
		w.cluster.holder = new(newer.Ref())
	}
	if got := w.deliver(t, events.TypePodRequested, about); got != http.StatusAccepted {
		t.Errorf("acknowledged with %d", got)
	}
	if w.cluster.holder == nil || *w.cluster.holder != newer.Ref() {
		t.Errorf("the cluster holds %v, want the newer life", w.cluster.holder)
	}
}

func TestOtherEvents(t *testing.T) {
	t.Parallel()

	empty := cloudevents.NewEvent()
	empty.SetID("1")
	empty.SetSource("/test")
	empty.SetType(events.TypePodRequested)
	foreign := empty.Clone()
	foreign.SetType("com.example.something")
	tests := map[string]struct {
		event cloudevents.Event
		want  int
	}{
		"NotOurs": {foreign, http.StatusAccepted},
		"NoData":  {empty, http.StatusBadRequest},
	}
	for name, tc := range tests {
		if got := newWorld(nil).send(t, tc.event); got != tc.want {
			t.Errorf("%s: acknowledged with %d, want %d", name, got, tc.want)
		}
	}
}
