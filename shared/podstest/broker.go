package podstest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// Broker takes events over HTTP as a Knative Broker does, and keeps them.
type Broker struct {
	URL string

	mu      sync.Mutex
	down    bool
	taken   []cloudevents.Event
	arrived chan struct{} // closed and replaced when an event is taken
}

// NewBroker returns a broker that is up until the test ends.
func NewBroker(t testing.TB) *Broker {
	t.Helper()
	b := &Broker{arrived: make(chan struct{})}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.URL = server.URL
	return b
}

// ServeHTTP takes the event in r, or refuses it for now while the broker is
// down.
func (b *Broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event, err := cloudevents.NewEventFromHTTPRequest(r)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	default:
		b.taken = append(b.taken, *event)
		close(b.arrived)
		b.arrived = make(chan struct{})
		w.WriteHeader(http.StatusAccepted)
	}
}

// SetDown has every event refused, or taken again.
func (b *Broker) SetDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

// Taken returns the events taken so far.
func (b *Broker) Taken() []cloudevents.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.taken)
}

// Wait returns the first event of that type once it has been taken.
func (b *Broker) Wait(t testing.TB, eventType string) cloudevents.Event {
	t.Helper()
	for {
		b.mu.Lock()
		i := slices.IndexFunc(b.taken, func(e cloudevents.Event) bool { return e.Type() == eventType })
		arrived := b.arrived
		if i >= 0 {
			defer b.mu.Unlock()
			return b.taken[i]
		}
		b.mu.Unlock()
		select {
		case <-arrived:
		case <-t.Context().Done():
			t.Fatalf("no event %s: %v", eventType, t.Context().Err())
		}
	}
}
