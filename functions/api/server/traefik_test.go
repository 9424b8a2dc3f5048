package server_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/feed"
	"github.com/pods-service/pods/shared/routes/traefik"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// storedRoutes is a table that is always what the store holds.
type storedRoutes struct{ source feed.Source }

func (s storedRoutes) Wait(ctx context.Context) (*routes.Table, error) {
	all, err := s.source.Pods(ctx)
	if err != nil {
		return nil, pods.Unavailable("The pods cannot be read.", err)
	}
	return routes.Build(all), nil
}

func newRenderer(t *testing.T) *traefik.Renderer {
	t.Helper()
	renderer, err := traefik.NewRenderer(traefik.Options{
		API: "http://localhost:8080", EntryPoints: []string{"web"},
		AuthBase: func(tenantID string) string { return "https://" + tenantID + ".example.org" },
	}, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return renderer
}

// addPods makes one pod of each kind that Traefik has a router for.
func (s *service) addPods(c *client.Client, bodies ...string) {
	s.t.Helper()
	for _, body := range bodies {
		if err := c.Do(s.t.Context(), "POST", "/v3/pods", json.RawMessage(body), nil); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestTraefikConfig gets the configuration as Traefik does, and as others do.
func TestTraefikConfig(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.addPods(s.as("alice"), `{"pod_id":"web","image":"nginx"}`)

	read := func(path, token string, header http.Header) (*http.Response, string) {
		t.Helper()
		req := s.request("GET", path, token, "")
		for name, values := range header {
			req.Header[name] = values
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	answer, body := read("/traefik-config", "", nil)
	var document struct {
		HTTP struct {
			Routers map[string]struct{ Rule, Service string }
		}
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("answer %s %s: %s, %v", answer.Status, answer.Header.Get("Content-Type"), body, err)
	}
	if got := document.HTTP.Routers[pods.Name("dev", "dev", "web")]; got.Rule != "Host(`web.pods.localhost`)" || got.Service != "pods-service" {
		t.Errorf("a pod that has been asked for has the router %+v", got)
	}
	if same, _ := read("/v3/pods/traefik-config", s.as("admin").Token(), nil); same.Header.Get("ETag") != answer.Header.Get("ETag") {
		t.Error("site admins see something else")
	}
	unchanged, body := read("/traefik-config", "", http.Header{"If-None-Match": {answer.Header.Get("ETag")}})
	if unchanged.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("the same again answers %s %q", unchanged.Status, body)
	}

	for name, tc := range map[string]struct {
		header http.Header
		status int
	}{
		"Inside":          {http.Header{"X-Forwarded-For": {"127.0.0.7"}}, 200},
		"InsideMapped":    {http.Header{"X-Forwarded-For": {"::ffff:127.0.0.7"}}, 200},
		"Outside":         {http.Header{"X-Forwarded-For": {"8.8.8.8"}}, 403},
		"Claims":          {http.Header{"X-Forwarded-For": {"127.0.0.1, 8.8.8.8"}}, 403},
		"ClaimsApart":     {http.Header{"X-Forwarded-For": {"8.8.8.8", "127.0.0.1"}}, 403},
		"Garbage":         {http.Header{"X-Forwarded-For": {"127.0.0.1, "}}, 403},
		"OtherProxy":      {http.Header{"Forwarded": {"for=127.0.0.1"}}, 403},
		"OtherProxyKnown": {http.Header{"Forwarded": {"for=127.0.0.1"}, "X-Forwarded-For": {"127.0.0.1"}}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := read("/traefik-config", "", tc.header); got.StatusCode != tc.status {
				t.Errorf("answer %s, want %d", got.Status, tc.status)
			}
		})
	}
}

// TestStatusPages asks for the pages as Traefik does for a visitor.
func TestStatusPages(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice := s.as("alice")
	s.addPods(alice, `{"pod_id":"web","image":"nginx"}`,
		`{"pod_id":"graph","image":"nginx","networking":{"default":{"protocol":"tcp","port":7687}}}`)

	tests := map[string]struct {
		method, path, host, forwarded string
		status                        int
		want                          string
	}{
		"Starting":    {"GET", "/pod-splash", "web.pods.localhost", "", 503, "Starting"},
		"Version":     {"GET", "/v3/pod-splash", "web.pods.localhost", "", 503, "Starting"},
		"AnyMethod":   {"POST", "/pod-splash", "web.pods.localhost:8443", "", 503, "Starting"},
		"Forwarded":   {"GET", "/pod-splash", "api.internal", "web.pods.localhost", 503, "Starting"},
		"NoPod":       {"GET", "/pod-splash", "none.pods.localhost", "", 404, "No pod here"},
		"NoHTTP":      {"GET", "/pod-splash", "graph.pods.localhost", "", 404, "No pod here"},
		"NoHost":      {"GET", "/pod-splash", "api.internal", "<script>", 404, "No pod here"},
		"NotFound":    {"GET", "/pod-not-found", "none.pods.localhost", "", 404, "none.pods.localhost"},
		"NotFoundPUT": {"PUT", "/pod-not-found", "none.pods.localhost", "", 404, "none.pods.localhost"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			req := s.request(tc.method, tc.path, "", "")
			req.Host = tc.host
			req.Header.Set("Accept", "text/html")
			if tc.forwarded != "" {
				req.Header.Set("X-Forwarded-Host", tc.forwarded)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != tc.status || !strings.Contains(string(body), tc.want) || strings.Contains(string(body), "<script>") {
				t.Errorf("answer %s, %v, want %d with %q:\n%s", resp.Status, err, tc.status, tc.want, body)
			}
		})
	}
}
