package collect_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/functions/logs/collect"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/pods"
)

var (
	noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	data = events.PodData{TenantID: "dev", PodID: "db", UID: "u1", Instance: 2, K8sName: "pods-x-dev-db"}
)

// container writes a log that can be opened many times, as Kubernetes keeps it.
type container struct {
	mu      sync.Mutex
	log     bytes.Buffer
	lines   int
	ended   bool
	gone    bool
	err     error
	opened  int
	changed chan struct{} // closed at every change
}

func newContainer(lines ...string) *container {
	c := &container{changed: make(chan struct{})}
	c.write(lines...)
	return c
}

func (c *container) change(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *container) write(lines ...string) {
	c.change(func() {
		for _, line := range lines {
			fmt.Fprintf(&c.log, "%s %s\n", noon.Add(time.Duration(c.lines)*time.Millisecond).Format(time.RFC3339Nano), line)
			c.lines++
		}
	})
}

// times returns how often the log was opened.
func (c *container) times() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened
}

func (c *container) OpenLog(ctx context.Context, name string, ref pods.Ref, options logs.Options) (*logs.Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	switch {
	case c.err != nil:
		return nil, c.err
	case c.gone, name != data.K8sName, ref != data.Ref():
		return nil, pods.NotFound("pod %s", name)
	}
	return &logs.Stream{ReadCloser: &stream{ctx: ctx, container: c, follow: options.Follow}, Ended: c.ended}, nil
}

type stream struct {
	ctx       context.Context
	container *container
	follow    bool
	at        int
}

