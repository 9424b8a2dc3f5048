package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/pods"
)

// corsHeaders returns what an answer says of other origins.
func corsHeaders(header http.Header) map[string]string {
	said := map[string]string{}
	for name, values := range header {
		if rest, found := strings.CutPrefix(name, "Access-Control-"); found {
			said[rest] = strings.Join(values, " | ")
		}
	}
	return said
}

// corsSite has the pod "app", which is careless about other origins, with an
// entry that change has changed.
func corsSite(t *testing.T, change func(*pods.Networking)) *site {
	t.Helper()
	s := newSite(t)
	s.pod("app", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://careless.example")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Access-Control-Expose-Headers", "X-Secret")
		w.Header().Set("Vary", "Cookie")
		_, _ = io.WriteString(w, "app "+r.Method)
	})
	route, _ := s.table.Load().Lookup("app.pods.localhost")
	entry := route.Networking.Clone()
	change(&entry)
	s.table.Store(s.table.Load().With(pods.Pod{
		TenantID: route.TenantID, ID: route.PodID, Status: route.Status, Address: "127.0.0.1",
		Spec: pods.Spec{Networking: map[string]pods.Networking{pods.DefaultNetworkKey: entry}},
	}))
	return s
}

func TestCORS(t *testing.T) {
	t.Parallel()

	named := func(n *pods.Networking) {
		n.CORSAllowOrigins = []string{"https://one.example", "https://two.example"}
		n.CORSAllowMethods, n.CORSAllowHeaders = []string{"GET", "PUT"}, []string{"X-Custom"}
		n.CORSAllowCredentials, n.CORSMaxAge = true, 60
	}
	everybody := func(n *pods.Networking) {
		n.CORSAllowOrigins, n.CORSAllowCredentials, n.CORSMaxAge = []string{"*"}, true, 0
	}
	login := func(n *pods.Networking) { named(n); n.TapisAuth = true }
	list := func(n *pods.Networking) { named(n); n.IPAllowList = []string{"10.0.0.1"} }
	type said = map[string]string
	allowed := said{
		"Allow-Origin": "https://two.example", "Allow-Credentials": "true", "Allow-Methods": "PUT",
		"Allow-Headers": "x-custom", "Max-Age": "60",
	}
	careless := said{"Allow-Origin": "https://careless.example", "Allow-Credentials": "true", "Expose-Headers": "X-Secret"}
	tests := map[string]struct {
		entry      func(*pods.Networking)
		method     string
		origin     string
		asks       string // Access-Control-Request-Method
		wantStatus int
		want       said
		wantApp    bool // the pod was reached
	}{
		"Preflight":           {named, "OPTIONS", "https://two.example", "PUT", 204, allowed, false},
		"PreflightOther":      {named, "OPTIONS", "https://evil.example", "PUT", 204, said{}, false},
		"PreflightNull":       {named, "OPTIONS", "null", "PUT", 204, said{}, false},
		"PreflightMethod":     {named, "OPTIONS", "https://two.example", "DELETE", 204, said{}, false},
		"PreflightOfLogin":    {login, "OPTIONS", "https://two.example", "PUT", 204, allowed, false},
		"PreflightNotAllowed": {list, "OPTIONS", "https://two.example", "PUT", 403, said{}, false},
		"PreflightOfApp":      {func(*pods.Networking) {}, "OPTIONS", "https://two.example", "PUT", 200, careless, true},
		"Plain":               {named, "GET", "https://two.example", "", 200, said{"Allow-Origin": "https://two.example", "Allow-Credentials": "true"}, true},
		"PlainOther":          {named, "GET", "https://evil.example", "", 200, said{}, true},
		"PlainSuffix":         {named, "GET", "https://two.example.evil.example", "", 200, said{}, true},
		"PlainNoOrigin":       {named, "GET", "", "", 200, said{}, true},
		"PlainOptions":        {named, "OPTIONS", "https://two.example", "", 200, said{"Allow-Origin": "https://two.example", "Allow-Credentials": "true"}, true},
		"PlainOfLogin":        {login, "GET", "https://two.example", "", 403, said{"Allow-Origin": "https://two.example", "Allow-Credentials": "true"}, false},
		"PlainOfApp":          {func(*pods.Networking) {}, "GET", "https://two.example", "", 200, careless, true},
		"Everybody":           {everybody, "GET", "https://any.example", "", 200, said{"Allow-Origin": "*"}, true},
		"EverybodyPreflight":  {everybody, "OPTIONS", "https://any.example", "POST", 204, said{"Allow-Origin": "*", "Allow-Methods": "POST", "Allow-Headers": "content-type"}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := corsSite(t, tc.entry)
			for way, w := range s.ways() {
				r := newRequest(t, tc.method, w.scheme+"://app.pods.localhost/", nil)
				if tc.origin != "" {
					r.Header.Set("Origin", tc.origin)
				}
				if tc.asks != "" {
					r.Header.Set("Access-Control-Request-Method", tc.asks)
					r.Header.Set("Access-Control-Request-Headers", map[bool]string{true: "content-type", false: "x-custom"}[name == "EverybodyPreflight"])
				}
				response, body := w.do(t, r)
				if response.StatusCode != tc.wantStatus || strings.HasPrefix(body, "app ") != tc.wantApp {
					t.Errorf("%s: %d %.100s", way, response.StatusCode, body)
				}
				if diff := cmp.Diff(tc.want, corsHeaders(response.Header)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
				vary := strings.Join(response.Header.Values("Vary"), ", ")
				if decides := tc.wantStatus != 403 && !strings.HasSuffix(name, "OfApp"); decides != strings.Contains(vary, "Origin") && name != "PlainOfLogin" {
					t.Errorf("%s: Vary %q", way, vary)
				}
				if tc.wantApp && !strings.Contains(vary, "Cookie") {
					t.Errorf("%s: the pod's own Vary is lost: %q", way, vary)
				}
			}
		})
	}
}

