package events_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// outbox holds rows in memory. A row is claimed once per process, as in the
// database for the time of a claim.
type outbox struct {
	mu      sync.Mutex
	rows    []cloudevents.Event
	claimed map[string]bool
	marks   int           // statements
	slow    time.Duration // what one takes, in a bubble of synctest
	err     error
}

func newOutbox(rows ...cloudevents.Event) *outbox {
	return &outbox{rows: slices.Clone(rows), claimed: map[string]bool{}}
}

func (o *outbox) UnsentEvents(_ context.Context, _ time.Duration, limit int) ([]cloudevents.Event, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var unsent []cloudevents.Event
	for _, row := range o.rows {
		if !o.claimed[row.ID()] && len(unsent) < limit {
			o.claimed[row.ID()] = true
			unsent = append(unsent, row)
		}
	}
	return unsent, o.err
}

func (o *outbox) MarkSent(_ context.Context, ids []string) error {
	time.Sleep(o.slow)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.marks++
	if o.err != nil {
		return o.err
	}
	o.rows = slices.DeleteFunc(o.rows, func(row cloudevents.Event) bool { return slices.Contains(ids, row.ID()) })
	return nil
}

func (o *outbox) left() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.rows)
}

// restart drops the claims, as their end does.
func (o *outbox) restart() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.claimed)
	o.err = nil
}

// counter counts what it is sent, by event id.
type counter struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *counter) Send(_ context.Context, event cloudevents.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]int{}
	}
	c.seen[event.ID()]++
	return nil
}

func requests(count int) []cloudevents.Event {
	list := make([]cloudevents.Event, count)
	for i := range list {
		list[i] = events.NewPod(events.TypePodRequested, pods.ActorAPI, podData(fmt.Sprintf("pod%d", i)), noon)
	}
	return list
}

func newRelay(outbox events.Outbox, sink events.Sink, inFlight int) *events.Relay {
	return events.NewRelay(outbox, sink, events.RelayOptions{Logger: silent, InFlight: inFlight})
}

func closeRelay(t *testing.T, relay *events.Relay) {
	t.Helper()
	if err := relay.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestRelaySendsWhatWasCommitted(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		committed := requests(200)
		box, sink := newOutbox(committed...), &counter{}
		box.slow = time.Millisecond
		relay := newRelay(box, sink, 256)
		relay.Enqueue(committed)
		closeRelay(t, relay)
		if box.left() != 0 || len(sink.seen) != 200 {
			t.Errorf("sent %d events and left %d, want 200 and 0", len(sink.seen), box.left())
		}
		if box.marks > 2 {
			t.Errorf("marked in %d statements, want one and one for what came meanwhile", box.marks)
		}
		relay.Enqueue(requests(1)) // after Close: nothing happens
		synctest.Wait()
		if len(sink.seen) != 200 {
			t.Error("sent an event after Close")
		}
	})
}

func TestRelayLeavesTheRestToFlush(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		committed := requests(300)
		box, sink := newOutbox(committed...), &counter{}
		release := make(chan struct{})
		relay := newRelay(box, sinkFunc(func(ctx context.Context, event cloudevents.Event) error {
			<-release
			return sink.Send(ctx, event)
		}), 16)
		relay.Enqueue(committed) // returns although nothing is taken yet
		synctest.Wait()
		close(release)
		time.Sleep(time.Second) // until what was delivered is marked
		synctest.Wait()
		if len(sink.seen) != 16 || box.left() != 284 {
			t.Errorf("sent %d, left %d, want the 16 that fit and 284", len(sink.seen), box.left())
		}
		started, err := relay.Flush(t.Context(), 0)
		if err != nil || started != 284 {
			t.Errorf("Flush started %d (%v), want 284", started, err)
		}
		closeRelay(t, relay)
		for id, times := range sink.seen {
			if times != 1 {
				t.Errorf("event %s sent %d times", id, times)
			}
		}
		if len(sink.seen) != 300 || box.left() != 0 {
			t.Errorf("sent %d, left %d, want all 300", len(sink.seen), box.left())
		}
	})
}

// A process that dies between delivery and mark leaves the row: the next one
// sends the event again.
func TestRelaySendsAgainWhatWasNotMarked(t *testing.T) {
	t.Parallel()

	committed := requests(3)
	box, sink := newOutbox(committed...), &counter{}
	box.err = pods.Unavailable("postgres", nil)
	first := newRelay(box, sink, 8)
	first.Enqueue(committed)
	closeRelay(t, first)
	if box.left() != 3 {
		t.Fatalf("left %d events, want 3", box.left())
	}

	box.restart()
	second := newRelay(box, sink, 8)
	if started, err := second.Flush(t.Context(), 0); err != nil || started != 3 {
		t.Errorf("Flush started %d (%v), want 3", started, err)
	}
	closeRelay(t, second)
	for _, event := range committed {
		if sink.seen[event.ID()] != 2 {
			t.Errorf("event %s sent %d times, want 2", event.ID(), sink.seen[event.ID()])
		}
	}
	if box.left() != 0 {
		t.Errorf("left %d events, want none", box.left())
	}
}

func TestRelayFailedEventStaysAndBlocksNoOther(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		committed := requests(10)
		box, sink := newOutbox(committed...), &counter{}
		slow := committed[0].ID()
		failing := true
		relay := newRelay(box, sinkFunc(func(ctx context.Context, event cloudevents.Event) error {
			if event.ID() == slow && failing {
				time.Sleep(3 * time.Minute) // all retries
				return errors.New("dead letters cannot be kept")
			}
			return sink.Send(ctx, event)
		}), 16)
		relay.Enqueue(committed)
		time.Sleep(time.Second) // until what was delivered is marked
		synctest.Wait()
		if len(sink.seen) != 9 || box.left() != 1 {
			t.Errorf("sent %d, left %d while one is being retried, want 9 and 1", len(sink.seen), box.left())
		}
		if started, err := relay.Flush(t.Context(), 0); err != nil || started != 0 {
			t.Errorf("Flush started %d (%v) while the event is in flight, want 0", started, err)
		}
		if err := relay.Wait(t.Context()); err != nil {
			t.Fatalf("Wait: %v", err)
		}
		failing = false
		box.restart()
		if started, err := relay.Flush(t.Context(), 0); err != nil || started != 1 {
			t.Errorf("Flush started %d (%v), want the one that failed", started, err)
		}
		closeRelay(t, relay)
		if box.left() != 0 {
			t.Errorf("left %d events, want none", box.left())
		}
	})
}

func TestRelayCloseCutsDeliveriesShort(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		committed := requests(2)
		box := newOutbox(committed...)
		relay := newRelay(box, sinkFunc(func(ctx context.Context, _ cloudevents.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}), 16)
		relay.Enqueue(committed)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		if err := relay.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("Close: %v after %s, want the deadline's error after 10s", err, time.Since(start))
		}
		if box.left() != 2 {
			t.Errorf("left %d events, want both", box.left())
		}
	})
}

func TestRelayFlushReportsFailures(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		box := newOutbox(requests(2)...)
		relay := newRelay(box, sinkFunc(func(ctx context.Context, _ cloudevents.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}), 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if started, err := relay.Flush(ctx, 0); started != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush without room started %d: %v, want 1 and the deadline's error", started, err)
		}
		box.err = pods.Unavailable("postgres", nil)
		if _, err := relay.Flush(t.Context(), 0); pods.KindOf(err) != pods.KindUnavailable {
			t.Errorf("Flush: %v, want the outbox's error", err)
		}
		_ = relay.Close(ctx)
	})
}
