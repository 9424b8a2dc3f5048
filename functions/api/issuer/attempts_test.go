package issuer_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/shared/ratelimit"
	"github.com/pods-service/pods/shared/rest"
)

// try is an attempt to log in by one of the ways there are.
type try struct {
	way, name, secret string
}

// send makes the attempt from an address behind a proxy.
func (a try) send(made *issuer.Issuer, from string) *httptest.ResponseRecorder {
	form := url.Values{"username": {a.name}, "password": {a.secret}}
	path, contentType, body := "", asForm, ""
	switch a.way {
	case "page":
		path, body = authorizeURL("client_id", "pods-dev"), form.Encode()
	case "password":
		form.Set("grant_type", "password")
		path, body = "/v3/oauth2/tokens", form.Encode()
	case "client":
		path, body = "/v3/oauth2/tokens", "grant_type=password&username=alice&password=alice"
	case "service":
		path, contentType = "/v3/tokens", asJSON
		body = `{"token_username":"files","token_tenant_id":"dev","account_type":"service","target_site_id":"dev"}`
	}
	r := httptest.NewRequest(http.MethodPost, "http://localhost:8080"+path, strings.NewReader(body))
	r.RemoteAddr = "10.0.0.1:5"
	r.Header.Set("X-Forwarded-For", "198.51.100.99, "+from)
	r.Header.Set("Content-Type", contentType)
	if a.way == "client" || a.way == "service" {
		r.SetBasicAuth(a.name, a.secret)
	}
	w := httptest.NewRecorder()
	made.ServeHTTP(w, r)
	return w
}

// TestFailuresAreBounded: after four failures from an address nothing more is
// answered there, by whatever way and however right, until time has passed. Others
// still get in.
func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		wrong, right try
		html         bool
	}{
		"Page":     {try{"page", "alice", "x"}, try{"page", "alice", "alice"}, true},
		"Password": {try{"password", "alice", "x"}, try{"password", "alice", "alice"}, false},
		"Nobody":   {try{"password", "nobody", "x"}, try{"page", "bob", "bob"}, true},
		"Client":   {try{"client", "pods-dev", "x"}, try{"client", "pods-dev", "pods-dev"}, false},
		"Service":  {try{"service", "files", "x"}, try{"service", "files", "files"}, false},
		"OtherWay": {try{"page", "alice", "x"}, try{"password", "alice", "alice"}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			now := &clock{now: start}
			config := development(t, "127.0.0.1:8080")
			config.Tenants[0].Clients[0].CallbackURL = callback
			config.Now = now.Now
			config.Proxies = rest.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
			config.Attempts = ratelimit.New(ratelimit.Options{Rates: ratelimit.Rates{Failures: 4}, Now: now.Now, Registerer: prometheus.NewRegistry()})
			made := newIssuer(t, config)

			const attacker, other = "192.0.2.1", "192.0.2.2"
			for n := range 4 {
				if w := tc.wrong.send(made, attacker); w.Code != http.StatusUnauthorized {
					t.Fatalf("failure %d: %d %s", n, w.Code, w.Body)
				}
			}
			for _, attempt := range []try{tc.wrong, tc.right} {
				if w := attempt.send(made, attacker); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "15" {
					t.Errorf("%+v: %d, Retry-After %q", attempt, w.Code, w.Header().Get("Retry-After"))
				}
			}
			w := tc.right.send(made, attacker)
			isHTML := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html")
			if isHTML != tc.html || !strings.Contains(w.Body.String(), "Too many log-ins have failed. Try again in 15 s.") {
				t.Errorf("refused with %s", w.Body)
			}
			if w := tc.right.send(made, other); w.Code >= http.StatusBadRequest {
				t.Errorf("from another address: %d %s", w.Code, w.Body)
			}
			now.Advance(15 * time.Second)
			if w := tc.right.send(made, attacker); w.Code >= http.StatusBadRequest {
				t.Errorf("once time has passed: %d %s", w.Code, w.Body)
			}
		})
	}
}
