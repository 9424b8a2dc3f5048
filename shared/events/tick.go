package events

import (
	"context"
	"log/slog"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/uuid"
)

// TickOptions tune Tick.
type TickOptions struct {
	// Namespace is the one that a PingSource would be in.
	Namespace string
	Interval  time.Duration // must be positive
	Logger    *slog.Logger  // nil means slog.Default()
	// Sleep waits for d or until ctx is done, and then returns its error; nil
	// means real time.
	Sleep func(ctx context.Context, d time.Duration) error
	Now   func() time.Time // nil means time.Now
}

// Tick sends an event of TypeTick to sink, the first at once and the next one
// interval after the last began, until ctx is done. A tick that is due while
// the last is still being handled is left out. Failures are logged: the next
// tick makes up for them.
func Tick(ctx context.Context, sink Sink, options TickOptions) {
	options = options.withDefaults()
	for next := options.Now(); ctx.Err() == nil; {
		if err := sink.Send(ctx, newTick(options)); err != nil && ctx.Err() == nil {
			options.Logger.LogAttrs(ctx, slog.LevelWarn, "tick not handled", slog.Any("error", err))
		}
		now := options.Now()
		missed := now.Sub(next) / options.Interval
		next = next.Add((max(missed, 0) + 1) * options.Interval)
		if options.Sleep(ctx, next.Sub(now)) != nil {
			return
		}
	}
}

func (o TickOptions) withDefaults() TickOptions {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// newTick returns the event that a PingSource named "tick" sends.
func newTick(options TickOptions) cloudevents.Event {
	event := cloudevents.NewEvent()
	event.SetID(uuid.NewString())
	event.SetType(TypeTick)
	event.SetSource("/apis/v1/namespaces/" + options.Namespace + "/pingsources/tick")
	event.SetTime(options.Now().UTC())
	return event
}
