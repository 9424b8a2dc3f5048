package proxy_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/gateway/proxy"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// tenants is the one tenant of these tests, where a user's name is their token.
type tenants struct{}

func (tenants) Find(_ context.Context, id string) (auth.Tenant, bool) {
	return auth.Tenant{Tenant: pods.Tenant{ID: id, SiteID: "site"}, BaseURL: "https://example.org"}, true
}

func (tenants) Verify(_ context.Context, token string) (auth.Claims, error) {
	if token == "" || token == "bad" {
		return auth.Claims{}, pods.Unauthenticated("Invalid Tapis token.")
	}
	return auth.Claims{TenantID: "tenantone", Username: token, AccountType: auth.AccountUser, ExpiresAt: time.Now().Add(time.Hour)}, nil
}

func (tenants) Pod(context.Context, string, string) (pods.Pod, permissions.Set, error) {
	return pods.Pod{}, nil, nil
}

// newLoginSite is a site whose gateway knows who may pass.
func newLoginSite(t testing.TB) *site {
	t.Helper()
	visits, err := login.New(login.Options{
		Key: [login.KeySize]byte{1}, Tenants: tenants{}, Tokens: tenants{}, Permissions: tenants{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return newSite(t, func(o *proxy.Options) { o.Login, o.SecurePort = visits, "8443" })
}

// private starts a program that asks for a login and adds a pod for it.
func (s *site) private(id string, program http.HandlerFunc) string {
	s.t.Helper()
	return s.pod(id, program, func(n *pods.Networking) {
		n.TapisAuth = true
		n.TapisAuthAllowedUsers = []string{"alice"}
		n.TapisAuthResponseHeaders = map[string]string{"X-Tapis-Username": "<<tapisusername>>", "Remote_User": "<<tapisusername>>@<<tapistenantid>>"}
	})
}

// TestLoginTellsThePodWhoComes: the pod hears it from the gateway alone, and
// nothing that the visitor could prove themselves by.
func TestLoginTellsThePodWhoComes(t *testing.T) {
	t.Parallel()

	s := newLoginSite(t)
	heard := make(chan http.Header, 10)
	host := s.private("web", func(w http.ResponseWriter, r *http.Request) {
		heard <- r.Header
		w.Header().Add("Set-Cookie", "__Host-pods-session=forged; Path=/; Secure")
		w.Header().Add("Set-Cookie", "__HOST-PODS_LOGIN=forged; Path=/; Secure")
		w.Header().Add("Set-Cookie", "X-Tapis-Token=forged")
		w.Header().Add("Set-Cookie", "own=kept")
	})
	s.each(t, func(t *testing.T, w way) {
		if w.scheme == "http" {
			return
		}
		r := newRequest(t, http.MethodGet, "https://"+host+"/", nil)
		r.Header = http.Header{
			"X-Tapis-Token": {"alice"}, "X-Tapis-Username": {"root", "admin"}, "X_tapis_username": {"root"}, "x-TAPIS-UserName": {"root"},
			"Remote-User": {"root"}, "Remote_user": {"root"}, "REMOTE.USER": {"root"}, "X-Own": {"kept"},
			"Cookie": {"a=b; X-Tapis-Token=alice; __Host-pods-session=x; __Host-pods-login=y; c=d"}, "User-Agent": {"test"},
		}
		response, body := w.do(t, r)
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", response.StatusCode, body)
		}
		got := receive(t, heard, "the request")
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Accept-Encoding"} {
			got.Del(name)
		}
		want := http.Header{
			"X-Tapis-Username": {"alice"}, "Remote_user": {"alice@tenantone"}, "X-Own": {"kept"}, "Cookie": {"a=b; c=d"}, "User-Agent": {"test"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the pod hears (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"own=kept"}, response.Header.Values("Set-Cookie")); diff != "" {
			t.Errorf("the pod sets cookies:\n%s", diff)
		}
	})
}

// TestLoginKeepsOthersOut: without a login that counts, nothing reaches the pod.
func TestLoginKeepsOthersOut(t *testing.T) {
	t.Parallel()

	s := newLoginSite(t)
	host := s.private("web", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pod") })
	s.put("off", pods.StatusStopped, nil, func(n *pods.Networking) { n.TapisAuth = true })
	tests := map[string]struct {
		scheme, host, target string
		header               http.Header
		status               int
		location             string // its start
	}{
		"Nobody":     {"https", host, "/a", nil, 302, "https://example.org/v3/pods/web/auth/login?state="},
		"BadToken":   {"https", host, "/a", http.Header{"X-Tapis-Token": {"bad"}}, 403, ""},
		"NotAllowed": {"https", host, "/a", http.Header{"X-Tapis-Token": {"bob"}}, 403, ""},
		"Forged":     {"https", host, "/a", http.Header{"X-Tapis-Username": {"alice"}, "Remote_user": {"alice"}}, 302, "https://example.org/"},
		"Ticket":     {"https", host, "/.pods/login?ticket=x", nil, 400, ""},
		"Logout":     {"https", host, "/.pods/logout", http.Header{"Sec-Fetch-Site": {"none"}}, 200, ""},
		"Plain":      {"http", host, "//a?b=c", http.Header{"X-Tapis-Token": {"alice"}}, 308, "https://" + host + ":8443//a?b=c"},
		"Stopped":    {"https", "off.pods.localhost", "/a", nil, 503, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := s.ways()["http1"]
			if tc.scheme == "https" {
				w = s.ways()["http2"]
			}
			w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			r := newRequest(t, http.MethodGet, tc.scheme+"://"+tc.host+tc.target, nil)
			for name, values := range tc.header {
				r.Header[name] = values
			}
			response, body := w.do(t, r)
			location := response.Header.Get("Location")
			if response.StatusCode != tc.status || !strings.HasPrefix(location, tc.location) || (tc.location == "") != (location == "") {
				t.Errorf("%d to %q, want %d to %q", response.StatusCode, location, tc.status, tc.location)
			}
			if body == "pod" {
				t.Error("the pod was reached")
			}
		})
	}
}

// TestLoginIsNotLogged: neither tickets nor states are in the access log.
func TestLoginIsNotLogged(t *testing.T) {
	t.Parallel()

	s := newLoginSite(t)
	host := s.private("web", func(http.ResponseWriter, *http.Request) {})
	_, _ = s.ways()["http1-tls"].get(t, "https://"+host+"/.pods/login?ticket=hidden")
	if log := s.waitForLog(t, "/.pods/login"); strings.Contains(log, "hidden") {
		t.Errorf("log: %s", log)
	}
}

// BenchmarkLogin compares an entry that asks for a login with one that is open.
func BenchmarkLogin(b *testing.B) {
	s := newLoginSite(b)
	program := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pod") }
	for name, host := range map[string]string{"open": s.pod("db", program), "login": s.private("web", program)} {
		client := s.client(s.secure, false)
		client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, "https://"+host+"/", nil)
					r.Header.Set("X-Tapis-Token", "alice")
					response, err := client.Do(r)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
					if response.StatusCode != http.StatusOK {
						b.Errorf("status %d", response.StatusCode)
						return
					}
				}
			})
		})
	}
}
