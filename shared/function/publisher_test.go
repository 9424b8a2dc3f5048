package function_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/pods"
)

var silent = slog.New(slog.DiscardHandler)

// world records what a publisher does to it. While hold is not nil nothing
// returns before it is closed, or before its context ends.
type world struct {
	mu      sync.Mutex
	sent    []string
	marked  []string
	told    []cache.Change
	hold    chan struct{}
	refuses bool
}

func (w *world) wait(ctx context.Context) error {
	if w.hold == nil {
		return nil
	}
	select {
	case <-w.hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *world) record(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

func (w *world) Send(ctx context.Context, event cloudevents.Event) error {
	if err := w.wait(ctx); err != nil {
		return err
	}
	w.record(func() { w.sent = append(w.sent, event.ID()) })
	if w.refuses {
		return errors.New("refused")
	}
	return nil
}

func (w *world) Publish(ctx context.Context, changes ...cache.Change) {
	_ = w.wait(ctx)
	w.record(func() { w.told = append(w.told, changes...) })
}

func (w *world) UnsentEvents(context.Context, time.Duration, int) ([]cloudevents.Event, error) {
	return nil, nil
}

func (w *world) MarkSent(_ context.Context, ids []string) error {
	w.record(func() { w.marked = append(w.marked, ids...) })
	return nil
}

func newPublisher(w *world) *function.Publisher {
	p := function.NewPublisher(w, silent)
	p.Start(w, w, events.RelayOptions{Logger: silent})
	return p
}

func podEvent(id string) cloudevents.Event {
	data := events.PodData{TenantID: "dev", PodID: id, UID: "u"}
	return events.NewPod(events.TypePodUpdated, pods.ActorAPI, data, time.Now())
}

func TestPublisherAfterACommit(t *testing.T) {
	t.Parallel()

	w := &world{}
	p := newPublisher(w)
	p.Committed([]cloudevents.Event{podEvent("a"), podEvent("a"), podEvent("b")})
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.sent) != 3 || len(w.marked) != 3 {
		t.Errorf("sent %d and marked %d events, want 3", len(w.sent), len(w.marked))
	}
	if len(w.told) != 2 {
		t.Errorf("told of %v, want of each pod once", w.told)
	}
	p.Committed([]cloudevents.Event{podEvent("late")})
	p.Publish([]cloudevents.Event{podEvent("late")})
	if len(w.sent) != 3 || len(w.told) != 2 {
		t.Error("something is published after Close")
	}
}

// TestPublisherDrains: Close waits for everything that is under way.
func TestPublisherDrains(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		w := &world{hold: make(chan struct{})}
		p := newPublisher(w)
		p.Committed([]cloudevents.Event{podEvent("a")})
		p.Publish([]cloudevents.Event{podEvent("b")})
		closed := make(chan error, 1)
		go func() { closed <- p.Close(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Fatalf("Close = %v while deliveries are under way", err)
		default:
		}
		close(w.hold)
		if err := <-closed; err != nil || len(w.sent) != 2 || len(w.told) != 1 {
			t.Errorf("Close = %v, sent %v, told %v", err, w.sent, w.told)
		}
	})
}

// TestPublisherIsCutOff: a broker that never answers does not keep a process
// from ending, and the event stays in the outbox.
func TestPublisherIsCutOff(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		w := &world{hold: make(chan struct{})}
		defer close(w.hold)
		p := newPublisher(w)
		p.Publish([]cloudevents.Event{podEvent("b")})
		p.Committed([]cloudevents.Event{podEvent("a")})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close = %v, want its context's error", err)
		}
		if took := time.Since(began); took != 10*time.Second || len(w.marked) != 0 {
			t.Errorf("Close took %s and marked %v", took, w.marked)
		}
	})
}

// TestPublishIsBounded: more events than may be under way wait, and are lost
// when it takes too long rather than pile up.
func TestPublishIsBounded(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		w := &world{hold: make(chan struct{})}
		p := newPublisher(w)
		many := make([]cloudevents.Event, 100)
		for i := range many {
			many[i] = podEvent("a")
		}
		p.Publish(many)
		time.Sleep(time.Minute)
		close(w.hold)
		synctest.Wait()
		if len(w.sent) != 0 {
			t.Errorf("%d events were sent after their time", len(w.sent))
		}
		p.Publish(many)
		if err := p.Close(t.Context()); err != nil || len(w.sent) != 100 {
			t.Errorf("sent %d events once there was room (%v), want 100", len(w.sent), err)
		}
	})
}
