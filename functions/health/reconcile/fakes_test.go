package reconcile

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/templates"
)

// fakeStore holds pods by Kubernetes name and follows the rules of the real
// one: every change names the run and the statuses it starts from.
type fakeStore struct {
	pods       map[string]*pods.Pod
	tombstones []pods.Tombstone
	resent     []string          // "type uid"
	traces     map[string]string // of moves, by uid
	pruned     int
	batches    int      // calls of MoveAll
	overviews  int      // calls of Overview
	read       []string // names that Unsettled was last asked for
	logsDue    bool
	storageDue postgres.StorageDue
	upkeep     []postgres.StorageDue // what was asked for
	schedules  int                   // calls of ScheduleDueSnapshots
	err        error                 // fails every call
	otherLeads bool
}

func (s *fakeStore) run(ref pods.Ref) (*pods.Pod, error) {
	if s.err != nil {
		return nil, s.err
	}
	for _, pod := range s.pods {
		if pod.Ref() == ref {
			return pod, nil
		}
	}
	return nil, pods.Conflict("run %d of pod %s is over", ref.Instance, ref.PodID)
}

func (s *fakeStore) StorageDue(context.Context) (postgres.StorageDue, error) {
	return s.storageDue, s.err
}

func (s *fakeStore) AskForUpkeep(_ context.Context, due postgres.StorageDue) error {
	s.upkeep = append(s.upkeep, due)
	return s.err
}

func (s *fakeStore) ScheduleDueSnapshots(context.Context, int) (int, error) {
	s.schedules++
	return 1, s.err
}

func (s *fakeStore) Move(_ context.Context, move pods.Move) (pods.Pod, error) {
	pod, err := s.run(move.Ref)
	if err != nil {
		return pods.Pod{}, err
	}
	if !pods.MayMove(move.By, pod.Status, move.To) {
		return pods.Pod{}, pods.Conflict("no move from %s to %s", pod.Status, move.To)
	}
	pod.Status, pod.Address = move.To, move.Address
	s.traces[pod.UID] = move.Traceparent
	if move.To == pods.StatusAvailable {
		pod.StartInstanceTS, pod.TimeToStopTS = move.StartedAt, move.TimeToStop
	}
	if move.Container != nil {
		pod.StatusContainer = *move.Container
	}
	return *pod, nil
}

func (s *fakeStore) MoveAll(ctx context.Context, moves []pods.Move) (int, error) {
	s.batches++
	made := 0
	for _, move := range moves {
		if _, err := s.Move(ctx, move); err == nil {
			made++
		}
	}
	return made, s.err
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
	if err == nil {
		pod.StatusContainer = status
	}
	return err
}

func (s *fakeStore) StopDue(_ context.Context, ref pods.Ref) (pods.Pod, error) {
	pod, err := s.run(ref)
	if err != nil {
		return pods.Pod{}, err
	}
	pod.StatusRequested = pods.DesiredOff
	return *pod, nil
}

func (s *fakeStore) Resend(_ context.Context, eventType string, ref pods.Ref) error {
	if _, err := s.run(ref); err != nil {
		return err
	}
	s.resent = append(s.resent, eventType+" "+ref.UID)
	return nil
}

func (s *fakeStore) PodByK8sName(_ context.Context, name string) (pods.Pod, error) {
	if s.err != nil {
		return pods.Pod{}, s.err
	}
	if pod, found := s.pods[name]; found {
		return *pod, nil
	}
	return pods.Pod{}, pods.NotFound("no such pod")
}

func (s *fakeStore) Overview(context.Context) ([]pods.Pod, error) {
	s.overviews++
	return s.rows(func(pod pods.Pod) bool {
		return pod.Status != pods.StatusStopped || pod.StatusRequested != pods.DesiredOff
	}), s.err
}

// Unsettled takes it that all but AVAILABLE pods without a time to stop wait for
// something, which is more than the real one returns.
func (s *fakeStore) Unsettled(_ context.Context, k8sNames []string) ([]pods.Pod, error) {
	s.read = k8sNames
	return s.rows(func(pod pods.Pod) bool {
		return pod.Status != pods.StatusAvailable || pod.TimeToStopTS != nil || slices.Contains(k8sNames, pod.K8sName)
	}), s.err
}

func (s *fakeStore) rows(keep func(pods.Pod) bool) []pods.Pod {
	var kept []pods.Pod
	for _, name := range slices.Sorted(maps.Keys(s.pods)) {
		if pod := *s.pods[name]; keep(pod) {
			kept = append(kept, pod)
		}
	}
	return kept
}

func (s *fakeStore) LogsDue(context.Context) (bool, error) { return s.logsDue, s.err }

func (s *fakeStore) Tombstones(context.Context) ([]pods.Tombstone, error) { return s.tombstones, s.err }

func (s *fakeStore) TombstonesByK8sName(_ context.Context, name string) ([]pods.Tombstone, error) {
	var found []pods.Tombstone
	for _, tombstone := range s.tombstones {
		if tombstone.K8sName == name {
			found = append(found, tombstone)
		}
	}
	return found, s.err
}

func (s *fakeStore) RemoveTombstone(_ context.Context, uid string) error {
	s.tombstones = slices.DeleteFunc(s.tombstones, func(t pods.Tombstone) bool { return t.UID == uid })
	return s.err
}