func (s *stream) Read(into []byte) (int, error) {
	for {
		s.container.mu.Lock()
		n := copy(into, s.container.log.Bytes()[s.at:])
		over, changed := s.container.ended || s.container.gone || !s.follow, s.container.changed
		s.container.mu.Unlock()
		s.at += n
		if n > 0 {
			return n, nil
		}
		if over {
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
	}
}

func (s *stream) Close() error { return nil }

// store holds one run's output; before, when set, runs ahead of every append.
type store struct {
	mu     sync.Mutex
	cursor pods.LogCursor
	text   string
	before func()
	err    error

	due       []pods.LogRun
	collected map[pods.Ref]time.Duration // the wait that was asked for
}

func (s *store) ClaimDueLogs(_ context.Context, limit int, _ time.Duration) ([]pods.LogRun, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	claimed := s.due[:min(limit, len(s.due))]
	s.due = s.due[len(claimed):]
	return claimed, s.err
}

func (s *store) LogsCollected(_ context.Context, ref pods.Ref, wait time.Duration) error {
	if s.before != nil {
		s.before()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.collected == nil {
		s.collected = map[pods.Ref]time.Duration{}
	}
	s.collected[ref] = wait
	return s.err
}

func (s *store) LogCursor(context.Context, pods.Ref) (pods.LogCursor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor, s.err
}

func (s *store) AppendLogs(_ context.Context, _ pods.Ref, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error {
	if s.before != nil {
		s.before()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !from.Equal(s.cursor) {
		return pods.Conflict("the log has moved on")
	}
	s.cursor, s.text = to, s.text+chunk.Text
	return s.err
}

func (s *store) kept() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

func newHandler(s *store, c *container) *collect.Handler {
	return collect.New(s, logs.NewReader(c), slog.New(slog.DiscardHandler))
}

// deliver sends an event to the handler and returns the status it answers.
func deliver(t *testing.T, h http.Handler, eventType string, change func(*events.PodData)) int {
	t.Helper()
	about := data
	if change != nil {
		change(&about)
	}
	return send(t, h, events.NewPod(eventType, pods.ActorHealth, about, noon))
}

func send(t *testing.T, h http.Handler, event cloudevents.Event) int {
	t.Helper()
	request, err := cloudevents.NewHTTPRequestFromEvent(t.Context(), "http://logs/", event)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	return w.Code
}

func reached(status pods.Status) func(*events.PodData) {
	return func(d *events.PodData) { d.Status = status }
}

// available is the event that the container runs.
func available() cloudevents.Event {
	about := data
	about.Status = pods.StatusAvailable
	return events.NewPod(events.TypePodStatusChanged, pods.ActorHealth, about, noon)
}

func TestEventsThatCollect(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		eventType string
		change    func(*events.PodData)
		want      string
		wantCode  int
	}{
		"Available":   {events.TypePodStatusChanged, reached(pods.StatusAvailable), "a\nb\n", 202},
		"Complete":    {events.TypePodStatusChanged, reached(pods.StatusComplete), "a\nb\n", 202},
		"Error":       {events.TypePodStatusChanged, reached(pods.StatusError), "a\nb\n", 202},
		"Creating":    {events.TypePodStatusChanged, reached(pods.StatusCreating), "", 202},
		"Requested":   {events.TypePodRequested, nil, "", 202},
		"OtherRun":    {events.TypePodStatusChanged, func(d *events.PodData) { d.Status, d.Instance = pods.StatusAvailable, 1 }, "", 202},
		"OtherLife":   {events.TypePodStatusChanged, func(d *events.PodData) { d.Status, d.UID = pods.StatusAvailable, "u0" }, "", 202},
		"NeverRan":    {events.TypePodStopRequested, func(d *events.PodData) { d.Instance = 0 }, "", 202},
		"NamesNoPod":  {events.TypePodStatusChanged, func(d *events.PodData) { d.Status, d.UID = pods.StatusAvailable, "" }, "", 400},
		"NamesNoLog":  {events.TypePodStatusChanged, func(d *events.PodData) { d.Status, d.K8sName = pods.StatusAvailable, "" }, "", 400},
		"NotForUs":    {"io.pods.volume.created.v1", func(d *events.PodData) { *d = events.PodData{} }, "", 202},
		"StopOfOther": {events.TypePodStopRequested, func(d *events.PodData) { d.Instance = 3 }, "", 202},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := &store{}
			code := deliver(t, newHandler(s, newContainer("a", "b")), tc.eventType, tc.change)
			if code != tc.wantCode || s.kept() != tc.want {
				t.Errorf("answered %d and kept %q, want %d and %q", code, s.kept(), tc.wantCode, tc.want)
			}
		})
	}
}

func TestDueIsCollected(t *testing.T) {
	t.Parallel()

	run := pods.LogRun{Ref: data.Ref(), K8sName: data.K8sName, Wait: time.Minute}
	gone, other := run, run
	gone.PodID, other.PodID = "gone", "other"
	down := newContainer("a")
	down.err = pods.Unavailable("down", nil)
	tests := map[string]struct {
		container *container
		due       []pods.LogRun
		want      map[pods.Ref]time.Duration
		text      string
	}{
		"Nothing": {newContainer("a"), nil, nil, ""},
		"Little":  {newContainer("a"), []pods.LogRun{run}, map[pods.Ref]time.Duration{run.Ref: 2 * time.Minute}, "a\n"},
		"Gone": {newContainer("a"), []pods.LogRun{gone, run, other},
			map[pods.Ref]time.Duration{gone.Ref: 2 * time.Minute, run.Ref: 2 * time.Minute, other.Ref: 2 * time.Minute}, "a\n"},
		"Down": {down, []pods.LogRun{run}, nil, ""}, // due again when the lease is over
		"Many": {newContainer(), slices.Repeat([]pods.LogRun{run}, 100), map[pods.Ref]time.Duration{run.Ref: 2 * time.Minute}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := &store{due: tc.due}
			code := send(t, newHandler(s, tc.container), events.NewLogsDue(pods.ActorHealth, noon))
			if code != 202 || s.kept() != tc.text || len(s.due) > 0 {
				t.Errorf("answered %d, kept %q, left %d; want 202, %q and none", code, s.kept(), len(s.due), tc.text)
			}
			if diff := cmp.Diff(tc.want, s.collected); diff != "" {
				t.Errorf("due again (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDueEndsInTime has more output due than one delivery has time for.
func TestDueEndsInTime(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s, c := &store{due: slices.Repeat([]pods.LogRun{{Ref: data.Ref(), K8sName: data.K8sName}}, 10_000)}, newContainer("a")
		s.before = func() { time.Sleep(4 * time.Second) }
		start := time.Now()
		code := send(t, newHandler(s, c), events.NewLogsDue(pods.ActorHealth, noon))
		if took := time.Since(start); code != 202 || took > 55*time.Second || len(s.due) == 0 {
			t.Errorf("answered %d after %s with %d left, want 202 in time with some left", code, took, len(s.due))
		}
	})
}

func TestDuplicatesKeepEveryLineOnce(t *testing.T) {
	t.Parallel()

	s, c := &store{}, newContainer("a", "b")
	h := newHandler(s, c)
	event := available()
	for range 2 {
		if code := send(t, h, event); code != 202 {
			t.Errorf("answered %d", code)
		}
	}
	c.write("c")
	var deliveries sync.WaitGroup
	for range 8 {
		deliveries.Go(func() {
			if code := send(t, h, event); code != 202 {
				t.Errorf("answered %d", code)
			}
		})
	}
	deliveries.Wait()
	if s.kept() != "a\nb\nc\n" {
		t.Errorf("kept %q, want every line once", s.kept())
	}
}

// Another process stores lines between this one's look at the cursor and its
// append: this one starts over from there.
func TestConflictStartsOver(t *testing.T) {
	t.Parallel()

	s, c := &store{}, newContainer("a", "b")
	var once sync.Once
	s.before = func() {
		once.Do(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.cursor, s.text = pods.LogCursor{Last: noon, Seen: 1}, "a\n"
		})
	}
	if code := send(t, newHandler(s, c), available()); code != 202 || s.kept() != "a\nb\n" {
		t.Errorf("answered %d and kept %q, want 202 and both lines once", code, s.kept())
	}
}

func TestConflictsWithoutEndAreLeftToTheOther(t *testing.T) {
	t.Parallel()

	s, c := &store{}, newContainer("a")
	s.before = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cursor.Seen++
	}
	if code := send(t, newHandler(s, c), available()); code != 202 || c.times() != 4 {
		t.Errorf("answered %d after opening %d times, want 202 after 4", code, c.times())
	}
}

func TestOutagesAreForLater(t *testing.T) {
	t.Parallel()

	down := pods.Unavailable("down", nil)
	for name, tc := range map[string]struct {
		store *store
		err   error
		want  int
	}{
		"Store":    {&store{err: down}, nil, 503},
		"Cluster":  {&store{}, down, 503},
		"PodGone":  {&store{err: pods.NotFound("pod")}, nil, 202},
		"Internal": {&store{err: io.ErrUnexpectedEOF}, nil, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := newContainer("a")
			c.err = tc.err
			if code := send(t, newHandler(tc.store, c), available()); code != tc.want {
				t.Errorf("answered %d, want %d", code, tc.want)
			}
		})
	}
}

func TestStopIsFollowedToTheLastLine(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s, c := &store{}, newContainer("a")
		h := newHandler(s, c)
		start := time.Now()
		codes := make(chan int, 1)
		go func() { codes <- deliver(t, h, events.TypePodStopRequested, nil) }()
		time.Sleep(7 * time.Second)
		c.write("shutting down")
		time.Sleep(4 * time.Second)
		if s.kept() != "a\nshutting down\n" {
			t.Errorf("kept %q while the container still runs, want what it wrote seconds ago", s.kept())
		}
		c.write("bye")
		c.change(func() { c.ended = true })
		synctest.Wait()
		if s.kept() != "a\nshutting down\nbye\n" {
			t.Errorf("kept %q when the container had ended, want its last line", s.kept())
		}
		c.change(func() { c.gone = true })
		if code := <-codes; code != 202 || time.Since(start) > 13*time.Second {
			t.Errorf("answered %d after %s, want 202 soon after the end", code, time.Since(start))
		}
	})
}

