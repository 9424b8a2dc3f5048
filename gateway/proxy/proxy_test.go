package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

func TestRequestReachesThePodAsItIs(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", strings.Join([]string{r.Method, r.RequestURI, r.Host, string(body)}, " "))
		w.Header().Add("Set-Cookie", "a=1; Path=/")
		w.Header().Add("Set-Cookie", "b=2")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "body of the pod")
	})
	s.each(t, func(t *testing.T, w way) {
		const path = "/a%2Fb//c/../d;x=1?q=1;2&r=%zz&empty&s=a+b"
		r := newRequest(t, http.MethodPut, w.scheme+"://"+host+":4242"+path, strings.NewReader("body of the visitor"))
		response, body := w.do(t, r)
		if response.StatusCode != http.StatusTeapot || response.Proto != w.proto || body != "body of the pod" {
			t.Errorf("answer %s %d %q", response.Proto, response.StatusCode, body)
		}
		want := "PUT " + path + " " + host + ":4242 body of the visitor"
		if got := response.Header.Get("X-Seen"); got != want {
			t.Errorf("the pod saw\n%q, want\n%q", got, want)
		}
		if got := response.Header.Values("Set-Cookie"); !cmp.Equal(got, []string{"a=1; Path=/", "b=2"}) {
			t.Errorf("cookies %q", got)
		}
	})
}

func TestHead(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("Content-Length", "12345")
	})
	s.each(t, func(t *testing.T, w way) {
		response, body := w.do(t, newRequest(t, http.MethodHead, w.scheme+"://"+host, nil))
		if response.Header.Get("X-Method") != http.MethodHead || response.ContentLength != 12345 || body != "" {
			t.Errorf("answer %v, %d bytes announced, body %q", response.Header, response.ContentLength, body)
		}
	})
}

// seenHeaders answers with the headers that reach the pod, one per line.
func seenHeaders(w http.ResponseWriter, r *http.Request) {
	var lines []string
	for name, values := range r.Header {
		lines = append(lines, name+": "+strings.Join(values, " | "))
	}
	slices.Sort(lines)
	_, _ = io.WriteString(w, strings.Join(lines, "\n"))
}

func TestForwardedHeadersAreTheGatewaysOwn(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", seenHeaders)
	s.each(t, func(t *testing.T, w way) {
		r := newRequest(t, http.MethodGet, w.scheme+"://"+host, nil)
		r.Header = http.Header{
			"User-Agent":          {"test"},
			"Forwarded":           {"for=6.6.6.6"},
			"X-Forwarded-For":     {"6.6.6.6", "7.7.7.7"},
			"X-Forwarded-Host":    {"evil.example"},
			"X-Forwarded-Proto":   {"gopher"},
			"X-Forwarded-User":    {"admin"},
			"X-Forwarded-Prefix":  {"/evil"},
			"X_Forwarded_For":     {"6.6.6.6"},
			"x_forwarded-host":    {"evil.example"},
			"X-Real-Ip":           {"6.6.6.6"},
			"X_real_ip":           {"6.6.6.6"},
			"X-Tapis-Token":       {"token"},
			"X_tapis_token":       {"token"},
			"x-Tapis_Token":       {"token"},
			"X-Forward":           {"kept"},
			"X-Tapis-Tracking-Id": {"kept"},
		}
		_, got := w.do(t, r)
		want := "User-Agent: test\nX-Forward: kept\nX-Forwarded-For: 127.0.0.1\nX-Forwarded-Host: " + host +
			"\nX-Forwarded-Proto: " + w.scheme + "\nX-Tapis-Tracking-Id: kept"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers at the pod (-want +got):\n%s", diff)
		}
	})
}

// TestConnectionHeaderCannotRemoveOurs: headers a visitor names in Connection
// are dropped, and that must not reach those the gateway sets.
func TestConnectionHeaderCannotRemoveOurs(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	s.pod("db", seenHeaders)
	_, got := s.raw(t, `GET / HTTP/1.1
Host: db.pods.localhost
Connection: close, X-Forwarded-For, X-Forwarded-Proto, X-Mine
X-Mine: dropped
Keep-Alive: timeout=5
Proxy-Connection: keep-alive
Proxy-Authorization: Basic eDp5
Te: trailers, deflate
Upgrade: h2c
HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA
Authorization: Bearer kept

`)
	const want = "Authorization: Bearer kept\nHttp2-Settings: AAMAAABkAARAAAAAAAIAAAAA\nTe: trailers\n" +
		"X-Forwarded-For: 127.0.0.1\nX-Forwarded-Host: db.pods.localhost\nX-Forwarded-Proto: http"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers at the pod (-want +got):\n%s", diff)
	}
}

