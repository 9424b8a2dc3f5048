package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/oauth"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest/oauthtest"
)

const verifier = "a-verifier-that-nobody-guesses-0123456789abc"

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// site is a tenant that runs, and a client of it.
type site struct {
	tenant *oauthtest.Tenant
	client login.Client
	url    string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{tenant: oauthtest.New(t, func(user string) string { return "token-of-" + user })}
	running := httptest.NewServer(s.tenant)
	t.Cleanup(running.Close)
	s.url = running.URL
	s.client = login.Client{
		Tenant: auth.Tenant{Tenant: pods.Tenant{ID: "dev", SiteID: "site"}, BaseURL: s.url + "/"},
		ID:     "PODS-SERVICE-pods-site-dev-web-default", Name: "Pod web", Callback: s.url + "/v3/pods/web/auth/callback",
	}
	return s
}

func (s *site) provider(change ...func(*oauth.Options)) *oauth.Provider {
	options := oauth.Options{
		LoginKey: [login.KeySize]byte{1}, ServiceName: oauthtest.ServiceName, ServiceKey: oauthtest.ServiceKey,
		ServiceTenant: func(string) (auth.Tenant, bool) {
			return auth.Tenant{Tenant: pods.Tenant{ID: "admin"}, BaseURL: s.url}, true
		},
	}
	for _, c := range change {
		c(&options)
	}
	return oauth.New(options)
}

// code logs in at the tenant and returns the code.
func (s *site) code(t *testing.T, p *oauth.Provider) string {
	t.Helper()
	address, err := p.AuthorizeURL(t.Context(), s.client, "the-state", challenge())
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	back, err := response.Location()
	if err != nil || !strings.HasPrefix(back.String(), s.client.Callback+"?") || back.Query().Get("state") != "the-state" {
		body, _ := io.ReadAll(response.Body)
		t.Fatalf("%s leads to %v: %s", address, back, body)
	}
	return back.Query().Get("code")
}

func TestLogin(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	p := s.provider()
	for range 3 {
		token, err := p.Exchange(t.Context(), s.client, s.code(t, p), verifier)
		if err != nil || token != "token-of-alice" {
			t.Errorf("token %q, %v", token, err)
		}
	}
	if posts, tokens := s.tenant.Count("POST /v3/oauth2/clients"), s.tenant.Count("POST /v3/tokens"); posts != 1 || tokens != 1 {
		t.Errorf("%d registrations and %d service tokens for three logins", posts, tokens)
	}
	known := s.tenant.Client(s.client.ID)
	if known.Callback != s.client.Callback || known.Name != "Pod web" || len(known.Key) != 64 {
		t.Errorf("registered %+v", known)
	}

	// Another instance finds the client there, and has the same key.
	other := s.provider()
	if token, err := other.Exchange(t.Context(), s.client, s.code(t, other), verifier); err != nil || token != "token-of-alice" {
		t.Errorf("another instance: %q, %v", token, err)
	}
	if s.tenant.Count("PUT /v3/oauth2/clients/"+s.client.ID) != 1 {
		t.Error("the client was not brought up to date")
	}
}

// TestCallbackHasMoved: a client that is there with another callback gets the
// one that is right now.
func TestCallbackHasMoved(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	p := s.provider()
	s.code(t, p)
	s.client.Callback = s.url + "/elsewhere"
	s.code(t, p)
}

// TestTenantForgets: a service token that no longer counts is replaced, and a
// client that is gone comes back once a login has failed.
func TestTenantForgets(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	p := s.provider()
	code := s.code(t, p)
	s.tenant.Forget()
	if _, err := p.Exchange(t.Context(), s.client, code, verifier); err == nil {
		t.Error("a forgotten client has logged in")
	}
	if _, err := p.Exchange(t.Context(), s.client, s.code(t, p), verifier); err != nil {
		t.Errorf("after the tenant had forgotten: %v", err)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		change func(*oauth.Options)
		fail   string // path
		text   string
	}{
		"NoKey":    {func(o *oauth.Options) { o.ServiceKey = "" }, "", "PODS_SERVICE_KEY_FILE"},
		"WrongKey": {func(o *oauth.Options) { o.ServiceKey = "other" }, "", "Invalid service credentials"},
		"NoServiceTenant": {func(o *oauth.Options) {
			o.ServiceTenant = func(string) (auth.Tenant, bool) { return auth.Tenant{}, false }
		}, "", "no tenant issues"},
		"TokensFail":       {nil, "/v3/tokens", "status 500"},
		"RegistrationFail": {nil, "/v3/oauth2/clients", "status 500"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newSite(t)
			s.tenant.Fail(tc.fail, 500)
			if tc.change == nil {
				tc.change = func(*oauth.Options) {}
			}
			_, err := s.provider(tc.change).AuthorizeURL(t.Context(), s.client, "state", challenge())
			if err == nil || !strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), oauthtest.ServiceKey) {
				t.Errorf("got %v, want %q", err, tc.text)
			}
		})
	}
}

