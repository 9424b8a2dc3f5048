package collect_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/functions/logs/collect"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/pods"
)

// cluster is one pod's log as Kubernetes gives it.
type cluster struct {
	text     string
	followed bool
	err      error
}

func (c *cluster) OpenLog(_ context.Context, _ string, _ pods.Ref, options logs.Options) (*logs.Stream, error) {
	if c.err != nil {
		return nil, c.err
	}
	c.followed = options.Follow
	return &logs.Stream{ReadCloser: io.NopCloser(strings.NewReader(c.text)), Ended: true}, nil
}

// store keeps one run's output, comparing cursors as the database does.
type store struct {
	mu        sync.Mutex
	cursor    pods.LogCursor
	text      string
	conflicts int // appends to refuse first
}

func (s *store) LogCursor(context.Context, pods.Ref) (pods.LogCursor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor, nil
}

func (s *store) AppendLogs(_ context.Context, _ pods.Ref, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conflicts > 0 || !from.Equal(s.cursor) {
		s.conflicts--
		return pods.Conflict("moved on")
	}
	s.cursor = to
	s.text += chunk.Text
	return nil
}

const twoLines = "2026-01-02T03:04:05.000000001Z one\n2026-01-02T03:04:05.000000002Z two\n"

func deliver(t *testing.T, h http.Handler, eventType string, status pods.Status) int {
	t.Helper()
	event := events.NewPod(eventType, pods.ActorHealth, events.PodData{TenantID: "dev", PodID: "abc", UID: "u", Instance: 1, K8sName: "pods-x", Status: status}, time.Unix(0, 0))
	req, err := cloudevents.NewHTTPRequestFromEvent(t.Context(), "http://logs/", event)
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, req)
	return recorder.Code
}

func TestCollect(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		eventType string
		status    pods.Status
		times     int
		conflicts int
		clusterIs error
		wantText  string
		wantCode  int
		wantTail  bool
	}{
		"Due":             {eventType: events.TypePodLogsDue, times: 1, wantText: "one\ntwo\n", wantCode: 202},
		"Twice":           {eventType: events.TypePodLogsDue, times: 2, wantText: "one\ntwo\n", wantCode: 202},
		"Stop":            {eventType: events.TypePodStopRequested, times: 1, wantText: "one\ntwo\n", wantCode: 202, wantTail: true},
		"Complete":        {eventType: events.TypePodStatusChanged, status: pods.StatusComplete, times: 1, wantText: "one\ntwo\n", wantCode: 202},
		"Creating":        {eventType: events.TypePodStatusChanged, status: pods.StatusCreating, times: 1, wantCode: 202},
		"OtherType":       {eventType: events.TypePodRequested, times: 1, wantCode: 202},
		"MetAnother":      {eventType: events.TypePodLogsDue, times: 1, conflicts: 2, wantText: "one\ntwo\n", wantCode: 202},
		"RunIsOver":       {eventType: events.TypePodLogsDue, times: 1, conflicts: 100, wantCode: 202},
		"PodGone":         {eventType: events.TypePodLogsDue, times: 1, clusterIs: pods.NotFound("gone"), wantCode: 202},
		"ClusterAway":     {eventType: events.TypePodLogsDue, times: 1, clusterIs: pods.Unavailable("away", io.ErrUnexpectedEOF), wantCode: 503},
		"StopClusterAway": {eventType: events.TypePodStopRequested, times: 1, clusterIs: pods.Unavailable("away", io.ErrUnexpectedEOF), wantCode: 503},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := &cluster{text: twoLines, err: tc.clusterIs}
			s := &store{conflicts: tc.conflicts}
			h := collect.New(s, logs.NewReader(c), slog.New(slog.DiscardHandler))
			for range tc.times {
				if code := deliver(t, h, tc.eventType, tc.status); code != tc.wantCode {
					t.Errorf("acknowledged with %d, want %d", code, tc.wantCode)
				}
			}
			if s.text != tc.wantText || c.followed != tc.wantTail {
				t.Errorf("stored %q, followed %v; want %q, %v", s.text, c.followed, tc.wantText, tc.wantTail)
			}
		})
	}
}
