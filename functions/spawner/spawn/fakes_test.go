package spawn_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/functions/spawner/spawn"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/storage"
	"github.com/pods-service/pods/shared/templates"
	"github.com/pods-service/pods/shared/volumes"
)

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testPod returns a pod that waits for its first start.
func testPod(change func(*pods.Pod)) pods.Pod {
	pod := pods.Pod{
		TenantID: "dev", SiteID: "local", ID: "db", UID: "life", Instance: 1,
		K8sName: pods.Name("local", "dev", "db"),
		Spec: pods.Spec{
			Image:      "dev.local/hello:1",
			Networking: map[string]pods.Networking{pods.DefaultNetworkKey: pods.NewNetworking()},
		},
		Status: pods.StatusRequested, StatusRequested: pods.DesiredOn,
	}
	if change != nil {
		change(&pod)
	}
	return pod
}

// fakeStore holds the one pod of its name, and follows the rules of the real
// one: a move names the run and the statuses it starts from.
type fakeStore struct {
	pod        *pods.Pod // nil once deleted
	tombstones []string  // uids
	volume     *volumes.Volume
	err        error // fails every call
}

func (s *fakeStore) Volume(_ context.Context, tenantID, volumeID string) (volumes.Volume, error) {
	if s.volume == nil || s.volume.TenantID != tenantID || s.volume.ID != volumeID {
		return volumes.Volume{}, volumes.NotFound(volumes.KindVolume, volumeID)
	}
	return *s.volume, nil
}

func (s *fakeStore) Snapshot(_ context.Context, _, snapshotID string) (volumes.Snapshot, error) {
	return volumes.Snapshot{}, volumes.NotFound(volumes.KindSnapshot, snapshotID)
}

func (s *fakeStore) run(ref pods.Ref) (*pods.Pod, error) {
	if s.err != nil {
		return nil, s.err
	}
	if s.pod == nil || s.pod.Ref() != ref {
		return nil, pods.Conflict("run %d of pod %s is over", ref.Instance, ref.PodID)
	}
	return s.pod, nil
}

func (s *fakeStore) ClaimPod(_ context.Context, ref pods.Ref) (pods.Pod, pods.Credentials, error) {
	pod, err := s.run(ref)
	if err != nil {
		return pods.Pod{}, pods.Credentials{}, err
	}
	claimable := []pods.Status{pods.StatusRequested, pods.StatusSpawnerSetup}
	if pod.StatusRequested != pods.DesiredOn || !slices.Contains(claimable, pod.Status) {
		return pods.Pod{}, pods.Credentials{}, pods.Conflict("not waiting")
	}
	pod.Status = pods.StatusSpawnerSetup
	return *pod, pods.NewCredentials(pod.ID), nil
}

func (s *fakeStore) Move(_ context.Context, move pods.Move) (pods.Pod, error) {
	pod, err := s.run(move.Ref)
	if err != nil {
		return pods.Pod{}, err
	}
	if !pods.MayMove(move.By, pod.Status, move.To) ||
		move.To == pods.StatusDeleting && pod.StatusRequested == pods.DesiredOn {
		return pods.Pod{}, pods.Conflict("no move from %s to %s", pod.Status, move.To)
	}
	pod.Status = move.To
	if move.Container != nil {
		pod.StatusContainer = *move.Container
	}
	return *pod, nil
}

func (s *fakeStore) FinishStop(_ context.Context, ref pods.Ref, by pods.Actor) (pods.Pod, error) {
	pod, err := s.run(ref)
	if err != nil {
		return pods.Pod{}, err
	}
	if pod.Status != pods.StatusStopped && !pods.MayMove(by, pod.Status, pods.StatusStopped) {
		return pods.Pod{}, pods.Conflict("not being stopped")
	}
	pod.Status = pods.StatusStopped
	if pod.StatusRequested != pods.DesiredOff {
		pod.Status, pod.StatusRequested = pods.StatusRequested, pods.DesiredOn
		pod.Instance++
	}
	return *pod, nil
}

func (s *fakeStore) UpdateContainer(_ context.Context, ref pods.Ref, status pods.ContainerStatus) error {
	pod, err := s.run(ref)
	if err != nil {
		return err
	}
	pod.StatusContainer = status
	return nil
}

func (s *fakeStore) PodByK8sName(context.Context, string) (pods.Pod, error) {
	switch {
	case s.err != nil:
		return pods.Pod{}, s.err
	case s.pod == nil:
		return pods.Pod{}, pods.NotFound("no such pod")
	}
	return *s.pod, nil
}

func (s *fakeStore) RemoveTombstone(_ context.Context, uid string) error {
	s.tombstones = slices.DeleteFunc(s.tombstones, func(t string) bool { return t == uid })
	return s.err
}

