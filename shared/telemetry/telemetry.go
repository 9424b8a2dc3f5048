// Package telemetry follows one request through the service: API, outbox,
// broker, functions, cluster and back. It is OpenTelemetry with W3C trace
// contexts. Without an exporter no span is made, and what a trace is passed on
// by works all the same, so that logs tell which lines belong together.
//
// Spans hold names, identifiers and kinds of failure, never the text of an
// error or anything that users have set.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options say who sends spans, and where they go.
type Options struct {
	// Service names the process, as "api"; OTEL_SERVICE_NAME overrules it.
	Service string
	Version string
	// Logger is told of spans that cannot be sent; nil means slog.Default().
	Logger *slog.Logger
	// Processor takes the spans in place of what the environment names.
	Processor sdktrace.SpanProcessor
}

// scope names the instrumentation in each span.
const scope = "github.com/pods-service/pods"

// propagator reads and writes W3C trace contexts, in headers and in events.
var propagator = propagation.TraceContext{}

// current makes the spans; nil while there is nobody to send them to.
var current atomic.Pointer[source]

type source struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// Start has spans sent to where the standard environment variables say:
// OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, by OTLP
// over HTTP, with their HEADERS, TIMEOUT, COMPRESSION and CERTIFICATE. Without them, or with OTEL_SDK_DISABLED=true, none are made.
// OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG say how many; each request
// unless told otherwise, and always what the caller has decided if it has.
//
// The returned function sends what is left and ends the sending. It must be
// called once.
//
// Errors: settings that make no sense. A collector that does not answer is
// none: its spans are lost and logged.
func Start(ctx context.Context, options Options) (shutdown func(context.Context) error, err error) {
	otel.SetTextMapPropagator(propagator)
	processor := options.Processor
	if processor == nil {
		target, wanted, err := readTarget(os.Getenv)
		if err != nil {
			return nil, fmt.Errorf("start tracing: %w", err)
		}
		if !wanted {
			return func(context.Context) error { return nil }, nil
		}
		exporter, err := otlptrace.New(ctx, newCollector(target))
		if err != nil {
			return nil, fmt.Errorf("start tracing: %w", err)
		}
		processor = sdktrace.NewBatchSpanProcessor(exporter)
	}
	described, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.namespace", "pods-service"),
		attribute.String("service.name", options.Service), attribute.String("service.version", options.Version),
	), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("start tracing: %w", err)
	}
	use(processor, described, options.Logger)
	return stop, nil
}

func use(processor sdktrace.SpanProcessor, described *resource.Resource, logger *slog.Logger) {
	if logger == nil {
		logger = slog.Default()
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		logger.LogAttrs(context.Background(), slog.LevelWarn, "spans were lost", slog.Any("error", err))
	}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor), sdktrace.WithResource(described))
	otel.SetTracerProvider(provider)
	current.Store(&source{provider: provider, tracer: provider.Tracer(scope)})
}

func stop(ctx context.Context) error {
	if s := current.Swap(nil); s != nil {
		return s.provider.Shutdown(ctx)
	}
	return nil
}
