package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/faults"
	"github.com/pods-service/pods/shared/pods"
)

// Sink takes events: a Broker, or what stands for one. Nil means that the event
// is in safe hands.
type Sink interface {
	Send(ctx context.Context, event cloudevents.Event) error
}

// Outbox holds the events that were written together with the change they tell
// of and have not been sent yet.
type Outbox interface {
	// UnsentEvents returns up to limit events written before olderThan ago and
	// claims them for a while, so that the next call returns others.
	UnsentEvents(ctx context.Context, olderThan time.Duration, limit int) ([]cloudevents.Event, error)
	// MarkSent takes the events with these ids off the outbox.
	MarkSent(ctx context.Context, ids []string) error
}

// Relay sends what the outbox holds to a sink: at once what was just committed,
// and by Flush what an earlier attempt or process left behind. Every event is
// sent at least once and in no particular order; one that takes minutes holds
// up no other. Relay is safe for concurrent use.
type Relay struct {
	outbox  Outbox
	sink    Sink
	options RelayOptions
	slots   chan struct{} // one per event in flight
	marker  *marker

	mu       sync.Mutex
	closed   bool
	inFlight map[string]context.CancelFunc // by event id, until marked as sent
	idle     *sync.Cond                    // signals that inFlight is empty
}

// RelayOptions tune a Relay. The zero value is ready for use.
type RelayOptions struct {
	// InFlight is how many events are delivered at a time; 0 means 256. What
	// comes on top stays in the outbox for Flush.
	InFlight int
	// Timeout ends a delivery that the sink does not end; 0 means 15 minutes,
	// more than all retries of any trigger take.
	Timeout time.Duration
	Logger  *slog.Logger // nil means slog.Default()
	Metrics *Metrics     // nil means measuring nothing
}

// flushBatch is how many events Flush claims at a time.
const flushBatch = 100

// NewRelay returns a relay from outbox to sink. Close ends it.
func NewRelay(outbox Outbox, sink Sink, options RelayOptions) *Relay {
	if options.InFlight == 0 {
		options.InFlight = 256
	}
	if options.Timeout == 0 {
		options.Timeout = 15 * time.Minute
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.Metrics == nil {
		options.Metrics = NewMetrics(nil)
	}
	r := &Relay{
		outbox: outbox, sink: sink, options: options,
		slots: make(chan struct{}, options.InFlight), inFlight: map[string]context.CancelFunc{},
	}
	r.idle = sync.NewCond(&r.mu)
	r.marker = newMarker(outbox, options.Logger, r.done)
	return r
}

// Enqueue starts the delivery of events that were just committed and returns
// at once. What exceeds the limit of events in flight, and everything after
// Close, stays in the outbox.
func (r *Relay) Enqueue(events []cloudevents.Event) {
	for _, event := range events {
		select {
		case r.slots <- struct{}{}:
			r.start(event)
		default:
			return
		}
	}
}

// Flush starts the delivery of every event that has been in the outbox for
// grace or longer and is not in flight, and returns how many those are. It
// waits for room, not for the deliveries: Wait does.
//
// Errors: the outbox's own, and ctx's when there was no room in time.
func (r *Relay) Flush(ctx context.Context, grace time.Duration) (int, error) {
	started := 0
	for {
		batch, err := r.outbox.UnsentEvents(ctx, grace, flushBatch)
		if err != nil {
			return started, fmt.Errorf("read outbox: %w", err)
		}
		for _, event := range batch {
			select {
			case r.slots <- struct{}{}:
			case <-ctx.Done():
				return started, fmt.Errorf("wait to send event %s: %w", event.ID(), ctx.Err())
			}
			if r.start(event) {
				started++
			}
		}
		if len(batch) < flushBatch {
			return started, nil
		}
	}
}

// start delivers event in the background, in the slot that the caller has
// taken. It reports false, and frees the slot, when there is nothing to do.
func (r *Relay) start(event cloudevents.Event) bool {
	ctx, cancel := context.WithTimeout(context.Background(), r.options.Timeout)
	if !r.register(event.ID(), cancel) {
		cancel()
		<-r.slots
		return false
	}
	go func() {
		defer cancel()
		faults.Point("relay.enqueued")
		err := r.sink.Send(ctx, event)
		<-r.slots
		r.sent(event, err)
	}()
	return true
}

func (r *Relay) register(id string, cancel context.CancelFunc) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, found := r.inFlight[id]; found || r.closed {
		return false
	}
	r.inFlight[id] = cancel
	r.options.Metrics.inFlight.Set(float64(len(r.inFlight)))
	return true
}

// sent follows the end of one delivery. An event stays registered until it is
// marked, lest a Flush in between sends it again.
func (r *Relay) sent(event cloudevents.Event, err error) {
	if err == nil {
		faults.Point("relay.delivered")
		r.options.Metrics.relayed.WithLabelValues("sent").Inc()
		r.marker.add(event.ID())
		return
	}
	r.options.Metrics.relayed.WithLabelValues("left").Inc()
	level := slog.LevelWarn
	switch {
	case errors.Is(err, context.Canceled):
		level = slog.LevelInfo // the process stops
	case pods.KindOf(err) == pods.KindInvalid:
		level = slog.LevelError // trying again does not help: somebody should look
	}
	r.options.Logger.LogAttrs(context.Background(), level, "event stays in the outbox",
		slog.String("event_id", event.ID()), slog.String("event_type", event.Type()),
		slog.String("event_subject", event.Subject()), slog.Any("error", err))
	r.done([]string{event.ID()})
}

// done forgets events that are through, marked or left to a later Flush.
func (r *Relay) done(ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		delete(r.inFlight, id)
	}
	r.options.Metrics.inFlight.Set(float64(len(r.inFlight)))
	if len(r.inFlight) == 0 {
		r.idle.Broadcast()
	}
}

// Wait returns when nothing is in flight, or with ctx's error when that comes
// first.
func (r *Relay) Wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.idle.Broadcast()
	})
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.inFlight) > 0 {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%d events still in flight: %w", len(r.inFlight), err)
		}
		r.idle.Wait()
	}
	return nil
}

// Close starts no more deliveries, waits for those in flight until ctx ends and
// then cuts them short; they stay in the outbox. It returns when all have come
// back, and must be called once.
//
// Errors: ctx's, when deliveries were cut short.
func (r *Relay) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	err := r.Wait(ctx)
	r.mu.Lock()
	for _, cancel := range r.inFlight {
		cancel()
	}
	r.mu.Unlock()
	// Deliveries end with their context, and marking has a deadline of its own.
	_ = r.Wait(context.WithoutCancel(ctx))
	r.marker.close()
	return err
}