// fakeCluster holds the objects of one name.
type fakeCluster struct {
	holder *pods.Ref // whose pod and service hold the name; nil for nobody
	claims []string  // uids of lives that have claims
	// lingers keeps removed pods until the test lets them go, leaving says that
	// one is on its way.
	lingers, leaving bool
	failures         []error // for one Ensure each
	err              error   // fails every other call
	onEnsure         func()  // called before an Ensure makes anything
	made             []manifests.Objects
}

func (c *fakeCluster) Ensure(_ context.Context, objects manifests.Objects) error {
	if c.onEnsure != nil {
		c.onEnsure()
	}
	if len(c.failures) > 0 {
		err := c.failures[0]
		c.failures = c.failures[1:]
		if err != nil {
			return err
		}
	}
	wanted := refOf(objects)
	if c.holder != nil && (*c.holder != wanted || c.leaving) {
		return &kube.OccupiedError{Name: objects.Pod.Name, Pod: &kube.Observed{Name: objects.Pod.Name}}
	}
	c.holder = &wanted
	if len(objects.Claims) > 0 && !slices.Contains(c.claims, wanted.UID) {
		c.claims = append(c.claims, wanted.UID)
	}
	c.made = append(c.made, objects)
	return nil
}

// refOf reads the run from the labels; tests have one tenant and pod id.
func refOf(objects manifests.Objects) pods.Ref {
	ref := pods.Ref{TenantID: "dev", PodID: "db", UID: objects.Pod.Labels[manifests.LabelUID]}
	for ref.Instance = 1; manifests.Identity(ref)[manifests.LabelInstance] != objects.Pod.Labels[manifests.LabelInstance]; {
		ref.Instance++
	}
	return ref
}

func (c *fakeCluster) release() (left bool) {
	c.leaving = c.lingers
	if !c.lingers {
		c.holder = nil
	}
	return true
}

func (c *fakeCluster) RemoveRuns(_ context.Context, _ string, ref pods.Ref, _ time.Time) (bool, error) {
	if c.err != nil || c.holder == nil || c.holder.UID != ref.UID || c.holder.Instance > ref.Instance {
		return false, c.err
	}
	return c.release(), nil
}

func (c *fakeCluster) RemoveLife(_ context.Context, _, uid string, _ time.Time) (bool, error) {
	c.claims = slices.DeleteFunc(c.claims, func(claim string) bool { return claim == uid })
	if c.err != nil || c.holder == nil || c.holder.UID != uid {
		return false, c.err
	}
	return c.release(), nil
}

func (c *fakeCluster) RemoveOthers(_ context.Context, _ string, ref pods.Ref, _ time.Time) error {
	if c.holder != nil && *c.holder != ref {
		c.release()
	}
	return c.err
}

func (c *fakeCluster) WaitGone(context.Context, *kube.Observed, time.Duration) bool {
	return c.holder == nil
}

// fakeDeriver returns pods as they are, or fails.
type fakeDeriver struct{ err error }

func (d fakeDeriver) Derive(_ context.Context, pod pods.Pod) (templates.Derived, error) {
	return templates.Derived{Pod: pod, Profile: templates.ProfileRestricted}, d.err
}

// world is a spawner and all it talks to.
type world struct {
	store   *fakeStore
	cluster *fakeCluster
	deriver *fakeDeriver
	shared  storage.Source
}

// newWorld returns a world whose store holds pod, none for nil.
func newWorld(pod *pods.Pod) *world {
	return &world{store: &fakeStore{pod: pod}, cluster: &fakeCluster{}, deriver: &fakeDeriver{}}
}

// deliver sends one event about that pod as a broker does and returns the
// acknowledgement.
func (w *world) deliver(t *testing.T, eventType string, about pods.Pod) int {
	t.Helper()
	return w.send(t, events.NewPod(eventType, pods.ActorAPI, events.Data(about), testNow))
}

func (w *world) send(t *testing.T, event cloudevents.Event) int {
	t.Helper()
	request, err := cloudevents.NewHTTPRequestFromEvent(t.Context(), "http://spawner.example/", event)
	if err != nil {
		t.Fatal(err)
	}
	handler := spawn.New(w.store, w.cluster, w.deriver, spawn.Options{
		Manifests: manifests.Options{Storage: w.shared}, Now: func() time.Time { return testNow }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	if answer.Code == http.StatusAccepted && answer.Body.Len() > 0 {
		t.Errorf("the acknowledgement has a body: %q", answer.Body)
	}
	return answer.Code
}

// check compares the end with what is wanted of it.
func (w *world) check(t *testing.T, status pods.Status, holder *pods.Ref) {
	t.Helper()
	if w.store.pod != nil && w.store.pod.Status != status {
		t.Errorf("the pod is %s, want %s", w.store.pod.Status, status)
	}
	switch {
	case (holder == nil) != (w.cluster.holder == nil):
		t.Errorf("the cluster holds %v, want %v", w.cluster.holder, holder)
	case holder != nil && *holder != *w.cluster.holder:
		t.Errorf("the cluster holds %+v, want %+v", *w.cluster.holder, *holder)
	}
}
