package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/pods"
)

// TestHostTricks sends requests as they are and expects the pod only where the
// host names it.
func TestHostTricks(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "pod got "+r.Method+" "+r.RequestURI+" "+string(body))
	})
	s.put("off", pods.StatusStopped, nil)
	const host = "\nHost: db.pods.localhost\n"
	tests := map[string]struct {
		request  string
		want     int
		wantBody string
	}{
		"Plain":         {"GET / HTTP/1.1" + host + "\n", 200, "pod got GET / "},
		"UpperCase":     {"GET / HTTP/1.1\nHost: DB.PODS.LocalHost\n\n", 200, "pod got"},
		"Dot":           {"GET / HTTP/1.1\nHost: db.pods.localhost.\n\n", 200, "pod got"},
		"DotAndPort":    {"GET / HTTP/1.1\nHost: db.pods.localhost.:99\n\n", 200, "pod got"},
		"HTTP10":        {"GET / HTTP/1.0" + host + "\n", 200, "pod got"},
		"TwoSlashes":    {"GET //evil.example/x HTTP/1.1" + host + "\n", 200, "pod got GET //evil.example/x "},
		"EncodedSlash":  {"GET /%2e%2e%2fetc HTTP/1.1" + host + "\n", 200, "pod got GET /%2e%2e%2fetc "},
		"Unknown":       {"GET / HTTP/1.1\nHost: none.pods.localhost\n\n", 404, "There is no pod"},
		"Stopped":       {"GET / HTTP/1.1\nHost: off.pods.localhost\n\n", 503, "stopped"},
		"Prefix":        {"GET / HTTP/1.1\nHost: xdb.pods.localhost\n\n", 404, ""},
		"Suffix":        {"GET / HTTP/1.1\nHost: db.pods.localhost.evil.example\n\n", 404, ""},
		"Below":         {"GET / HTTP/1.1\nHost: x.db.pods.localhost\n\n", 404, ""},
		"Address":       {"GET / HTTP/1.1\nHost: 127.0.0.1\n\n", 404, ""},
		"IPv6":          {"GET / HTTP/1.1\nHost: [::1]:8081\n\n", 400, ""},
		"NoHost":        {"GET / HTTP/1.1\n\n", 400, ""},
		"NoHostHTTP10":  {"GET / HTTP/1.0\n\n", 400, ""},
		"EmptyHost":     {"GET / HTTP/1.1\nHost: \n\n", 400, ""},
		"User":          {"GET / HTTP/1.1\nHost: x@db.pods.localhost\n\n", 400, ""},
		"HostPath":      {"GET / HTTP/1.1\nHost: db.pods.localhost/x\n\n", 400, ""},
		"HostList":      {"GET / HTTP/1.1\nHost: db.pods.localhost, x\n\n", 400, ""},
		"Underscore":    {"GET / HTTP/1.1\nHost: d_b.pods.localhost\n\n", 400, ""},
		"ForeignURL":    {"GET http://evil.example/ HTTP/1.1" + host + "\n", 400, ""},
		"OtherScheme":   {"GET ftp://evil.example/ HTTP/1.1" + host + "\n", 400, ""},
		"Connect":       {"CONNECT evil.example:443 HTTP/1.1" + host + "\n", 405, ""},
		"ConnectPod":    {"CONNECT db.pods.localhost:443 HTTP/1.1" + host + "\n", 405, ""},
		"Trace":         {"TRACE / HTTP/1.1" + host + "\n", 405, ""},
		"OptionsStar":   {"OPTIONS * HTTP/1.1" + host + "\n", 400, ""},
		"NoSlash":       {"GET evil HTTP/1.1" + host + "\n", 400, ""},
		"FoldedLine":    {"GET / HTTP/1.1" + host + "X-A: 1\n b: 2\n\n", 200, "pod got GET / "},
		"HeaderTooLong": {"GET / HTTP/1.1" + host + "X-A: " + strings.Repeat("a", 80<<10) + "\n\n", 431, ""},
		"PathTooLong":   {"GET /" + strings.Repeat("a", 80<<10) + " HTTP/1.1" + host + "\n", 431, ""},
		"LongHeader":    {"GET / HTTP/1.1" + host + "X-A: " + strings.Repeat("a", 60<<10) + "\n\n", 200, "pod got"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			request := strings.Replace(tc.request, "HTTP/1.1\n", "HTTP/1.1\nConnection: close\n", 1)
			response, body := s.raw(t, request)
			if response.StatusCode != tc.want || !strings.Contains(body, tc.wantBody) {
				t.Errorf("answer %d, want %d with %q: %.200s", response.StatusCode, tc.want, tc.wantBody, body)
			}
			if tc.want != http.StatusOK && strings.Contains(body, "pod got") {
				t.Error("the pod was reached")
			}
		})
	}
}

// TestMisdirected: a connection made for one pod cannot be used for another.
func TestMisdirected(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pod") })
	s.pod("web", func(http.ResponseWriter, *http.Request) {})
	s.each(t, func(t *testing.T, w way) {
		if w.scheme == "http" {
			return
		}
		for asked, want := range map[string]int{
			host: 200, "DB.pods.localhost.:99": 200, "web.pods.localhost": 421, "none.pods.localhost": 421, "127.0.0.1": 421,
		} {
			r := newRequest(t, http.MethodGet, "https://"+host, nil)
			r.Host = asked
			if response, body := w.do(t, r); response.StatusCode != want {
				t.Errorf("host %s: %d, want %d: %.100s", asked, response.StatusCode, want, body)
			}
		}
	})
}
