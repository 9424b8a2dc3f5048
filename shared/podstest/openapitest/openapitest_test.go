package openapitest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/podstest/openapitest"
)

// recorder is a test that remembers how it has failed.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestCheck(t *testing.T) {
	t.Parallel()

	envelope := func(status, result string) string {
		return `{"message":"m","metadata":{"links":{}},"result":` + result + `,"status":"` + status + `","version":"1"}`
	}
	letter := func(time string) string {
		return envelope("success", `[{"event_id":"e","trigger":"t","event_type":"","event_source":"","event_subject":"",`+
			`"event_time":null,"data":{"a":1},"reason":"","attempts":1,"failed_at":"`+time+`"}]`)
	}
	tests := map[string]struct {
		request, mediaType, body string
		status                   int
		failure                  string // part of it; empty when there is none
	}{
		"Good":          {"GET /v3/healthcheck", "application/json", envelope("success", `"well"`), 200, ""},
		"Failure":       {"GET /pods/abc", "application/json", envelope("error", "null"), 404, ""},
		"Time":          {"GET /pods/dead-letters", "application/json", letter("2026-01-02T03:04:05.000006"), 200, ""},
		"TimeOtherwise": {"GET /pods/dead-letters", "application/json", letter("2026-01-02T03:04:05Z"), 200, "not a time"},
		"NewField":      {"GET /pods/abc/logs", "application/json", envelope("success", `{"logs":"","action_logs":[],"new":1}`), 200, "new"},
		"NewKey":        {"GET /healthcheck", "application/json", strings.Replace(envelope("success", `""`), "{", `{"new":1,`, 1), 200, "new"},
		"Type":          {"GET /healthcheck", "application/json", envelope("success", "5"), 200, "string"},
		"Missing":       {"GET /pods/abc/logs", "application/json", envelope("success", `{"logs":""}`), 200, "action_logs"},
		"Status":        {"GET /pods/abc", "application/json", envelope("success", "null"), 404, "status"},
		"MediaType":     {"GET /healthcheck", "text/plain", "well", 200, "text/plain"},
		"ImageInPath":   {"DELETE /pods/images/docker.io/library/nginx", "application/json", envelope("success", "5"), 200, "string"},
		"NotDescribed":  {"GET /v3/oauth2/tokens", "text/plain", "whatever", 200, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			recorded := &recorder{TB: t}
			handler := openapitest.Check(recorded, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.mediaType)
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			method, path, _ := strings.Cut(tc.request, " ")
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequest(method, path, nil))
			if answer.Code != tc.status || answer.Body.String() != tc.body || answer.Header().Get("Content-Type") != tc.mediaType {
				t.Errorf("the answer became %d %s", answer.Code, answer.Body)
			}
			failures := strings.Join(recorded.failures, "\n")
			if (failures != "") != (tc.failure != "") || !strings.Contains(failures, tc.failure) {
				t.Errorf("failures %q, want one with %q", failures, tc.failure)
			}
		})
	}
}
