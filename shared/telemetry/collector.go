package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// maxAnswerBytes is how much of a collector's answer is read, so that its
// connection can be used again.
const maxAnswerBytes = 64 << 10

// The waits between attempts while a collector is busy; the timeout of the
// export ends them.
const (
	firstWait = 500 * time.Millisecond
	lastWait  = 5 * time.Second
)

// collector sends spans by OTLP over HTTP, as otlptracehttp does, which would
// bring gRPC with its gateway into every program. It implements
// otlptrace.Client.
type collector struct {
	target target
	client *http.Client
}

func newCollector(target target) *collector {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = target.tls
	return &collector{target: target, client: &http.Client{
		Transport: transport,
		// A redirect would carry the headers, which may be secret, elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Start implements otlptrace.Client.
func (c *collector) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *collector) Stop(context.Context) error {
	c.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans, again while the collector asks for that and the
// timeout allows it.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// On the wire an ExportTraceServiceRequest is the same message.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	if c.target.gzip {
		if body, err = compressed(body); err != nil {
			return fmt.Errorf("compress spans: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.target.timeout)
	defer cancel()
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		again, err := c.post(ctx, body)
		if !again {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func compressed(body []byte) ([]byte, error) {
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	_, err := writer.Write(body)
	err = errors.Join(err, writer.Close())
	return out.Bytes(), err
}

// post makes one attempt; again says that another may succeed.
func (c *collector) post(ctx context.Context, body []byte) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.target.url, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("send spans: %w", err)
	}
	for name, value := range c.target.headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if c.target.gzip {
		request.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return ctx.Err() == nil, fmt.Errorf("send spans: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswerBytes)
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return again, fmt.Errorf("send spans: the collector answers %d", answer.StatusCode)
	}
	return false, nil
}
