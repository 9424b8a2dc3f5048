package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/gateway/proxy"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/oauth"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/podstest/oauthtest"
	"github.com/pods-service/pods/shared/podstest/openapitest"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/routes"
)

// loginSite is an API and a gateway on a real database, and the login of a
// tenant, as visitors meet them.
type loginSite struct {
	t       *testing.T
	api     string // URL of tenant dev
	gateway string // address, for TLS
	trusted *x509.CertPool
	store   *postgres.Store
	domain  *function.Domain
	tenant  *oauthtest.Tenant
	tokens  *issuer.Issuer
	table   atomic.Pointer[routes.Table]

	mu    sync.Mutex
	ahead time.Duration // of the gateway's clock
	heard []http.Header // by the pods
}

// newLoginSite returns one whose tenant logs visitors in at once and can fail.
func newLoginSite(t *testing.T) *loginSite {
	t.Helper()
	return serveLoginSite(t, func(s *loginSite, parts *server.Parts) {
		parts.Service = oauth.Credentials{ID: oauthtest.ServiceName, Secret: oauthtest.ServiceKey}
		parts.Extra = map[string]http.Handler{"/v3/oauth2/": s.tenant, "/v3/tokens": s.tenant}
	})
}

// serveLoginSite completes the API's parts by with.
func serveLoginSite(t *testing.T, with func(*loginSite, *server.Parts)) *loginSite {
	t.Helper()
	s := &loginSite{t: t, store: podstest.Store(t, podstest.WithNow(time.Now))}
	s.table.Store(&routes.Table{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config, err := issuer.Development(listener.Addr().String(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = slog.New(slog.DiscardHandler)
	tokens, err := issuer.New(config)
	if err != nil {
		t.Fatal(err)
	}
	s.tokens = tokens
	if s.domain, err = function.OpenDomain(t.Context(), tokens.Tenants(), assets.Templates(), config.Logger); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	s.api = "http://localhost:" + port
	s.tenant = oauthtest.New(t, s.token)
	s.serveAPI(listener, config.SiteID, with)
	s.serveGateway(config.SiteID)
	return s
}

var loginTestKey = [login.KeySize]byte{7}

func (s *loginSite) serveAPI(listener net.Listener, siteID string, with func(*loginSite, *server.Parts)) {
	parts := server.Parts{
		Choices: server.Choices{Images: []string{"nginx"}, CORSOrigins: []string{"*"}}, Store: s.store, SiteID: siteID,
		Tenants: s.domain.Tenants, Rules: s.domain.Rules, Catalog: s.domain.Catalog, Deriver: s.domain.Deriver(s.store),
		LoginKey: loginTestKey, GatewayPort: "443", Address: "http://127.0.0.1:1",
		Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Version: "1.2.3",
	}
	with(s, &parts)
	handler, err := server.Assemble(parts)
	if err != nil {
		s.t.Fatal(err)
	}
	running := httptest.NewUnstartedServer(openapitest.Check(s.t, handler))
	_ = running.Listener.Close()
	running.Listener = listener
	running.Start()
	s.t.Cleanup(running.Close)
}

func (s *loginSite) serveGateway(siteID string) {
	visits, err := login.New(login.Options{
		Key: loginTestKey, Tenants: s.domain.Tenants, Tokens: auth.NewAuthenticator(s.domain.Tenants, siteID),
		Permissions: s.store, Logger: slog.New(slog.DiscardHandler), Now: s.now,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	handler := proxy.New(proxy.Options{
		Routes: s.table.Load, Login: visits, Version: "1.2.3", Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	s.t.Cleanup(handler.Close)
	authority, err := certs.Open(certs.Options{Dir: s.t.TempDir(), Domains: s.domain.Tenants.Domains()})
	if err != nil {
		s.t.Fatal(err)
	}
	s.trusted = x509.NewCertPool()
	s.trusted.AppendCertsFromPEM(authority.PEM())
	running := httptest.NewUnstartedServer(handler)
	running.TLS = &tls.Config{GetCertificate: authority.GetCertificate}
	running.StartTLS()
	s.t.Cleanup(running.Close)
	s.gateway = running.Listener.Addr().String()
}

func (s *loginSite) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead)
}

func (s *loginSite) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// token returns an access token of a user of tenant dev.
func (s *loginSite) token(user string) string {
	body, _ := json.Marshal(map[string]string{"username": user, "password": user, "grant_type": "password"})
	r := httptest.NewRequest(http.MethodPost, s.api+"/v3/oauth2/tokens", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.tokens.ServeHTTP(w, r)
	var answer struct {
		Result struct {
			AccessToken struct {
				AccessToken string `json:"access_token"`
			} `json:"access_token"`
		} `json:"result"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		s.t.Errorf("token of %s: %d %s", user, w.Code, w.Body)
	}
	return answer.Result.AccessToken.AccessToken
}

// asAlice sends a request to the API, which must succeed.
func (s *loginSite) asAlice(method, path string, body any) {
	s.t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.api+path, bytes.NewReader(content))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Tapis-Token", s.token("alice"))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		s.t.Fatalf("%s %s = %d %s", method, path, answer.StatusCode, text)
	}
}

// pod makes a pod of alice whose port asks for a login, and has it run.
func (s *loginSite) pod(id string, allowed ...string) {
	s.t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.heard = append(s.heard, r.Header)
		s.mu.Unlock()
		_, _ = io.WriteString(w, id+" "+r.URL.RequestURI())
	}))
	s.t.Cleanup(upstream.Close)
	at := upstream.Listener.Addr().(*net.TCPAddr)
	s.asAlice(http.MethodPost, "/v3/pods", map[string]any{
		"pod_id": id, "image": "nginx", "networking": map[string]any{"default": map[string]any{
			"protocol": "http", "port": at.Port, "tapis_auth": true, "tapis_auth_allowed_users": append([]string{}, allowed...), "tapis_auth_return_path": "/home",
			"tapis_auth_response_headers": map[string]string{"X-User": "<<tapisusername>>", "X-Site": "<<tapistenantid>>.<<tapissiteid>>"},
		}},
	})
	pod, _, err := s.store.Pod(s.t.Context(), "dev", id)
	if err != nil {
		s.t.Fatal(err)
	}
	pod.Status, pod.Address = pods.StatusAvailable, at.IP.String()
	s.table.Store(s.table.Load().With(pod))
}

// visitor is a browser.
type visitor struct {
	site   *loginSite
	client *http.Client
	hops   []string // where the last visit led through
}

func (s *loginSite) visitor() *visitor {
	jar, _ := cookiejar.New(nil) // never fails
	v := &visitor{site: s}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.trusted},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasSuffix(address, ".pods.localhost:443") {
				address = s.gateway
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	v.client = &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		v.hops = append(v.hops, r.URL.String())
		for name, values := range via[0].Header {
			r.Header[name] = values // as a navigation goes on
		}
		if len(via) > 8 {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return v
}

// open navigates to an address and returns what is there at last.
func (v *visitor) open(address string) (status int, body string) {
	v.site.t.Helper()
	v.hops = nil
	r, err := http.NewRequestWithContext(v.site.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		v.site.t.Fatal(err)
	}
	r.Header = http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"none"}}
	answer, err := v.client.Do(r)
	if err != nil {
		v.site.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.site.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// hop returns the address that the last visit led through and that has part in it.
func (v *visitor) hop(part string) string {
	v.site.t.Helper()
	for _, hop := range v.hops {
		if strings.Contains(hop, part) {
			return hop
		}
	}
	v.site.t.Fatalf("%s is none of %q", part, v.hops)
	return ""
}

func (v *visitor) want(address string, status int, text string) {
	v.site.t.Helper()
	if got, body := v.open(address); got != status || !strings.Contains(body, text) {
		v.site.t.Errorf("%s = %d after %d redirects, want %d with %q: %.300s", address, got, len(v.hops), status, text, body)
	}
}

func TestVisitorLogsIn(t *testing.T) {
	t.Parallel()

	s := newLoginSite(t)
	s.pod("web", "AUTHORIZED_READS")
	alice := s.visitor()
	alice.want("https://web.pods.localhost/page?q=1", 200, "web /page?q=1")
	if len(alice.hops) != 5 {
		t.Errorf("the login led through %q", alice.hops)
	}
	known := s.tenant.Client("PODS-SERVICE-pods-dev-dev-web-default")
	if known.Callback != s.api+"/v3/pods/web/auth/callback" {
		t.Errorf("the tenant knows %+v", known)
	}
	alice.want("https://web.pods.localhost/other", 200, "web /other")
	if len(alice.hops) != 0 {
		t.Errorf("a second visit led through %q", alice.hops)
	}
	got := s.heard[len(s.heard)-1]
	want := http.Header{"X-User": {"alice"}, "X-Site": {"dev.dev"}}
	for name := range got {
		if name != "X-User" && name != "X-Site" {
			if strings.Contains(strings.Join(got[name], " "), "__Host-") {
				t.Errorf("the pod hears the session in %s", name)
			}
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	// A ticket that was used makes no second session, here or elsewhere.
	alice.open("https://web.pods.localhost/.pods/logout")
	alice.open("https://web.pods.localhost/again")
	ticket := alice.hop("/.pods/login?ticket=")
	alice.want(ticket, 400, "Open the address of the pod again")
	s.visitor().want(ticket, 400, "Open the address of the pod again")
	s.pod("app")
	bob := s.visitor()
	bob.open("https://app.pods.localhost/")
	bob.want(strings.Replace(ticket, "//web.", "//app.", 1), 400, "Open the address of the pod again")

	// Nor does a callback that was used.
	alice.open("https://web.pods.localhost/.pods/logout")
	alice.open("https://web.pods.localhost/again")
	callback := alice.hop("/auth/callback?")
	alice.want(callback, 502, "Login not possible")
	alice.want(strings.Replace(callback, "/web/", "/app/", 1), 400, "begun at another address")
	alice.want(strings.Replace(callback, "//localhost:", "//127.0.0.1:", 1), 404, "not found")

	// The session ends.
	s.pass(4*time.Hour + time.Minute)
	alice.open("https://web.pods.localhost/late")
	alice.hop("/oauth2/authorize?")
}

// TestVisitorNotOnTheList: one who may not come is told so, and never sent in a
// circle.
func TestVisitorNotOnTheList(t *testing.T) {
	t.Parallel()

	s := newLoginSite(t)
	s.pod("web", "AUTHORIZED_READS")
	s.tenant.LogIn("bob")
	bob := s.visitor()
	bob.want("https://web.pods.localhost/", 403, "is authenticated but not in")
	s.asAlice(http.MethodPost, "/v3/pods/web/permissions", map[string]string{"user": "bob", "level": "READ"})
	s.pass(5 * time.Second)
	s.tenant.LogIn("alice")
	s.visitor().want("https://web.pods.localhost/", 200, "web /")
	program := func(token string, want int) {
		t.Helper()
		v := s.visitor()
		v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://web.pods.localhost/data", nil)
		r.Header.Set("X-Tapis-Token", token)
		answer, err := v.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != want {
			body, _ := io.ReadAll(answer.Body)
			t.Errorf("a program gets %d %s, want %d", answer.StatusCode, body, want)
		}
	}
	program(s.token("bob"), 200)
	program(s.token("carol"), 403)
	program("junk", 403)
	s.asAlice(http.MethodDelete, "/v3/pods/web/permissions/bob", nil)
	s.pass(15 * time.Second)
	program(s.token("bob"), 403)
}

// TestTenantFails: what the tenant cannot do is said so that a visitor can read
// it.
func TestTenantFails(t *testing.T) {
	t.Parallel()

	s := newLoginSite(t)
	s.pod("web")
	for _, path := range []string{"/v3/tokens", "/v3/oauth2/clients", "/v3/oauth2/tokens"} {
		s.tenant.Fail(path, 500)
		s.visitor().want("https://web.pods.localhost/", 502, "The login of the tenant has not answered")
		s.tenant.Fail(path, 0)
	}
	s.visitor().want("https://web.pods.localhost/", 200, "web /")
}

// TestForwardAuth: a proxy that asks the API hears the same.
func TestForwardAuth(t *testing.T) {
	t.Parallel()

	s := newLoginSite(t)
	s.pod("web")
	token := s.token("bob")
	ask := func(path string, header http.Header) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.api+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range header {
			r.Header[name] = values
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer
	}
	forwarded := func(header ...string) http.Header {
		h := http.Header{
			"X-Forwarded-Host": {"web.pods.localhost:8443"}, "X-Forwarded-Uri": {"/page"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Method": {"GET"},
			"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"},
		}
		for i := 0; i+1 < len(header); i += 2 {
			h[header[i]] = []string{header[i+1]}
		}
		return h
	}
	good := ask("/v3/pods/web/auth", forwarded("X-Tapis-Token", token, "Cookie", "a=b; X-Tapis-Token=x; __Host-pods-session=y"))
	if good.StatusCode != 200 || good.Header.Get("X-User") != "bob" || good.Header.Get("Cookie") != "a=b" {
		t.Errorf("%d %v", good.StatusCode, good.Header)
	}
	tests := map[string]struct {
		path   string
		header http.Header
		status int
		to     string // start of the address it leads to
	}{
		"DefaultByName":  {"/pods/web-default/auth", forwarded("X-Tapis-Token", token), 200, ""},
		"Nobody":         {"/v3/pods/web/auth", forwarded(), 302, s.api + "/v3/oauth2/authorize?"},
		"OtherHost":      {"/v3/pods/web/auth", forwarded("X-Tapis-Token", token, "X-Forwarded-Host", "db.pods.localhost"), 403, ""},
		"HostBelow":      {"/v3/pods/web/auth", forwarded("X-Tapis-Token", token, "X-Forwarded-Host", "web.pods.localhost.evil.example"), 403, ""},
		"TwoHosts":       {"/v3/pods/web/auth", forwarded("X-Tapis-Token", token, "X-Forwarded-Host", "web.pods.localhost, evil.example"), 403, ""},
		"NoProxy":        {"/v3/pods/web/auth", http.Header{"X-Tapis-Token": {token}}, 403, ""},
		"BadToken":       {"/v3/pods/web/auth", forwarded("X-Tapis-Token", "junk", "Sec-Fetch-Mode", "cors"), 403, ""},
		"Plain":          {"/v3/pods/web/auth", forwarded("X-Forwarded-Proto", "http"), 308, "https://web.pods.localhost/page"},
		"Logout":         {"/v3/pods/web/auth", forwarded("X-Forwarded-Uri", "/.pods/logout", "Sec-Fetch-Site", "none"), 401, ""},
		"BadTicket":      {"/v3/pods/web/auth", forwarded("X-Forwarded-Uri", "/.pods/login?ticket=x"), 400, ""},
		"NoPod":          {"/v3/pods/none/auth", forwarded(), 404, ""},
		"NoKey":          {"/v3/pods/web-none/auth", forwarded(), 404, ""},
		"NoState":        {"/v3/pods/web/auth/login", nil, 400, ""},
		"CallbackNoCode": {"/v3/pods/web/auth/callback", nil, 400, ""},
	}
	for name, tc := range tests {
		got := ask(tc.path, tc.header)
		if to := got.Header.Get("Location"); got.StatusCode != tc.status || !strings.HasPrefix(to, tc.to) {
			t.Errorf("%s: %d to %q, want %d to %q", name, got.StatusCode, to, tc.status, tc.to)
		}
	}

	// A whole login by way of a proxy: the nonce and the session are cookies of
	// the pod's host, which the proxy passes on.
	first := ask("/v3/pods/web/auth", forwarded())
	browser := s.visitor()
	browser.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	follow := func(address string) *url.URL {
		t.Helper()
		answer, err := browser.client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		next, err := answer.Location()
		if err != nil {
			t.Fatalf("%s answers %d", address, answer.StatusCode)
		}
		return next
	}
	back := follow(follow(first.Header.Get("Location")).String())
	if back.Host != "web.pods.localhost:8443" {
		t.Fatalf("the callback leads to %s", back)
	}
	nonce, _, _ := strings.Cut(first.Header.Get("Set-Cookie"), ";")
	opened := ask("/v3/pods/web/auth", forwarded("X-Forwarded-Uri", back.RequestURI(), "Cookie", nonce))
	if opened.StatusCode != 302 || opened.Header.Get("Location") != "https://web.pods.localhost:8443/page" {
		t.Fatalf("the ticket: %d to %q", opened.StatusCode, opened.Header.Get("Location"))
	}
	session, _, _ := strings.Cut(opened.Header.Get("Set-Cookie"), ";")
	if again := ask("/v3/pods/web/auth", forwarded("Cookie", session)); again.StatusCode != 200 || again.Header.Get("X-User") != "alice" || again.Header.Get("Cookie") != "" {
		t.Errorf("with the session: %d %v", again.StatusCode, again.Header)
	}
}
