package events_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// letters keeps dead letters in memory; err makes it fail.
type letters struct {
	mu   sync.Mutex
	kept []events.DeadLetter
	err  error
}

func (l *letters) AddDeadLetter(_ context.Context, letter events.DeadLetter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.kept = append(l.kept, letter)
	}
	return l.err
}

// sleeper notes the waits asked for and waits for none of them.
type sleeper struct {
	mu    sync.Mutex
	waits []time.Duration
}

func (s *sleeper) sleep(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = append(s.waits, d)
	return ctx.Err()
}

var silent = slog.New(slog.DiscardHandler)

func trigger(name string, delivery events.Delivery) events.Trigger {
	if delivery.Timeout == 0 {
		delivery.Timeout = time.Minute
	}
	return events.Trigger{Name: name, Subscriber: name, Path: "/", Delivery: delivery}
}

func newBroker(t *testing.T, handlers map[string]http.Handler, dead events.DeadLetters, options events.BrokerOptions, triggers ...events.Trigger) *events.Broker {
	t.Helper()
	if options.Logger == nil {
		options.Logger = silent
	}
	broker, err := events.NewBroker(triggers, handlers, dead, options)
	if err != nil {
		t.Fatalf("NewBroker: %v", err)
	}
	return broker
}

func statuses(answers ...int) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(answers[0])
		if len(answers) > 1 {
			answers = answers[1:]
		}
	}
}