func TestHopByHopHeadersOfThePod(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "X-Internal")
		w.Header().Set("X-Internal", "dropped")
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.Header().Set("X-Kept", "yes")
	})
	s.each(t, func(t *testing.T, w way) {
		response, _ := w.get(t, w.scheme+"://"+host)
		for _, name := range []string{"Connection", "X-Internal", "Proxy-Authenticate"} {
			if got, found := response.Header[name]; found {
				t.Errorf("%s: %q reached the visitor", name, got)
			}
		}
		if response.Header.Get("X-Kept") != "yes" {
			t.Error("an ordinary header is missing")
		}
	})
}

func TestPlatformCookieStaysOutside(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "X-Tapis-Token=forged; Path=/; Domain=pods.localhost")
		w.Header().Add("Set-Cookie", "x_tapis_token=forged")
		w.Header().Add("Set-Cookie", "mine=1; HttpOnly")
		_, _ = fmt.Fprintf(w, "%q", r.Header.Values("Cookie"))
	})
	tests := map[string]struct {
		cookies []string
		want    string
	}{
		"None":        {nil, `[]`},
		"Alone":       {[]string{"X-Tapis-Token=secret"}, `[]`},
		"First":       {[]string{"X-Tapis-Token=secret; a=1"}, `["a=1"]`},
		"Middle":      {[]string{`a="1";  X-Tapis-Token=secret;b=2 `}, `["a=\"1\";b=2"]`},
		"Last":        {[]string{"a=1; b=2; X-Tapis-Token=secret"}, `["a=1; b=2"]`},
		"Twice":       {[]string{"X-Tapis-Token=1; X-Tapis-Token=2; a=1"}, `["a=1"]`},
		"OtherCase":   {[]string{"x-tapis-TOKEN=secret; a=1"}, `["a=1"]`},
		"Underscores": {[]string{"X_Tapis_Token=secret; a=1"}, `["a=1"]`},
		"Spaces":      {[]string{"a=1;\t X-Tapis-Token =secret"}, `["a=1"]`},
		"NoValue":     {[]string{"X-Tapis-Token; a=1"}, `["a=1"]`},
		"Similar":     {[]string{"X-Tapis-Token2=kept; tapis=kept"}, `["X-Tapis-Token2=kept; tapis=kept"]`},
		"InAValue":    {[]string{"a=X-Tapis-Token=kept"}, `["a=X-Tapis-Token=kept"]`},
		"OddBytes":    {[]string{"a=\"x y\"; b={\"c\":1}"}, `["a=\"x y\"; b={\"c\":1}"]`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for _, w := range s.ways() {
				r := newRequest(t, http.MethodGet, w.scheme+"://"+host, nil)
				if tc.cookies != nil {
					r.Header["Cookie"] = tc.cookies
				}
				response, got := w.do(t, r)
				want := tc.want
				if w.proto == "HTTP/2.0" { // which splits cookies and joins them with one space
					got, want = strings.ReplaceAll(got, "; ", ";"), strings.ReplaceAll(want, "; ", ";")
				}
				if got != want {
					t.Errorf("%s: the pod saw %s, want %s", w.proto, got, want)
				}
				if set := response.Header.Values("Set-Cookie"); !cmp.Equal(set, []string{"mine=1; HttpOnly"}) {
					t.Errorf("%s: the visitor got %q", w.proto, set)
				}
			}
		})
	}
}

func TestTrailers(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Announced")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Announced", "yes")
		seen := []string{}
		for name, values := range r.Trailer {
			seen = append(seen, name+"="+strings.Join(values, ","))
		}
		slices.Sort(seen)
		w.Header().Set(http.TrailerPrefix+"X-Request-Trailers", strings.Join(seen, " "))
	})
	s.each(t, func(t *testing.T, w way) {
		r := newRequest(t, http.MethodPost, w.scheme+"://"+host, struct{ io.Reader }{strings.NewReader("body")})
		r.Trailer = http.Header{"X-Checksum": {"42"}, "X-Tapis-Token": {"secret"}, "X-Forwarded-For": {"6.6.6.6"}}
		response, body := w.do(t, r)
		if body != "body" {
			t.Errorf("body %q", body)
		}
		want := http.Header{"X-Announced": {"yes"}, "X-Request-Trailers": {"X-Checksum=42"}}
		if diff := cmp.Diff(want, response.Trailer); diff != "" {
			t.Errorf("trailers (-want +got):\n%s", diff)
		}
	})
}

