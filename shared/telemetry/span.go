package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/pods-service/pods/shared/pods"
)

// Text returns an attribute for a span. The value must be no secret and nothing
// that users choose freely, identifiers aside.
func Text(key, value string) attribute.KeyValue { return attribute.String(key, value) }

// Span starts a span named after one piece of work, below the one of ctx. The
// returned function ends it and must be called once, with the error the work
// has ended in: its kind is kept, its text is not. Without an exporter, and
// below a span that is not sampled, nothing happens.
func Span(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, func(error)) {
	return start(ctx, name, trace.WithAttributes(attributes...))
}

// SpanIn starts a span as Span does, in the trace that traceparent names and
// with a link to the span of ctx, which is of another trace. Without a
// traceparent it is Span.
func SpanIn(ctx context.Context, traceparent, name string, attributes ...attribute.KeyValue) (context.Context, func(error)) {
	if traceparent == "" {
		return Span(ctx, name, attributes...)
	}
	cause := trace.LinkFromContext(ctx)
	options := []trace.SpanStartOption{trace.WithAttributes(attributes...)}
	if cause.SpanContext.IsValid() {
		options = append(options, trace.WithLinks(cause))
	}
	return start(Continue(ctx, traceparent), name, options...)
}

func start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, func(error)) {
	s := current.Load()
	if s == nil {
		return ctx, ignore
	}
	ctx, span := s.tracer.Start(ctx, name, options...)
	return ctx, func(err error) { end(span, err) }
}

func ignore(error) {}

func end(span trace.Span, err error) {
	if err != nil {
		kind := string(pods.KindOf(err))
		span.SetAttributes(attribute.String("error.type", kind))
		span.SetStatus(codes.Error, kind)
	}
	span.End()
}
