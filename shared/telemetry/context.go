package telemetry

import (
	"context"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// parentKey is the header and the extension that carry a trace context.
const parentKey = "traceparent"

// TraceID returns the id of the trace that ctx belongs to, 32 hexadecimal
// digits, or "" when it belongs to none.
func TraceID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		return span.TraceID().String()
	}
	return ""
}

// Traceparent returns the trace context of ctx in its W3C form, or "".
func Traceparent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagator.Inject(ctx, carrier)
	return carrier[parentKey]
}

// Continue returns ctx within the trace that traceparent names, as Traceparent
// returns it. A text that names none leaves ctx as it is.
func Continue(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return propagator.Extract(ctx, propagation.MapCarrier{parentKey: traceparent})
}

// Inject gives event the trace context of ctx, if there is one, as the
// extension of the CloudEvents specification for distributed tracing.
func Inject(ctx context.Context, event *cloudevents.Event) {
	SetTraceparent(event, Traceparent(ctx))
}

// SetTraceparent gives event a trace context; an empty one leaves it.
func SetTraceparent(event *cloudevents.Event, traceparent string) {
	if traceparent != "" {
		event.SetExtension(parentKey, traceparent)
	}
}

// Extract returns ctx within the trace of event. A context that is in that
// trace already stays where it is: the broker's own spans lie between the
// event and whoever handles it.
func Extract(ctx context.Context, event cloudevents.Event) context.Context {
	text, err := types.ToString(event.Extensions()[parentKey])
	if err != nil {
		return ctx
	}
	within := Continue(ctx, text)
	if TraceID(within) == TraceID(ctx) {
		return ctx
	}
	return within
}