func TestEarlyHints(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	s.pod("db", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNoContent)
	})
	response, _ := s.raw(t, "GET / HTTP/1.1\nHost: db.pods.localhost\nConnection: close\n\n")
	if response.StatusCode != http.StatusEarlyHints || response.Header.Get("Link") == "" {
		t.Errorf("first answer %d %v, want 103 with a link", response.StatusCode, response.Header)
	}
	if log := s.log.String(); strings.Contains(log, "status=103") {
		t.Errorf("the hint is logged as the answer: %s", log)
	}
}

func TestStatusPages(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	want := map[pods.Status]struct {
		state routes.State
		retry bool
	}{
		pods.StatusRequested: {routes.StateStarting, true}, pods.StatusSpawnerSetup: {routes.StateStarting, true},
		pods.StatusCreating: {routes.StateStarting, true}, pods.StatusDeleting: {routes.StateStopping, true},
		pods.StatusStopped: {routes.StateStopped, false}, pods.StatusError: {routes.StateError, false},
		pods.StatusComplete: {routes.StateComplete, false},
	}
	for status, expected := range want {
		id := strings.ReplaceAll(strings.ToLower(string(status)), " ", "")
		s.put(id, status, nil)
		t.Run(id, func(t *testing.T) {
			t.Parallel()

			for _, w := range s.ways() {
				for accept, contains := range map[string]string{
					"text/html": "<!doctype html>", "application/json": `"state":"` + string(expected.state) + `"`,
				} {
					r := newRequest(t, http.MethodGet, w.scheme+"://"+id+".pods.localhost/deep/path?token=secret", nil)
					r.Header.Set("Accept", accept)
					response, body := w.do(t, r)
					if response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, contains) {
						t.Errorf("%s: %d %s", accept, response.StatusCode, body)
					}
					if got := response.Header.Get("Retry-After") != ""; got != expected.retry {
						t.Errorf("%s: Retry-After present: %t", accept, got)
					}
					if got := response.Header.Get("Cache-Control"); got != "no-store" {
						t.Errorf("%s: Cache-Control %q", accept, got)
					}
					for _, secret := range []string{"secret", "deep", "tenantone", "127.0.0.1"} {
						if strings.Contains(body, secret) {
							t.Errorf("%s: the page shows %q: %s", accept, secret, body)
						}
					}
				}
			}
		})
	}
}

func TestNoTableYet(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	s.table.Store(nil)
	for _, w := range s.ways() {
		response, body := w.get(t, w.scheme+"://db.pods.localhost")
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" || !strings.Contains(body, "One moment") {
			t.Errorf("%d %v %s", response.StatusCode, response.Header, body)
		}
	}
}

// TestRouteFollowsTheTable: requests on a connection that is already open see
// each new table.
func TestRouteFollowsTheTable(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	name := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	for _, w := range s.ways() {
		url := w.scheme + "://moving.pods.localhost"
		for _, step := range []struct {
			change     func()
			wantStatus int
			wantBody   string
		}{
			{func() { s.table.Store(&routes.Table{}) }, 404, "There is no pod"},
			{func() { s.put("moving", pods.StatusCreating, nil) }, 503, "on its way"},
			{func() { s.pod("moving", name("first run")) }, 200, "first run"},
			{func() { s.pod("moving", name("second run")) }, 200, "second run"},
			{func() { s.put("moving", pods.StatusDeleting, nil) }, 503, "being stopped"},
			{func() {
				s.put("moving", pods.StatusAvailable, nil, func(n *pods.Networking) { n.Protocol = pods.ProtocolTCP })
			}, 421, "by the protocol tcp, over TLS with the host name as server name (SNI), at moving.pods.localhost:443"},
		} {
			step.change()
			response, body := w.get(t, url)
			if response.StatusCode != step.wantStatus || !strings.Contains(body, step.wantBody) {
				t.Fatalf("%s: %d %s, want %d %s", w.proto, response.StatusCode, body, step.wantStatus, step.wantBody)
			}
		}
	}
}
