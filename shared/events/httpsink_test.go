package events_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

func newSink(t *testing.T, options events.HTTPSinkOptions) *events.HTTPSink {
	t.Helper()
	sink, err := events.NewHTTPSink(options)
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

// brokerAt answers every POST with status.
func brokerAt(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "because")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestHTTPSinkSendsBinary(t *testing.T) {
	t.Parallel()

	type received struct {
		method, path string
		event        *cloudevents.Event
		header       http.Header
		err          error
	}
	got := make(chan received, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := cloudevents.NewEventFromHTTPRequest(r)
		got <- received{r.Method, r.URL.Path, event, r.Header, err}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(server.Close)
	sink := newSink(t, events.HTTPSinkOptions{
		URL: server.URL + "/pods-service/default", Overrides: `{"extensions":{"cluster":"blue"}}`,
	})
	event := events.NewPod(events.TypePodRequested, pods.ActorAPI, events.PodData{TenantID: "dev", PodID: "db", UID: "u"}, time.Now())
	event.SetExtension("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")

	if err := sink.Send(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	r := <-got
	if r.err != nil || r.method != http.MethodPost || r.path != "/pods-service/default" {
		t.Fatalf("%s %s: %v", r.method, r.path, r.err)
	}
	if r.header.Get("Ce-Id") != event.ID() || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("header %v, want the binary mode", r.header)
	}
	if r.header.Get("Traceparent") != event.Extensions()["traceparent"] {
		t.Errorf("trace %q is not where tracing looks for it", r.header.Get("Traceparent"))
	}
	if r.event.Extensions()["cluster"] != "blue" || string(r.event.Data()) != string(event.Data()) {
		t.Errorf("the sink got %v", r.event)
	}
	if _, changed := event.Extensions()["cluster"]; changed {
		t.Error("the sender's own event has been changed")
	}
}

func TestHTTPSinkAnswers(t *testing.T) {
	t.Parallel()

	for status, want := range map[int]pods.Kind{
		200: "", 202: "", 204: "",
		302: pods.KindInvalid, 400: pods.KindInvalid, 403: pods.KindInvalid, 405: pods.KindInvalid, 413: pods.KindInvalid,
		404: pods.KindUnavailable, 408: pods.KindUnavailable, 409: pods.KindUnavailable, 429: pods.KindUnavailable,
		500: pods.KindUnavailable, 502: pods.KindUnavailable, 503: pods.KindUnavailable,
	} {
		sink := newSink(t, events.HTTPSinkOptions{URL: brokerAt(t, status)})
		if got := pods.KindOf(sink.Send(t.Context(), requests(1)[0])); got != want {
			t.Errorf("status %d: kind %q, want %q", status, got, want)
		}
	}
	sink := newSink(t, events.HTTPSinkOptions{URL: brokerAt(t, 202)})
	if got := pods.KindOf(sink.Send(t.Context(), cloudevents.NewEvent())); got != pods.KindInvalid {
		t.Errorf("an event without id: kind %q, want invalid", got)
	}
}

func TestHTTPSinkWithoutAnswer(t *testing.T) {
	t.Parallel()

	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	if got := pods.KindOf(newSink(t, events.HTTPSinkOptions{URL: down.URL}).Send(t.Context(), requests(1)[0])); got != pods.KindUnavailable {
		t.Errorf("a broker that is down: kind %q, want unavailable", got)
	}

	arrived, release := make(chan struct{}, 2), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(release) })
	sink := newSink(t, events.HTTPSinkOptions{URL: slow.URL, Timeout: 100 * time.Millisecond})
	if got := pods.KindOf(sink.Send(t.Context(), requests(1)[0])); got != pods.KindTimeout {
		t.Errorf("a broker that holds the event: kind %q, want timeout", got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	patient := newSink(t, events.HTTPSinkOptions{URL: slow.URL})
	go func() { sent <- patient.Send(ctx, requests(1)[0]) }()
	<-arrived // that of before
	<-arrived
	cancel()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Errorf("a sender that gives up gets %v, want its context's error", err)
	}
}

func TestHTTPSinkSettings(t *testing.T) {
	t.Parallel()

	for _, options := range []events.HTTPSinkOptions{
		{},
		{URL: "broker"},
		{URL: "ftp://broker"},
		{URL: "http://broker", Overrides: "{"},
		{URL: "http://broker", Overrides: `{"extensions":{"not-a-name":"x"}}`},
		{URL: "http://broker", Overrides: `{"extensions":{"number":1}}`},
	} {
		if _, err := events.NewHTTPSink(options); err == nil {
			t.Errorf("%+v is taken", options)
		}
	}
	if _, err := events.NewHTTPSink(events.HTTPSinkOptions{URL: "http://broker", Overrides: "{}"}); err != nil {
		t.Errorf("overrides of nothing: %v", err)
	}
}

// TestRelayWhileTheBrokerIsDown: what could not be sent stays in the outbox and
// goes out with the next flush, once the broker is back.
func TestRelayWhileTheBrokerIsDown(t *testing.T) {
	t.Parallel()

	status, taken := make(chan int, 1), make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := <-status
		w.WriteHeader(answer)
		if answer == http.StatusAccepted {
			taken <- r.Header.Get("Ce-Id")
		}
	}))
	t.Cleanup(server.Close)
	event := requests(1)[0]
	rows := newOutbox(event)
	relay := events.NewRelay(rows, newSink(t, events.HTTPSinkOptions{URL: server.URL}), events.RelayOptions{Logger: silent})
	defer func() { _ = relay.Close(t.Context()) }()

	status <- http.StatusServiceUnavailable
	relay.Enqueue([]cloudevents.Event{event})
	if err := relay.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows.left() != 1 {
		t.Fatalf("%d events in the outbox, want the one that was not taken", rows.left())
	}
	status <- http.StatusAccepted
	if started, err := relay.Flush(t.Context(), 0); err != nil || started != 1 {
		t.Fatalf("Flush = %d, %v", started, err)
	}
	if err := relay.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id := <-taken; id != event.ID() || rows.left() != 0 {
		t.Errorf("the broker took %q, %d left", id, rows.left())
	}
}
