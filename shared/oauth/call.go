package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// How long a tenant may take.
const (
	connectTimeout  = 3050 * time.Millisecond // one more than a multiple of what TCP waits before it tries again
	answerTimeout   = 10 * time.Second
	registerTimeout = 25 * time.Second // a token, and a client that is there already
)

// maxAnswer bounds a tenant's answer in bytes.
const maxAnswer = 1 << 20

// newClient returns a client that follows no redirect: what it sends is for the
// one address.
func newClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		dialer := &net.Dialer{Timeout: connectTimeout}
		transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         localNames(dialer.DialContext),
			TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: answerTimeout,
			MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		}
	}
	return &http.Client{
		Transport: transport, Timeout: connectTimeout + answerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// localNames connects names below localhost to this machine, as browsers do
// (RFC 6761 section 6.3); resolvers need not know them.
func localNames(next dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("localhost", port)
		}
		return next(ctx, network, address)
	}
}

// call is one request to a tenant.
type call struct {
	method string
	url    string
	header http.Header
	// The body is json, or else form.
	json any
	form url.Values
	// user and password are for Basic authentication, unless empty.
	user, password string
}

// refusal is an answer that is not a success.
type refusal struct {
	status  int
	message string // for what the answer says; it is no secret
}

func (r *refusal) Error() string { return fmt.Sprintf("status %d: %s", r.status, r.message) }

// do sends a call and reads the JSON of its answer into into, unless that is
// nil.
//
// Errors: a *refusal for every status of 300 or more.
func (p *Provider) do(ctx context.Context, c call, into any) error {
	request, err := c.request(ctx)
	if err != nil {
		return err
	}
	answer, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.method, c.url, err)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %w", c.method, c.url, &refusal{answer.StatusCode, messageOf(text)})
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s %s: the answer is not what it should be", c.method, c.url) // which may hold a token
	}
	return nil
}

func (c call) request(ctx context.Context) (*http.Request, error) {
	body, contentType := []byte(c.form.Encode()), "application/x-www-form-urlencoded"
	if c.json != nil {
		contentType = "application/json"
		var err error
		if body, err = json.Marshal(c.json); err != nil {
			return nil, fmt.Errorf("encode the body: %w", err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, c.method, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range c.header {
		request.Header[name] = values
	}
	if len(body) > 0 {
		request.Header.Set("Content-Type", contentType)
	}
	request.Header.Set("Accept", "application/json")
	if c.user != "" {
		request.SetBasicAuth(c.user, c.password)
	}
	return request, nil
}

// maxMessage bounds what is quoted of an answer, in bytes.
const maxMessage = 300

// messageOf returns what an answer says of its failure.
func messageOf(text []byte) string {
	var answer struct {
		Message any    `json:"message"`
		Error   string `json:"error"` // RFC 6749 section 5.2
	}
	message := "no message"
	if json.Unmarshal(text, &answer) == nil {
		switch {
		case answer.Message != nil:
			message = fmt.Sprint(answer.Message)
		case answer.Error != "":
			message = answer.Error
		}
	}
	if len(message) > maxMessage {
		message = message[:maxMessage]
	}
	return strings.ToValidUTF8(message, "?")
}
