package function_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/podstest"
)

func openState(t *testing.T, storage function.Storage, sink function.Sink) (*function.Function, *function.State) {
	t.Helper()
	f := newFunction(t, process())
	state, err := f.OpenState(t.Context(), storage, podstest.Key, sink)
	if err != nil {
		t.Fatal(err)
	}
	return f, state
}

// TestTwoInstances: what one instance commits while the broker is down another
// sends, once, when it is back.
func TestTwoInstances(t *testing.T) {
	t.Parallel()

	ctx := t.Context()
	storage := function.Storage{DatabaseURL: podstest.DatabaseURL(t), RedisURL: podstest.RedisURL(t), Connections: 4}
	broker := podstest.NewBroker(t)
	sink := function.Sink{URL: broker.URL}
	broker.SetDown(true)
	first, state := openState(t, storage, sink)
	second, other := openState(t, storage, sink)
	_, watcher := openState(t, storage, sink)
	for _, id := range []string{"aaa", "bbb", "ccc"} {
		podstest.Create(t, state.Store, podstest.ID(id))
	}
	first.Close(ctx) // which waits for the deliveries that fail
	if count, _, err := watcher.Store.OutboxDepth(ctx); err != nil || count != 3 {
		t.Fatalf("%d events in the outbox (%v), want 3", count, err)
	}

	broker.SetDown(false)
	if err := other.Publisher.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if len(broker.Taken()) != 0 {
		t.Error("a flush sends what was committed just now, which is its own process's to send")
	}
	if err := other.Publisher.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	podstest.Create(t, other.Store, podstest.ID("ddd"))
	second.Close(ctx)
	times := map[string]int{}
	for _, event := range broker.Taken() {
		times[event.ID()]++
		if times[event.ID()] > 1 {
			t.Errorf("event %s was sent again", event.ID())
		}
	}
	if len(times) != 4 {
		t.Errorf("the broker took %d events, want 4", len(times))
	}
	if count, _, err := watcher.Store.OutboxDepth(ctx); err != nil || count != 0 {
		t.Errorf("%d events are left in the outbox (%v)", count, err)
	}
}

// TestOpenStateNeedsNothingUp: a cold start waits for nobody.
func TestOpenStateNeedsNothingUp(t *testing.T) {
	t.Parallel()

	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	address := strings.TrimPrefix(nobody.URL, "http://")
	storage := function.Storage{DatabaseURL: "postgres://" + address + "/pods", RedisURL: "redis://" + address}
	if _, state := openState(t, storage, function.Sink{URL: nobody.URL}); state.Store.Ping(t.Context()) == nil {
		t.Error("a database that is not there answers")
	}
}

func TestOpenStateRefuses(t *testing.T) {
	t.Parallel()

	good := function.Storage{DatabaseURL: "postgres://localhost/pods", RedisURL: "redis://localhost"}
	sink := function.Sink{URL: "http://broker"}
	tests := map[string]struct {
		storage function.Storage
		sink    function.Sink
		want    string
	}{
		"NoSink":    {good, function.Sink{}, "K_SINK is not set"},
		"Sink":      {good, function.Sink{URL: "broker"}, "no http or https address"},
		"Overrides": {good, function.Sink{URL: sink.URL, Overrides: "x"}, "K_CE_OVERRIDES"},
		"Database":  {function.Storage{DatabaseURL: "postgres://:x", RedisURL: good.RedisURL}, sink, "the database's address"},
		"Redis":     {function.Storage{DatabaseURL: good.DatabaseURL, RedisURL: "http://x"}, sink, "the Redis URL"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := newFunction(t, process()).OpenState(t.Context(), tc.storage, podstest.Key, tc.sink)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("OpenState = %v, want it to name %q", err, tc.want)
			}
		})
	}
}
