package events

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/pods-service/pods/shared/pods"
)

// HTTPSinkOptions say where an HTTPSink sends events and how.
type HTTPSinkOptions struct {
	// URL is the address of a Broker or whatever else takes events, http or
	// https: K_SINK as a SinkBinding sets it.
	URL string
	// Overrides is K_CE_OVERRIDES: empty, or a JSON object whose "extensions",
	// names with strings, are put on each event.
	Overrides string
	// Timeout bounds one Send; 0 means a minute. A Broker in memory may answer
	// only when all its retries are over.
	Timeout time.Duration
	// Transport makes the requests; nil means one with room for many of them
	// to one host.
	Transport http.RoundTripper
}

// idleConnections is how many connections to the sink are kept for later.
const idleConnections = 64

// HTTPSink sends events over HTTP, in binary mode. It is safe for concurrent
// use.
type HTTPSink struct {
	url        string
	extensions map[string]string
	timeout    time.Duration
	client     *http.Client
}

// NewHTTPSink returns a sink. It does not call it yet.
//
// Errors: an address or overrides that make no sense.
func NewHTTPSink(options HTTPSinkOptions) (*HTTPSink, error) {
	address, err := url.Parse(options.URL)
	if err != nil || address.Host == "" || (address.Scheme != "http" && address.Scheme != "https") {
		return nil, fmt.Errorf("the sink %q is no http or https address", options.URL)
	}
	extensions, err := parseOverrides(options.Overrides)
	if err != nil {
		return nil, err
	}
	if options.Timeout == 0 {
		options.Timeout = time.Minute
	}
	if options.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = idleConnections
		options.Transport = transport
	}
	return &HTTPSink{
		url: options.URL, extensions: extensions, timeout: options.Timeout,
		client: &http.Client{
			Transport: options.Transport,
			// What follows a redirect is often no longer a POST.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func parseOverrides(text string) (map[string]string, error) {
	var overrides struct {
		Extensions map[string]string `json:"extensions"`
	}
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &overrides); err != nil {
		return nil, fmt.Errorf("read K_CE_OVERRIDES: %w", err)
	}
	for name := range overrides.Extensions {
		if !event.IsExtensionNameValid(name) {
			return nil, fmt.Errorf("read K_CE_OVERRIDES: %q is no name of an extension", name)
		}
	}
	return overrides.Extensions, nil
}

// Send posts event and waits for the answer: any 2xx means that the event is in
// safe hands.
//
// Errors: KindInvalid for an event that the sink refuses for good; KindTimeout
// and KindUnavailable when sending it again may help; ctx's when the sender has
// given up.
func (s *HTTPSink) Send(ctx context.Context, event cloudevents.Event) error {
	sent := event.Clone() // extensions of one that is shared may not be changed
	for name, value := range s.extensions {
		sent.SetExtension(name, value)
	}
	posting, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	request, err := newRequest(posting, s.url, sent)
	if err != nil {
		return invalid("write event "+event.ID(), err)
	}
	// An event may come twice, so a connection that turns out to be dead is
	// replaced by a new one without asking.
	request.Header.Set("Idempotency-Key", event.ID())
	got := s.post(request)
	switch {
	case got.acknowledged():
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("send event %s: %w", event.ID(), ctx.Err())
	case posting.Err() != nil:
		return pods.Timeout("the sink did not take event "+event.ID()+" in time", got)
	case got.retryable():
		return pods.Unavailable("the sink did not take event "+event.ID(), got)
	}
	return invalid("the sink refuses event "+event.ID(), got)
}

func (s *HTTPSink) post(request *http.Request) answer {
	response, err := s.client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	// Also what lets the connection be used again.
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxReasonBytes)) // the status alone decides
	return answer{status: response.StatusCode, body: string(body)}
}
