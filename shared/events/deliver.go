package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// keepTimeout bounds the keeping of one dead letter.
const keepTimeout = 10 * time.Second

// deliver tries until the subscriber takes the event, refuses it for good or
// has no attempts left.
func (b *Broker) deliver(ctx context.Context, to route, event cloudevents.Event) error {
	for retry := 0; ; retry++ {
		got := b.attempt(ctx, to, event)
		if got.acknowledged() {
			b.options.Metrics.acknowledged(to.Name, event, b.options.Now())
			return nil
		}
		if err := ctx.Err(); err != nil { // a delivery that was cut short says nothing of the event
			b.options.Metrics.ended(to.Name, resultInterrupted)
			return fmt.Errorf("deliver event %s to %s: %w", event.ID(), to.Name, err)
		}
		if retry >= to.Delivery.Retry || !got.retryable() {
			return b.giveUp(ctx, to, DeadLetter{Event: event, Trigger: to.Name, Reason: got.String(), Attempts: retry + 1})
		}
		b.options.Metrics.retried(to.Name)
		if err := b.options.Sleep(ctx, to.Delivery.Wait(retry)); err != nil {
			b.options.Metrics.ended(to.Name, resultInterrupted)
			return fmt.Errorf("wait to deliver event %s to %s: %w", event.ID(), to.Name, err)
		}
	}
}

// giveUp keeps the event, or returns it to its sender where the trigger keeps
// none.
func (b *Broker) giveUp(ctx context.Context, to route, letter DeadLetter) error {
	if !to.Delivery.DeadLetters {
		b.options.Metrics.ended(to.Name, resultDropped)
		return fmt.Errorf("deliver event %s to %s, attempts %d: %s", letter.Event.ID(), to.Name, letter.Attempts, letter.Reason)
	}
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	if err := b.deadLetters.AddDeadLetter(ctx, letter); err != nil {
		b.options.Metrics.ended(to.Name, resultFailed)
		return fmt.Errorf("keep dead letter of event %s to %s: %w", letter.Event.ID(), to.Name, err)
	}
	b.options.Metrics.ended(to.Name, resultDeadLetter)
	logDeadLetter(ctx, b.options.Logger, letter)
	return nil
}

// attempt makes one request and waits for its answer no longer than the
// trigger allows. A handler that goes on after that works into the void, as it
// would over the network.
func (b *Broker) attempt(ctx context.Context, to route, event cloudevents.Event) answer {
	ctx, cancel := context.WithTimeout(ctx, to.Delivery.Timeout)
	defer cancel()
	request, err := b.request(ctx, to, event)
	if err != nil {
		return answer{status: http.StatusBadRequest, err: err}
	}
	start := b.options.Now()
	done := make(chan answer, 1)
	go func() { done <- b.serve(to, request) }()
	select {
	case got := <-done:
		b.options.Metrics.attempted(to.Name, b.options.Now().Sub(start))
		return got
	case <-ctx.Done():
		b.options.Metrics.attempted(to.Name, b.options.Now().Sub(start))
		return answer{err: ctx.Err()}
	}
}

// request is what a Knative Broker sends.
func (b *Broker) request(ctx context.Context, to route, event cloudevents.Event) (*http.Request, error) {
	request, err := newRequest(ctx, "http://"+to.Subscriber+to.Path, event)
	if err != nil {
		return nil, err
	}
	request.RequestURI = request.URL.RequestURI()
	request.RemoteAddr = "127.0.0.1:0"
	if request.Body == nil {
		request.Body = http.NoBody
	}
	request.Header.Set("Prefer", "reply")
	if b.options.Namespace != "" {
		request.Header.Set("Kn-Namespace", b.options.Namespace)
	}
	return request, nil
}

// newRequest posts the event to url in binary mode, with the trace in the
// header where tracing looks for it.
func newRequest(ctx context.Context, url string, event cloudevents.Event) (*http.Request, error) {
	request, err := cloudevents.NewHTTPRequestFromEvent(ctx, url, event)
	if err != nil {
		return nil, fmt.Errorf("write event %s: %w", event.ID(), err)
	}
	for _, name := range []string{"traceparent", "tracestate"} {
		if value, found := attribute(event, name); found {
			request.Header.Set(name, value)
		}
	}
	return request, nil
}

// serve calls the handler; one that panics gives no answer, as a server that
// breaks the connection does.
func (b *Broker) serve(to route, request *http.Request) (got answer) {
	w := newRecorder()
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		got = answer{err: fmt.Errorf("the handler panicked: %v", p)}
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			return
		}
		b.options.Logger.LogAttrs(request.Context(), slog.LevelError, "event handler panicked",
			slog.String("trigger", to.Name), slog.String("event_id", request.Header.Get("Ce-Id")),
			slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	}()
	to.handler.ServeHTTP(w, request)
	return w.answer()
}