func (s *fakeStore) ResendDeleted(_ context.Context, tombstone pods.Tombstone) error {
	s.resent = append(s.resent, events.TypePodDeleted+" "+tombstone.UID)
	return s.err
}

func (s *fakeStore) TryLead(ctx context.Context, _ string, fn func(context.Context) error) (bool, error) {
	if s.otherLeads {
		return false, nil
	}
	return true, fn(ctx)
}

func (s *fakeStore) PruneOutbox(context.Context) error {
	s.pruned++
	return s.err
}

// fakeCluster holds Kubernetes pods by name; what it lists may lag behind. Its
// version is how many changes there have been.
type fakeCluster struct {
	changes  []string // names
	expired  bool     // no change is remembered
	lists    int      // calls of List
	pods     map[string]*kube.Observed
	unlisted map[string]bool // there, but not in the API server's cache yet
	err      error           // fails every call
	observed int             // calls of Observe
	onList   func()          // runs within List, when set
}

func (c *fakeCluster) Observe(_ context.Context, name string) (*kube.Observed, error) {
	c.observed++
	return c.pods[name], c.err
}

func (c *fakeCluster) List(context.Context) (kube.Listing, error) {
	c.lists++
	if c.onList != nil {
		c.onList()
	}
	listing := kube.Listing{Version: strconv.Itoa(len(c.changes))}
	for _, name := range slices.Sorted(maps.Keys(c.pods)) {
		if !c.unlisted[name] {
			listing.Pods = append(listing.Pods, *c.pods[name])
		}
	}
	return listing, c.err
}

func (c *fakeCluster) Changes(_ context.Context, version string) (kube.Changes, error) {
	if c.expired {
		return kube.Changes{}, kube.ErrExpired
	}
	from, err := strconv.Atoi(version)
	if err != nil {
		return kube.Changes{}, err
	}
	changes := kube.Changes{Version: strconv.Itoa(len(c.changes))}
	for _, name := range c.changes[from:] {
		if seen := c.pods[name]; seen != nil {
			changes.Pods = append(changes.Pods, *seen)
		} else {
			changes.Gone = append(changes.Gone, name)
		}
	}
	return changes, c.err
}

// fakeDeriver returns pods as they are but for the time to stop, or fails.
type fakeDeriver struct{ err error }

func (d *fakeDeriver) Derive(_ context.Context, pod pods.Pod) (templates.Derived, error) {
	if d.err == nil {
		pod.TimeToStopDefault = 600
	}
	return templates.Derived{Pod: pod}, d.err
}

type fakeRelay struct {
	flushed int
	err     error
}

func (r *fakeRelay) Flush(context.Context) error {
	r.flushed++
	return r.err
}

// world is health and all it talks to.
type world struct {
	store     *fakeStore
	cluster   *fakeCluster
	deriver   *fakeDeriver
	relay     *fakeRelay
	published []cloudevents.Event
	now       time.Time
	handler   *Handler
}

func newWorld(rows ...pods.Pod) *world {
	w := &world{
		store:   &fakeStore{pods: map[string]*pods.Pod{}, traces: map[string]string{}},
		cluster: &fakeCluster{pods: map[string]*kube.Observed{}, unlisted: map[string]bool{}},
		deriver: &fakeDeriver{}, relay: &fakeRelay{}, now: testNow,
	}
	for _, pod := range rows {
		w.store.pods[pod.K8sName] = new(pod)
	}
	w.handler = New(w.store, w.cluster, w.deriver, Options{
		Relay: w.relay, Now: func() time.Time { return w.now },
		Publish: func(published []cloudevents.Event) { w.published = append(w.published, published...) },
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	return w
}

func (w *world) see(seen ...*kube.Observed) {
	for _, o := range seen {
		w.cluster.pods[o.Name] = o
		w.cluster.changes = append(w.cluster.changes, o.Name)
	}
}

// lose removes a pod from the cluster.
func (w *world) lose(name string) {
	delete(w.cluster.pods, name)
	w.cluster.changes = append(w.cluster.changes, name)
}

// send delivers one event as a broker does and returns the acknowledgement.
func (w *world) send(t *testing.T, event cloudevents.Event) int {
	t.Helper()
	event.SetID("1")
	event.SetSource("/test")
	request, err := cloudevents.NewHTTPRequestFromEvent(t.Context(), "http://health.example/", event)
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, request)
	return answer.Code
}

func (w *world) tick(t *testing.T) int {
	t.Helper()
	event := cloudevents.NewEvent()
	event.SetType(events.TypeTick)
	return w.send(t, event)
}

// change delivers that the Kubernetes pod of that name changed.
func (w *world) change(t *testing.T, eventType, name string) int {
	t.Helper()
	event := cloudevents.NewEvent()
	event.SetType(eventType)
	reference := corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Name: name}
	if err := event.SetData(cloudevents.ApplicationJSON, reference); err != nil {
		t.Fatal(err)
	}
	return w.send(t, event)
}

// publishedOf lists the uids in published events of that type.
func (w *world) publishedOf(t *testing.T, eventType string) []string {
	t.Helper()
	var uids []string
	for _, event := range w.published {
		data, err := events.PodDataOf(event)
		if err != nil {
			t.Errorf("published %v: %v", event, err)
		}
		if event.Type() == eventType {
			uids = append(uids, data.UID)
		}
	}
	return uids
}