func TestBrokerFollowsTheRetryRule(t *testing.T) {
	t.Parallel()

	delivery := events.Delivery{Retry: 3, Backoff: events.BackoffExponential, Delay: 200 * time.Millisecond, DeadLetters: true}
	ms := func(waits ...int) (durations []time.Duration) {
		for _, wait := range waits {
			durations = append(durations, time.Duration(wait)*time.Millisecond)
		}
		return durations
	}
	panics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("nil map") })
	aborts := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	body := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine!") })
	silentOK := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	tests := map[string]struct {
		handler      http.Handler
		wantWaits    []time.Duration
		wantAttempts int // of the dead letter; 0 for none
		wantReason   string
	}{
		"Accepted":        {statuses(202), nil, 0, ""},
		"ImplicitOK":      {silentOK, nil, 0, ""},
		"Recovers":        {statuses(503, 500, 202), ms(200, 400), 0, ""},
		"NeverWorks":      {statuses(400), nil, 1, "status 400"},
		"Redirects":       {statuses(302), nil, 1, "status 302"},
		"Forbidden":       {statuses(403), nil, 1, "status 403"},
		"RetriesRunOut":   {statuses(503), ms(200, 400, 800), 4, "status 503"},
		"RetriesNotFound": {statuses(404, 404, 400), ms(200, 400), 3, "status 400"},
		"RetriesTheRest":  {statuses(408, 409, 429, 202), ms(200, 400, 800), 0, ""},
		"Panics":          {panics, ms(200, 400, 800), 4, "no answer: the handler panicked: nil map"},
		"Aborts":          {aborts, ms(200, 400, 800), 4, "no answer: the handler panicked: net/http: abort Handler"},
		"SuccessWithBody": {body, ms(200, 400, 800), 4, "status 502: a success must have no body: fine!"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var dead letters
			var slept sleeper
			broker := newBroker(t, map[string]http.Handler{"spawner": tc.handler}, &dead,
				events.BrokerOptions{Sleep: slept.sleep}, trigger("spawner", delivery))
			event := events.NewPod(events.TypePodRequested, pods.ActorAPI, podData("db"), noon)
			if err := broker.Send(t.Context(), event); err != nil {
				t.Fatalf("Send: %v", err)
			}

			if diff := cmp.Diff(tc.wantWaits, slept.waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			if tc.wantAttempts == 0 {
				if len(dead.kept) != 0 {
					t.Errorf("kept %v, want no dead letter", dead.kept)
				}
				return
			}
			want := []events.DeadLetter{{Event: event, Trigger: "spawner", Reason: tc.wantReason, Attempts: tc.wantAttempts}}
			if diff := cmp.Diff(want, dead.kept); diff != "" {
				t.Errorf("dead letters (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBrokerSendsWhatKnativeSends(t *testing.T) {
	t.Parallel()

	event := events.NewPod(events.TypePodRequested, pods.ActorAPI, podData("db"), noon)
	event.SetExtension("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	var got cloudevents.Event
	var request *http.Request
	var readErr error
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request = r.Clone(r.Context())
		got, readErr = events.Read(w, r)
		events.Acknowledge(w, r, silent, got, readErr)
	})
	to := trigger("spawner", events.Delivery{})
	to.Path = "/events"
	broker := newBroker(t, map[string]http.Handler{"spawner": handler}, &letters{}, events.BrokerOptions{Namespace: "pods"}, to)
	if err := broker.Send(t.Context(), event); err != nil {
		t.Fatalf("Send: %v", err)
	}

	if readErr != nil || got.String() != event.String() {
		t.Errorf("handler read %v (%v), want %v", got, readErr, event)
	}
	if request.Method != http.MethodPost || request.URL.Path != "/events" || request.Host != "spawner" {
		t.Errorf("got %s http://%s%s, want POST http://spawner/events", request.Method, request.Host, request.URL.Path)
	}
	want := map[string]string{
		"Ce-Type": events.TypePodRequested, "Content-Type": "application/json", "Prefer": "reply", "Kn-Namespace": "pods",
		"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	for name, value := range want {
		if request.Header.Get(name) != value {
			t.Errorf("header %s is %q, want %q", name, request.Header.Get(name), value)
		}
	}
}

func TestBrokerTimesOutAHandlerThatHangs(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		hangs := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		var dead letters
		delivery := events.Delivery{Retry: 1, Backoff: events.BackoffExponential, Delay: time.Second, Timeout: 5 * time.Second, DeadLetters: true}
		broker := newBroker(t, map[string]http.Handler{"spawner": hangs}, &dead, events.BrokerOptions{}, trigger("spawner", delivery))
		start := time.Now()
		if err := broker.Send(t.Context(), events.NewPod(events.TypePodRequested, pods.ActorAPI, podData("db"), noon)); err != nil {
			t.Fatalf("Send: %v", err)
		}
		if took := time.Since(start); took != 11*time.Second {
			t.Errorf("took %s, want two attempts of 5s and one wait of 1s", took)
		}
		if len(dead.kept) != 1 || dead.kept[0].Reason != "no answer: context deadline exceeded" {
			t.Errorf("kept %v, want one that got no answer", dead.kept)
		}
	})
}

func TestBrokerInterruptedKeepsNothing(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var dead letters
		delivery := events.Delivery{Retry: 8, Backoff: events.BackoffExponential, Delay: time.Hour, DeadLetters: true}
		broker := newBroker(t, map[string]http.Handler{"spawner": statuses(503)}, &dead, events.BrokerOptions{}, trigger("spawner", delivery))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		err := broker.Send(ctx, events.NewPod(events.TypePodRequested, pods.ActorAPI, podData("db"), noon))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("Send: %v after %s, want the context's error at its end", err, time.Since(start))
		}
		if len(dead.kept) != 0 {
			t.Errorf("kept %v, want none: the event was not refused", dead.kept)
		}
	})
}

func TestBrokerReportsWhatItCannotKeep(t *testing.T) {
	t.Parallel()

	down := errors.New("postgres is down")
	tests := map[string]struct {
		delivery events.Delivery
		want     error
	}{
		"StoreDown": {events.Delivery{DeadLetters: true}, down},
		"NoPlace":   {events.Delivery{}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			taken := 0
			takes := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { taken++; w.WriteHeader(202) })
			broker := newBroker(t, map[string]http.Handler{"spawner": statuses(503), "logs": takes}, &letters{err: down},
				events.BrokerOptions{}, trigger("spawner", tc.delivery), trigger("logs", tc.delivery))
			err := broker.Send(t.Context(), events.NewPod(events.TypePodRequested, pods.ActorAPI, podData("db"), noon))
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("Send: %v, want an error (%v)", err, tc.want)
			}
			if taken != 1 {
				t.Errorf("the other trigger got the event %d times, want 1", taken)
			}
		})
	}
}

