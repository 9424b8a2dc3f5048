package main

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/shared/oauth"
	"github.com/pods-service/pods/shared/podstest/oauthtest"
	"github.com/pods-service/pods/shared/ratelimit"
)

// TestLoginsAreBounded: an address that has asked for too many logins gets none,
// in the words that it understands, and those who may pass a pod go on passing.
func TestLoginsAreBounded(t *testing.T) {
	t.Parallel()

	now := time.Now()
	s := serveLoginSite(t, func(s *loginSite, parts *server.Parts) {
		parts.Service = oauth.Credentials{ID: oauthtest.ServiceName, Secret: oauthtest.ServiceKey}
		parts.Extra = map[string]http.Handler{"/v3/oauth2/": s.tenant, "/v3/tokens": s.tenant}
		parts.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		parts.Limiter = ratelimit.New(ratelimit.Options{
			Rates: ratelimit.Rates{Visitor: 2}, Now: func() time.Time { return now }, Registerer: prometheus.NewRegistry(),
		})
	})
	s.pod("web")
	token := s.token("bob")
	ask := func(path, from string, header http.Header) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.api+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{
			"X-Forwarded-Host": {"web.pods.localhost"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-For": {from},
			"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"},
		}
		for name, values := range header {
			r.Header[name] = values
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(body)
	}
	const (
		auth    = "/v3/pods/web/auth"
		busy    = "192.0.2.1"
		network = "2001:db8:1:2::1"
	)
	bob := http.Header{"X-Tapis-Token": {token}}
	for range 30 {
		if answer, body := ask(auth, busy, bob); answer.StatusCode != http.StatusOK {
			t.Fatalf("who may pass: %d %s", answer.StatusCode, body)
		}
	}
	for n := range 10 {
		path := []string{auth, auth + "/login?state=x", auth + "/callback?code=x&state=x", "/v3/pods/none/auth"}[n%4]
		for _, from := range []string{busy, network} {
			if answer, body := ask(path, from, nil); answer.StatusCode == http.StatusTooManyRequests {
				t.Fatalf("request %d of %s: %s", n, from, body)
			}
		}
	}
	asJSON := http.Header{"Accept": {"application/json"}}
	tests := map[string]struct {
		path, from string
		header     http.Header
		status     int
		text       string
	}{
		"Ask":            {auth, busy, nil, 429, "<h1>Too many logins</h1>"},
		"AskAsAProgram":  {auth, busy, asJSON, 429, `"status":"error"`},
		"Begin":          {auth + "/login?state=x", busy, nil, 429, "<h1>Too many logins</h1>"},
		"BeginAsProgram": {auth + "/login?state=x", busy, asJSON, 429, "Too many logins have been tried from your address. Wait 1 s"},
		"ComeBack":       {auth + "/callback?code=x&state=x", busy, nil, 429, "<h1>Too many logins</h1>"},
		"NoPod":          {"/v3/pods/none/auth", busy, nil, 429, ""},
		"Forged":         {auth, "198.51.100.7, " + busy, nil, 429, ""},
		"SameNetwork":    {auth, "2001:db8:1:2:ffff::9", nil, 429, ""},
		"OtherNetwork":   {auth, "2001:db8:1:3::1", nil, 302, ""},
		"OtherAddress":   {auth, "192.0.2.2", nil, 302, ""},
		"MayPass":        {auth, busy, bob, 200, ""},
	}
	for name, tc := range tests {
		answer, body := ask(tc.path, tc.from, tc.header)
		if answer.StatusCode != tc.status || !strings.Contains(body, tc.text) {
			t.Errorf("%s: %d %s, want %d and %q", name, answer.StatusCode, body, tc.status, tc.text)
		}
		if after := answer.Header.Get("Retry-After"); (after == "1") != (tc.status == 429) {
			t.Errorf("%s: Retry-After %q", name, after)
		}
	}
}