// TestCORSFollowsTheTable: a change of the entry counts for the next request.
func TestCORSFollowsTheTable(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	address := freePort(t)
	for _, origin := range []string{"https://one.example", "https://two.example"} {
		s.put("app", pods.StatusStopped, address, func(n *pods.Networking) { n.CORSAllowOrigins = []string{origin} })
		r := newRequest(t, http.MethodGet, "http://app.pods.localhost/", nil)
		r.Header.Set("Origin", origin)
		response, _ := s.ways()["http1"].do(t, r)
		if got := response.Header.Get("Access-Control-Allow-Origin"); got != origin {
			t.Errorf("allowed %q, want %q, on the page of a stopped pod too", got, origin)
		}
	}
}

func TestAllowedAddress(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	s.pod("mine", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pod") })
	route, _ := s.table.Load().Lookup("mine.pods.localhost")
	for list, want := range map[string]int{"127.0.0.0/8": 200, "127.0.0.1": 200, "127.0.0.2": 403, "10.0.0.0/8": 403} {
		entry := route.Networking.Clone()
		entry.IPAllowList = []string{list}
		s.table.Store(s.table.Load().With(pods.Pod{
			TenantID: route.TenantID, ID: route.PodID, Status: route.Status, Address: "127.0.0.1",
			Spec: pods.Spec{Networking: map[string]pods.Networking{pods.DefaultNetworkKey: entry}},
		}))
		for way, w := range s.ways() {
			r := newRequest(t, http.MethodGet, w.scheme+"://mine.pods.localhost/", nil)
			for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Client-Ip"} {
				r.Header.Set(name, "10.0.0.1") // says nothing
			}
			if response, body := w.do(t, r); response.StatusCode != want {
				t.Errorf("%s, %s: %d %.100s", list, way, response.StatusCode, body)
			}
		}
	}
}
