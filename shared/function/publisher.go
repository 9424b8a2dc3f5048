package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/events"
)

const (
	// flushGrace is how long an event may wait in the outbox before a tick
	// sends it: less would race with the delivery right after its commit.
	flushGrace = 5 * time.Second
	// flushTimeout bounds the wait for room while many deliveries take long: what
	// else a tick is for must not wait for them.
	flushTimeout = 5 * time.Second
	// publishTimeout bounds the delivery of an event that is in no outbox.
	publishTimeout = 30 * time.Second
	// maxPublishing is how many of those are delivered at a time.
	maxPublishing = 64
)

// Changes tells every instance of the gateway that pods have changed, within a
// bounded time, as cache.Cache does.
type Changes interface {
	Publish(ctx context.Context, changes ...cache.Change)
}

// Publisher tells others of what a program has done: it has events delivered,
// and every gateway told of the pods they are about. All of that goes on in the
// background after the reply to whoever asked; Close waits for it. It is safe
// for concurrent use.
type Publisher struct {
	changes Changes
	logger  *slog.Logger
	slots   chan struct{} // one per event that is in no outbox

	sink  events.Sink   // set by Start
	relay *events.Relay // set by Start

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // added to with mu held and closed false
	changed []cache.Change // to be told of, each once
	telling bool           // somebody does
}

// NewPublisher returns a publisher that tells changes of pods. Start comes
// before anything else.
func NewPublisher(changes Changes, logger *slog.Logger) *Publisher {
	return &Publisher{changes: changes, logger: logger, slots: make(chan struct{}, maxPublishing)}
}

// Start says where events are kept and where they go. It must be called once,
// before anything is committed.
func (p *Publisher) Start(outbox events.Outbox, sink events.Sink, options events.RelayOptions) {
	p.sink, p.relay = sink, events.NewRelay(outbox, sink, options)
}

// Committed is told of the events of each transaction, as postgres.Options has
// it.
func (p *Publisher) Committed(written []cloudevents.Event) {
	p.relay.Enqueue(written)
	changes := make([]cache.Change, 0, len(written))
	for _, event := range written {
		if tenantID, podID, isPods := strings.Cut(event.Subject(), "/"); isPods {
			changes = append(changes, cache.Change{TenantID: tenantID, PodID: podID})
		}
	}
	p.tell(changes)
}

// tell has every gateway told of changes: at once, or together with what else
// changes while it is told of earlier ones. After Close it does nothing.
func (p *Publisher) tell(changes []cache.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for _, change := range changes {
		if !slices.Contains(p.changed, change) {
			p.changed = append(p.changed, change)
		}
	}
	if len(p.changed) > 0 && !p.telling {
		p.telling = true
		p.running.Go(p.tellAll)
	}
}

// tellAll tells until there is nothing left to tell.
func (p *Publisher) tellAll() {
	for {
		p.mu.Lock()
		changed := p.changed
		p.changed = nil
		p.telling = len(changed) > 0
		p.mu.Unlock()
		if len(changed) == 0 {
			return
		}
		p.changes.Publish(context.Background(), changed...)
	}
}

// Publish delivers events that are in no outbox: whoever sends them sends them
// again.
func (p *Publisher) Publish(sent []cloudevents.Event) {
	for _, event := range sent {
		p.track(func() {
			ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
			defer cancel()
			if err := p.send(ctx, event); err != nil {
				p.logger.Warn("an event got lost", "type", event.Type(), "subject", event.Subject(), "error", err)
			}
		})
	}
}

func (p *Publisher) send(ctx context.Context, event cloudevents.Event) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
		return p.sink.Send(ctx, event)
	case <-ctx.Done():
		return fmt.Errorf("wait to send: %w", ctx.Err())
	}
}

// track runs fn in the background, unless Close has been called.
func (p *Publisher) track(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.running.Go(fn)
	}
}

// Flush sends what has waited in the outbox for longer than a delivery after a
// commit takes to begin. It does not wait for the deliveries, and for room to
// begin them at most 5 s.
func (p *Publisher) Flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	_, err := p.relay.Flush(ctx, flushGrace)
	return err
}

// Resume sends all that an earlier process has left in the outbox. Only a
// process that is alone may call it.
func (p *Publisher) Resume(ctx context.Context) error {
	_, err := p.relay.Flush(ctx, 0)
	return err
}

// Close takes nothing more and waits for what is under way until ctx ends. What
// is cut short then stays in the outbox. It must be called once, after Start.
//
// Errors: ctx's, when something was cut short.
func (p *Publisher) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	return errors.Join(p.relay.Close(ctx), within(ctx, p.running.Wait))
}
