package suite

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Answer is an answer of the API as it came. One that is no JSON has a status and a
// header alone.
type Answer struct {
	Status   int
	Header   http.Header
	Message  string // a list of messages is joined by line breaks
	Metadata json.RawMessage
	Result   json.RawMessage
}

// Call sends a request to the API as the test has written it: headers go by
// their names, and a body is JSON unless they say otherwise.
func (s *Suite) Call(t *testing.T, method, path, body string, headers map[string]string) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.At().API+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := s.API().Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if resp.Header.Get("Content-Type") != "application/json" { // a file
		return Answer{Status: resp.StatusCode, Header: resp.Header}
	}
	var envelope struct{ Message, Metadata, Result json.RawMessage }
	if err := json.Unmarshal(data, &envelope); err != nil {
		t.Fatalf("%s %s answers %d with %.200q", method, path, resp.StatusCode, data)
	}
	var messages []string
	if json.Unmarshal(envelope.Message, &messages) != nil {
		messages = make([]string, 1)
		_ = json.Unmarshal(envelope.Message, &messages[0]) // anything else is shown as empty
	}
	return Answer{resp.StatusCode, resp.Header, strings.Join(messages, "\n"), envelope.Metadata, envelope.Result}
}
