package telemetry

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

func TestReadTarget(t *testing.T) {
	t.Parallel()

	const general, traces = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	tests := map[string]struct {
		env    map[string]string
		url    string // empty means that no exporter is wanted
		failed bool
	}{
		"Nothing":       {},
		"General":       {env: map[string]string{general: "http://collector:4318"}, url: "http://collector:4318/v1/traces"},
		"GeneralFolder": {env: map[string]string{general: "https://a.example/otlp/"}, url: "https://a.example/otlp/v1/traces"},
		"Traces":        {env: map[string]string{general: "http://a", traces: "http://b/t"}, url: "http://b/t"},
		"Disabled":      {env: map[string]string{general: "http://a", "OTEL_SDK_DISABLED": "True"}},
		"NoExporter":    {env: map[string]string{general: "http://a", "OTEL_TRACES_EXPORTER": "none"}},
		"NoScheme":      {env: map[string]string{general: "collector:4318"}, failed: true},
		"GRPC":          {env: map[string]string{general: "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, failed: true},
		"BadHeaders":    {env: map[string]string{general: "http://a", "OTEL_EXPORTER_OTLP_HEADERS": "secret"}, failed: true},
		"BadTimeout":    {env: map[string]string{general: "http://a", "OTEL_EXPORTER_OTLP_TIMEOUT": "1s"}, failed: true},
		"NoCertificate": {env: map[string]string{general: "http://a", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/none"}, failed: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, wanted, err := readTarget(func(name string) string { return tc.env[name] })
			if (err != nil) != tc.failed {
				t.Fatalf("error %v, want one: %t", err, tc.failed)
			}
			if got.url != tc.url || wanted != (tc.url != "") {
				t.Errorf("url %q, wanted %t, want %q", got.url, wanted, tc.url)
			}
		})
	}
}

func TestReadHeaders(t *testing.T) {
	t.Parallel()

	got, err := readHeaders("authorization=Basic%20abc=, x-scope = a,")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"authorization": "Basic abc=", "x-scope": "a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

// TestUpload sends spans to a collector that is busy the first time.
func TestUpload(t *testing.T) {
	t.Parallel()

	attempts := 0
	var got tracepb.TracesData
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if attempts++; attempts == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.Header.Get("X-Scope") != "a" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("header = %v", r.Header)
		}
		body, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		data, _ := io.ReadAll(body)
		if err := proto.Unmarshal(data, &got); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	c := newCollector(target{url: server.URL, headers: map[string]string{"x-scope": "a"}, timeout: time.Minute, gzip: true})
	want := []*tracepb.ResourceSpans{{SchemaUrl: "here"}}
	if err := c.UploadTraces(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if attempts != 2 || len(got.ResourceSpans) != 1 || got.ResourceSpans[0].SchemaUrl != "here" {
		t.Errorf("after %d attempts the collector has %v", attempts, &got)
	}
}

func TestUploadGivesUp(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer server.Close()
	c := newCollector(target{url: server.URL, timeout: time.Minute})
	if err := c.UploadTraces(t.Context(), nil); err == nil {
		t.Error("spans that are refused are taken for sent")
	}
	c = newCollector(target{url: "http://127.0.0.1:1", timeout: 20 * time.Millisecond})
	if err := c.UploadTraces(t.Context(), nil); err == nil {
		t.Error("spans for a collector that is not there are taken for sent")
	}
}

// TestSpansAreSent is not parallel: tracing is one for the process.
func TestSpansAreSent(t *testing.T) {
	paths := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths <- r.URL.Path }))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	stop, err := Start(t.Context(), Options{Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	_, end := Span(t.Context(), "work")
	end(nil)
	if err := stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := <-paths; got != "/v1/traces" {
		t.Errorf("spans went to %s", got)
	}
}
