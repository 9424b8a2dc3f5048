package telemetry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/telemetry"
)

// The tests that start tracing are not parallel: it is one for the process.

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceparent = "00-" + traceID + "-00f067aa0ba902b7-01"
)

// record starts tracing for one test and returns the spans that have ended.
func record(t *testing.T) func() []sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	stop, err := telemetry.Start(t.Context(), telemetry.Options{Service: "test", Version: "1", Processor: recorder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop(context.Background()) })
	return recorder.Ended
}

func newEvent() cloudevents.Event {
	event := cloudevents.NewEvent()
	event.SetID("1")
	event.SetType("test")
	event.SetSource("/test")
	return event
}

func TestEventsCarryTheTrace(t *testing.T) {
	t.Parallel()

	ctx := telemetry.Continue(t.Context(), traceparent)
	event := newEvent()
	telemetry.Inject(ctx, &event)
	if got := event.Extensions()["traceparent"]; got != traceparent {
		t.Errorf("extension traceparent = %v, want %s", got, traceparent)
	}
	if got := telemetry.TraceID(telemetry.Extract(t.Context(), event)); got != traceID {
		t.Errorf("trace id after Extract = %q, want %s", got, traceID)
	}
}

func TestWithoutATraceNothingIsCarried(t *testing.T) {
	t.Parallel()

	event := newEvent()
	telemetry.Inject(t.Context(), &event)
	if got := event.Extensions(); len(got) != 0 {
		t.Errorf("extensions = %v, want none", got)
	}
	if got := telemetry.TraceID(telemetry.Extract(t.Context(), event)); got != "" {
		t.Errorf("trace id = %q, want none", got)
	}
	event.SetExtension("traceparent", "nonsense")
	if got := telemetry.TraceID(telemetry.Extract(t.Context(), event)); got != "" {
		t.Errorf("trace id of nonsense = %q, want none", got)
	}
}

func TestExtractKeepsTheBrokersSpan(t *testing.T) {
	t.Parallel()

	event := newEvent()
	telemetry.SetTraceparent(&event, traceparent)
	hop := "00-" + traceID + "-1111111111111111-01"
	other := "00-0af7651916cd43dd8448eb211c80319c-2222222222222222-01"
	if got := telemetry.Traceparent(telemetry.Extract(telemetry.Continue(t.Context(), hop), event)); got != hop {
		t.Errorf("in the same trace: %s, want %s", got, hop)
	}
	if got := telemetry.Traceparent(telemetry.Extract(telemetry.Continue(t.Context(), other), event)); got != traceparent {
		t.Errorf("in another trace: %s, want %s", got, traceparent)
	}
}

func TestRequestWithoutTracing(t *testing.T) {
	request := httptest.NewRequest(http.MethodGet, "/pods", nil)
	ctx, end := telemetry.Request(request, "GET /pods")
	end(http.StatusOK)
	if got := telemetry.TraceID(ctx); len(got) != 32 {
		t.Errorf("trace id of a request without one = %q, want a new one", got)
	}
	request.Header.Set("Traceparent", traceparent)
	ctx, end = telemetry.Request(request, "GET /pods")
	end(http.StatusOK)
	if got := telemetry.Traceparent(ctx); got != traceparent {
		t.Errorf("traceparent = %q, want the request's %q", got, traceparent)
	}
}

func TestSpans(t *testing.T) {
	spans := record(t)
	request := httptest.NewRequest(http.MethodPost, "/pods", nil)
	request.Header.Set("Traceparent", traceparent)
	ctx, answered := telemetry.Request(request, "POST /pods")
	_, ended := telemetry.Span(ctx, "work", telemetry.Text("pod_id", "db"))
	ended(pods.Unavailable("postgres", errors.New("password=geheim")))
	answered(http.StatusServiceUnavailable)

	got := spans()
	if len(got) != 2 {
		t.Fatalf("%d spans, want 2", len(got))
	}
	work, server := got[0], got[1]
	if work.Parent().SpanID() != server.SpanContext().SpanID() || server.Parent().SpanID().String() != "00f067aa0ba902b7" {
		t.Errorf("work is below %s, server below %s", work.Parent().SpanID(), server.Parent().SpanID())
	}
	for _, span := range got {
		if span.SpanContext().TraceID().String() != traceID {
			t.Errorf("%s is of trace %s, want %s", span.Name(), span.SpanContext().TraceID(), traceID)
		}
		for _, attr := range span.Attributes() {
			if strings.Contains(attr.Value.String(), "geheim") {
				t.Errorf("%s shows the text of an error: %v", span.Name(), attr)
			}
		}
		if strings.Contains(span.Status().Description, "geheim") || len(span.Events()) > 0 {
			t.Errorf("%s shows the text of an error: %v", span.Name(), span.Status())
		}
	}
}

func TestSpanInLinksItsCause(t *testing.T) {
	spans := record(t)
	cause := "00-0af7651916cd43dd8448eb211c80319c-2222222222222222-01"
	_, end := telemetry.SpanIn(telemetry.Continue(t.Context(), cause), traceparent, "move")
	end(nil)

	span := spans()[0]
	if span.SpanContext().TraceID().String() != traceID {
		t.Errorf("trace = %s, want %s", span.SpanContext().TraceID(), traceID)
	}
	if len(span.Links()) != 1 || span.Links()[0].SpanContext.SpanID().String() != "2222222222222222" {
		t.Errorf("links = %v, want the cause", span.Links())
	}
}

func TestCallersDecideOnSampling(t *testing.T) {
	spans := record(t)
	ctx := telemetry.Continue(t.Context(), strings.TrimSuffix(traceparent, "01")+"00")
	ctx, end := telemetry.Span(ctx, "work")
	end(nil)
	if got := len(spans()); got != 0 {
		t.Errorf("%d spans of a trace that is not sampled, want none", got)
	}
	if got := telemetry.TraceID(ctx); got != traceID {
		t.Errorf("trace id = %s, want %s", got, traceID)
	}
}

func TestDisabledByEnvironment(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("OTEL_SDK_DISABLED", "true")
	stop, err := telemetry.Start(t.Context(), telemetry.Options{Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if ctx, _ := telemetry.Span(t.Context(), "work"); telemetry.TraceID(ctx) != "" {
		t.Error("a span was made though tracing is disabled")
	}
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkSpanWithoutTracing(b *testing.B) {
	ctx := telemetry.Continue(b.Context(), traceparent)
	for b.Loop() {
		_, end := telemetry.Span(ctx, "work")
		end(nil)
	}
}

func BenchmarkRequestWithoutTracing(b *testing.B) {
	request := httptest.NewRequest(http.MethodGet, "/pods", nil)
	for b.Loop() {
		_, end := telemetry.Request(request, "GET /pods")
		end(http.StatusOK)
	}
}