func TestBrokerRefuses(t *testing.T) {
	t.Parallel()

	if _, err := events.NewBroker([]events.Trigger{trigger("spawner", events.Delivery{})}, nil, &letters{}, events.BrokerOptions{}); err == nil {
		t.Error("NewBroker took a trigger for a function that is not there")
	}
	broker := newBroker(t, nil, &letters{}, events.BrokerOptions{})
	if err := broker.Send(t.Context(), cloudevents.NewEvent()); pods.KindOf(err) != pods.KindInvalid {
		t.Errorf("Send of an empty event: %v, want kind invalid", err)
	}
	if err := broker.Send(t.Context(), events.NewPod(events.TypePodDeleted, pods.ActorAPI, podData("db"), noon)); err != nil {
		t.Errorf("Send without triggers: %v, want nil", err)
	}
}

// A thousand events, one of which no handler call survives: every other one is
// handled once, and the poisoned one ends as a dead letter.
func TestBrokerPoisonedEventHarmsNoOther(t *testing.T) {
	t.Parallel()

	var mu sync.Mutex
	handled := map[string]int{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := events.Read(w, r)
		if strings.HasSuffix(event.Subject(), "/pod500") {
			panic("poison")
		}
		mu.Lock()
		handled[event.Subject()]++
		mu.Unlock()
		events.Acknowledge(w, r, silent, event, err)
	})
	poisoned := make(chan struct{}) // closed to let the retries of the poisoned event go on
	var dead letters
	broker := newBroker(t, map[string]http.Handler{"spawner": handler}, &dead, events.BrokerOptions{
		Sleep: func(ctx context.Context, _ time.Duration) error { <-poisoned; return ctx.Err() },
	}, trigger("spawner", events.Delivery{Retry: 8, DeadLetters: true}))

	var all, others sync.WaitGroup
	for i := range 1000 {
		event := events.NewPod(events.TypePodRequested, pods.ActorAPI, podData(fmt.Sprintf("pod%d", i)), noon)
		if i != 500 {
			others.Add(1)
		}
		all.Go(func() {
			if err := broker.Send(t.Context(), event); err != nil {
				t.Errorf("Send %s: %v", event.Subject(), err)
			}
			if i != 500 {
				others.Done()
			}
		})
	}
	others.Wait() // while the poisoned one still waits for its first retry
	close(poisoned)
	all.Wait()
	if len(handled) != 999 {
		t.Errorf("handled %d events, want 999", len(handled))
	}
	for subject, times := range handled {
		if times != 1 {
			t.Errorf("%s handled %d times, want once", subject, times)
		}
	}
	if len(dead.kept) != 1 || dead.kept[0].Event.Subject() != "dev/pod500" || dead.kept[0].Attempts != 9 {
		t.Errorf("dead letters %v, want pod500 after 9 attempts", dead.kept)
	}
}

// BenchmarkBrokerSend measures what one delivery costs on top of the handler.
func BenchmarkBrokerSend(b *testing.B) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := events.Read(w, r)
		events.Acknowledge(w, r, silent, event, err)
	})
	broker, err := events.NewBroker([]events.Trigger{trigger("spawner", events.Delivery{})},
		map[string]http.Handler{"spawner": handler}, &letters{}, events.BrokerOptions{Logger: silent})
	if err != nil {
		b.Fatal(err)
	}
	event := events.NewPod(events.TypePodRequested, pods.ActorAPI, podData("db"), noon)
	b.ReportAllocs()
	for b.Loop() {
		if err := broker.Send(b.Context(), event); err != nil {
			b.Fatal(err)
		}
	}
}