// TestExchangeFailures: nothing secret is in the error.
func TestExchangeFailures(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	p := s.provider()
	code := s.code(t, p)
	// In this order: the first uses the code.
	for _, try := range []struct {
		name     string
		verifier string
		status   int // of the tenant; 0 means that it works
	}{{"OtherVerifier", "other", 0}, {"UsedCode", verifier, 0}, {"Down", verifier, 503}} {
		if try.status != 0 {
			s.tenant.Fail("/v3/oauth2/tokens", try.status)
		}
		_, err := p.Exchange(t.Context(), s.client, code, try.verifier)
		if err == nil || strings.Contains(err.Error(), verifier) || strings.Contains(err.Error(), s.tenant.Client(s.client.ID).Key) {
			t.Errorf("%s: %v", try.name, err)
		}
	}
}

// TestRedirectIsNotFollowed: what proves the service goes to the tenant alone.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	running := httptest.NewServer(http.RedirectHandler(s.url+"/v3/tokens", http.StatusTemporaryRedirect))
	t.Cleanup(running.Close)
	p := s.provider(func(o *oauth.Options) {
		o.ServiceTenant = func(string) (auth.Tenant, bool) { return auth.Tenant{BaseURL: running.URL}, true }
	})
	if _, err := p.AuthorizeURL(t.Context(), s.client, "state", challenge()); err == nil || s.tenant.Count("POST /v3/tokens") != 0 {
		t.Errorf("a redirect was followed: %v", err)
	}
}

// TestOpenIDConnect: a tenant with a provider needs a configured client, and
// says itself where its login is.
func TestOpenIDConnect(t *testing.T) {
	t.Parallel()

	issuer := ""
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			_, _ = io.WriteString(w, `{"issuer":"`+issuer+`","authorization_endpoint":"`+issuer+`/auth?kind=a","token_endpoint":"`+issuer+`/token"}`)
		case "/token":
			if id, secret, _ := r.BasicAuth(); id != "our-client" || secret != "our-secret" || r.FormValue("code_verifier") != verifier {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, `{"access_token":"opaque","id_token":"the-id-token"}`)
		}
	}))
	t.Cleanup(running.Close)
	issuer = running.URL
	s := newSite(t)
	s.client.Tenant.Issuer, s.client.Tenant.Tokens = issuer, auth.TokenRules{Audience: "our-client"}
	if _, err := s.provider().AuthorizeURL(t.Context(), s.client, "state", challenge()); err == nil || !strings.Contains(err.Error(), "configure one") {
		t.Errorf("without a client: %v", err)
	}
	p := s.provider(func(o *oauth.Options) {
		o.Clients = map[string]oauth.Credentials{"dev": {ID: "our-client", Secret: "our-secret"}}
	})
	address, err := p.AuthorizeURL(t.Context(), s.client, "state", challenge())
	if err != nil {
		t.Fatal(err)
	}
	parsed, _ := url.Parse(address)
	if q := parsed.Query(); q.Get("kind") != "a" || q.Get("client_id") != "our-client" || q.Get("scope") != "openid profile" || q.Get("state") != "state" {
		t.Errorf("log in at %s", address)
	}
	if token, err := p.Exchange(t.Context(), s.client, "code", verifier); err != nil || token != "the-id-token" {
		t.Errorf("token %q, %v", token, err)
	}
}

// TestServiceTokenIsRenewed: a token is used for nine tenths of its life.
func TestServiceTokenIsRenewed(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	now := time.Unix(1_800_000_000, 0)
	p := s.provider(func(o *oauth.Options) { o.Now = func() time.Time { return now } })
	s.code(t, p)
	now = now.Add(22 * time.Hour)
	s.client.ID += "2"
	s.code(t, p)
	if got := s.tenant.Count("POST /v3/tokens"); got != 2 {
		t.Errorf("%d service tokens, want a second one", got)
	}
}