func TestStopThatNeverComesEndsInTime(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s, c := &store{}, newContainer("a")
		start := time.Now()
		code := deliver(t, newHandler(s, c), events.TypePodStopRequested, nil)
		if took := time.Since(start); code != 202 || took != 45*time.Second || s.kept() != "a\n" {
			t.Errorf("answered %d after %s and kept %q, want 202 after 45s and the line", code, took, s.kept())
		}
	})
}

func TestStopIsFollowedOnce(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s, c := &store{}, newContainer("a")
		h := newHandler(s, c)
		go deliver(t, h, events.TypePodStopRequested, nil)
		synctest.Wait()
		start := time.Now()
		if code := deliver(t, h, events.TypePodStopRequested, nil); code != 202 || time.Since(start) != 0 || c.times() != 1 {
			t.Errorf("second event answered %d after %s, opened %d times, want 202 at once and no second follower", code, time.Since(start), c.times())
		}
		c.change(func() { c.ended = true })
		time.Sleep(time.Minute)
		opened := c.times()
		deliver(t, h, events.TypePodStopRequested, nil) // the next one may follow again
		if c.times() != opened+1 {
			t.Errorf("opened %d times after the end, want once more", c.times()-opened)
		}
	})
}

// A megabyte a second is followed without gap or repeat.
func TestFollowKeepsUp(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s, c := &store{}, newContainer()
		h := newHandler(s, c)
		codes := make(chan int, 1)
		go func() { codes <- deliver(t, h, events.TypePodStopRequested, nil) }()
		var want strings.Builder
		for i := range 6000 {
			line := fmt.Sprintf("%01023d", i)
			want.WriteString(line + "\n")
			c.write(line)
			time.Sleep(time.Millisecond)
		}
		c.change(func() { c.ended = true })
		if code := <-codes; code != 202 || s.kept() != want.String() {
			t.Errorf("answered %d and kept %d bytes, want 202 and %d", code, len(s.kept()), want.Len())
		}
	})
}
