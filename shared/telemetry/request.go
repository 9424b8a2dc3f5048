package telemetry

import (
	"context"
	"crypto/rand"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Request starts the span of a request that a server has matched with route,
// "GET /pods/{pod_id}": in the trace that its header traceparent names, else in
// a new one. The returned function ends it and must be called once, with the
// status of the answer. Without an exporter there is no span; a request without
// a trace gets an id for one then too, so that the lines of its log can be
// found.
func Request(r *http.Request, route string) (context.Context, func(status int)) {
	ctx := FromHeader(r.Context(), r.Header)
	s := current.Load()
	if s == nil {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			ctx = begin(ctx)
		}
		return ctx, func(int) {}
	}
	ctx, span := s.tracer.Start(ctx, route, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("http.route", route),
	))
	return ctx, func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError { // what a client did wrong is not the server's error
			span.SetAttributes(attribute.String("error.type", strconv.Itoa(status)))
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// FromHeader returns ctx within the trace that a request's header names.
func FromHeader(ctx context.Context, header http.Header) context.Context {
	if header.Get(parentKey) == "" {
		return ctx
	}
	return propagator.Extract(ctx, propagation.HeaderCarrier(header))
}

// begin returns ctx within a new trace, of which no spans are kept.
func begin(ctx context.Context) context.Context {
	var config trace.SpanContextConfig
	_, _ = rand.Read(config.TraceID[:]) // never fails
	_, _ = rand.Read(config.SpanID[:])
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(config))
}
