package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// DeadLetters keeps what no retry could deliver. Adding the same event of the
// same trigger again is no error.
type DeadLetters interface {
	AddDeadLetter(ctx context.Context, letter DeadLetter) error
}

// Broker hands events to the functions that run in the same process, by the
// Triggers that a Knative Broker would use and with its rules for retries and
// dead letters. A function sees the same HTTP request in both cases. Broker is
// safe for concurrent use.
type Broker struct {
	routes      []route
	deadLetters DeadLetters
	options     BrokerOptions
}

type route struct {
	Trigger
	handler http.Handler
}

// BrokerOptions tune a Broker. The zero value is ready for use.
type BrokerOptions struct {
	// Namespace is announced to the functions in the header Kn-Namespace;
	// empty leaves it out.
	Namespace string
	Logger    *slog.Logger // nil means slog.Default()
	Metrics   *Metrics     // nil means measuring nothing
	// Sleep waits for d or until ctx is done, and then returns its error; nil
	// means real time.
	Sleep func(ctx context.Context, d time.Duration) error
	Now   func() time.Time // nil means time.Now
}

// NewBroker returns a broker that delivers by triggers to handlers, which are
// keyed by the name of the function.
//
// Errors: when a trigger's subscriber is not among the handlers.
func NewBroker(triggers []Trigger, handlers map[string]http.Handler, deadLetters DeadLetters, options BrokerOptions) (*Broker, error) {
	b := &Broker{deadLetters: deadLetters, options: options.withDefaults()}
	for _, trigger := range triggers {
		handler, found := handlers[trigger.Subscriber]
		if !found {
			return nil, fmt.Errorf("trigger %s: there is no function %q", trigger.Name, trigger.Subscriber)
		}
		b.routes = append(b.routes, route{Trigger: trigger, handler: handler})
	}
	return b, nil
}

func (o BrokerOptions) withDefaults() BrokerOptions {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Send delivers event to every trigger whose filter it passes, all at once, and
// returns when the last of them is done: after all retries, that can be
// minutes. Nil means that each has acknowledged the event or that it is kept as
// a dead letter; the event can then be forgotten. No trigger at all is no
// error.
//
// Errors: when ctx ends first, when a dead letter could not be kept, and when
// an event that is not taken has no place for dead letters. Sending the event
// again is right then; triggers that took it get it twice.
func (b *Broker) Send(ctx context.Context, event cloudevents.Event) error {
	if err := event.Validate(); err != nil {
		return invalid("check event "+event.ID(), err)
	}
	var wait sync.WaitGroup
	results := make([]error, len(b.routes))
	for i, to := range b.routes {
		if to.Filter.Matches(event) {
			wait.Go(func() { results[i] = b.deliver(ctx, to, event) })
		}
	}
	wait.Wait()
	return errors.Join(results...)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
