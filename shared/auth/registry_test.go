package auth_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
)

// changingSource is a Source whose answer a test sets.
type changingSource struct {
	mu    sync.Mutex
	list  []auth.Tenant
	err   error
	loads int
}

func (s *changingSource) Tenants(ctx context.Context) ([]auth.Tenant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	if _, ok := ctx.Deadline(); !ok {
		return nil, errors.New("load has no deadline")
	}
	return s.list, s.err
}

func (s *changingSource) set(list []auth.Tenant, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list, s.err = list, err
}

func (s *changingSource) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads
}

// rotated returns the tenants with dev's key replaced by another one.
func rotated(id string) []auth.Tenant {
	list := tenantList()
	list[0].Keys = []auth.Key{{ID: id, PublicKey: &otherKey().PublicKey}}
	return list
}

func TestRotatedKeyIsFetched(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		newID  string
		header map[string]any
	}{
		"NewKeyID":  {"dev-2", map[string]any{"kid": "dev-2"}},
		"SameKeyID": {"dev-1", map[string]any{"kid": "dev-1"}},
		"NoKeyID":   {"", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			clock, source := newClock(), &changingSource{list: tenantList()}
			authenticator := newAuthenticator(t, source, clock)
			source.set(rotated(tc.newID), nil)
			token := sign(t, userClaims(nil), otherKey(), jwt.SigningMethodRS256, tc.header)

			clock.Advance(89 * time.Second)
			_, err := authenticator.Verify(t.Context(), token)
			checkMessage(t, err, pods.KindUnauthenticated, invalid)
			if got := source.count(); got != 1 {
				t.Errorf("%d loads within the interval, want 1", got)
			}
			clock.Advance(time.Second)
			_, err = authenticator.Verify(t.Context(), token)
			checkMessage(t, err, "", "")
		})
	}
}

func TestNewTenantIsFetched(t *testing.T) {
	t.Parallel()

	clock, source := newClock(), &changingSource{list: tenantList()[1:]}
	authenticator := newAuthenticator(t, source, clock)
	source.set(tenantList(), nil)
	token := sign(t, userClaims(nil), nil, jwt.SigningMethodRS256, nil)

	_, err := authenticator.Verify(t.Context(), token)
	checkMessage(t, err, pods.KindUnauthenticated, unknownTenant)
	clock.Advance(90 * time.Second)
	_, err = authenticator.Verify(t.Context(), token)
	checkMessage(t, err, "", "")
}

// TestForgedTokensDoNotReload covers tokens that newer keys cannot make good,
// and many that they could.
func TestForgedTokensDoNotReload(t *testing.T) {
	t.Parallel()

	clock, source := newClock(), &changingSource{list: tenantList()}
	authenticator := newAuthenticator(t, source, clock)
	clock.Advance(10 * time.Minute)
	for _, token := range []string{
		"x.y.z",
		sign(t, userClaims(map[string]any{"exp": start.Unix()}), nil, jwt.SigningMethodRS256, nil),
		sign(t, userClaims(nil), nil, jwt.SigningMethodRS512, nil),
	} {
		if _, err := authenticator.Verify(t.Context(), token); err == nil {
			t.Error("a bad token was accepted")
		}
	}
	if got := source.count(); got != 1 {
		t.Errorf("%d loads for tokens that no key makes good, want 1", got)
	}

	forged := sign(t, userClaims(nil), otherKey(), jwt.SigningMethodRS256, nil)
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if _, err := authenticator.Verify(context.Background(), forged); err == nil {
				t.Error("a forged token was accepted")
			}
		})
	}
	callers.Wait()
	if got := source.count(); got != 2 {
		t.Errorf("%d loads after 20 forged tokens at once, want 2", got)
	}
}

func TestWithdrawnKeyIsForgotten(t *testing.T) {
	t.Parallel()

	clock, source := newClock(), &changingSource{list: tenantList()}
	authenticator := newAuthenticator(t, source, clock)
	token := sign(t, userClaims(nil), nil, jwt.SigningMethodRS256, nil)
	for range 2 { // the second time from memory
		_, err := authenticator.Verify(t.Context(), token)
		checkMessage(t, err, "", "")
	}
	source.set(rotated("dev-2"), nil)
	clock.Advance(15 * time.Minute)
	_, err := authenticator.Verify(t.Context(), token)
	checkMessage(t, err, pods.KindUnauthenticated, invalid)
}

func TestLastGoodTenantsAreKept(t *testing.T) {
	t.Parallel()

	broken := tenantList()
	broken[1].Keys = nil
	tests := map[string]struct {
		list []auth.Tenant
		err  error
	}{
		"SourceDown":   {nil, errors.New("connection refused")},
		"EmptyList":    {nil, nil},
		"BrokenTenant": {broken, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			clock, source := newClock(), &changingSource{list: tenantList()}
			authenticator := newAuthenticator(t, source, clock)
			source.set(tc.list, tc.err)
			for range 3 {
				clock.Advance(16 * time.Minute)
				_, err := authenticator.Verify(t.Context(), sign(t, userClaims(nil), nil, jwt.SigningMethodRS256, nil))
				checkMessage(t, err, "", "")
			}
			if got := source.count(); got != 4 {
				t.Errorf("%d loads, want one per MaxAge", got)
			}
		})
	}
}

func TestRequestThatHangsUpDoesNotSpoilTheReload(t *testing.T) {
	t.Parallel()

	clock := newClock()
	source := auth.SourceFunc(func(ctx context.Context) ([]auth.Tenant, error) {
		if clock.Now().Equal(start) {
			return rotated("dev-1"), nil
		}
		return tenantList(), ctx.Err()
	})
	authenticator := newAuthenticator(t, source, clock)
	clock.Advance(2 * time.Minute)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	token := sign(t, userClaims(nil), nil, jwt.SigningMethodRS256, nil)
	_, _ = authenticator.Verify(gone, token) // may or may not have waited for the reload
	_, err := authenticator.Verify(t.Context(), token)
	checkMessage(t, err, "", "")
}

func TestNewRegistryRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		change func([]auth.Tenant) []auth.Tenant
		want   string
	}{
		"None":       {func([]auth.Tenant) []auth.Tenant { return nil }, "no tenants"},
		"BadID":      {func(l []auth.Tenant) []auth.Tenant { l[0].ID = "Dev"; return l }, "must start with a letter"},
		"NoSite":     {func(l []auth.Tenant) []auth.Tenant { l[0].SiteID = ""; return l }, "has no site"},
		"NoBaseURL":  {func(l []auth.Tenant) []auth.Tenant { l[0].BaseURL = ""; return l }, "not an http or https address"},
		"BadAddress": {func(l []auth.Tenant) []auth.Tenant { l[0].AlternateURLs = []string{"ftp://x"}; return l }, "not an http or https address"},
		"NoKey":      {func(l []auth.Tenant) []auth.Tenant { l[0].Keys = nil; return l }, "has 0 public keys"},
		"ManyKeys":   {func(l []auth.Tenant) []auth.Tenant { l[0].Keys = make([]auth.Key, 9); return l }, "has 9 public keys"},
		"NilKey":     {func(l []auth.Tenant) []auth.Tenant { l[0].Keys[0].PublicKey = nil; return l }, "not for RS256"},
		"WeakKey":    {func(l []auth.Tenant) []auth.Tenant { l[0].Keys[0].PublicKey = &weakKey().PublicKey; return l }, "fewer than 2048 bits"},
		"KeyOfOther": {func(l []auth.Tenant) []auth.Tenant { l[0].Tokens.Algorithm = "ES256"; return l }, "not for ES256"},
		"Symmetric":  {func(l []auth.Tenant) []auth.Tenant { l[0].Tokens.Algorithm = "HS256"; return l }, `algorithm "HS256" is none of`},
		"AlgNone":    {func(l []auth.Tenant) []auth.Tenant { l[0].Tokens.Algorithm = "none"; return l }, `algorithm "none" is none of`},
		"HalfAdmin":  {func(l []auth.Tenant) []auth.Tenant { l[0].Tokens.AdminClaim = "roles"; return l }, "need each other"},
		"NoAudience": {func(l []auth.Tenant) []auth.Tenant { l[0].Tokens.UsernameClaim = "email"; return l }, "need an audience"},
		"NoIssuer":   {func(l []auth.Tenant) []auth.Tenant { l[0].Tokens.Audience = "pods"; return l }, "needs an issuer"},
		"SameIssuer": {func(l []auth.Tenant) []auth.Tenant {
			l[0].Issuer, l[0].Tokens.Audience, l[1].Tokens.Audience = l[1].Issuer, "pods", "pods"
			return l
		}, "both have the issuer"},
		"SameID":      {func(l []auth.Tenant) []auth.Tenant { l[1].ID = "dev"; return l }, "there twice"},
		"SameAddress": {func(l []auth.Tenant) []auth.Tenant { l[1].AlternateURLs = []string{"http://LOCALHOST:8080/"}; return l }, "both claim localhost:8080"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := auth.NewRegistry(t.Context(), auth.StaticSource(tc.change(tenantList())), auth.RegistryOptions{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestTenantByHost(t *testing.T) {
	t.Parallel()

	list := tenantList()
	list[2].AlternateURLs = []string{"http://[::1]:8080", "http://away.example.org:8081/api"}
	registry := newRegistry(t, auth.StaticSource(list), newClock())
	tests := map[string]string{
		"localhost:8080":        "dev",
		"LOCALHOST:8080":        "dev",
		"localhost.:8080":       "dev",
		"dev.localhost:8080":    "dev",
		"dev2.example.org":      "dev2",
		"dev2.example.org:443":  "dev2",
		"dev2.example.org:80":   "dev2",
		"dev2.example.org.":     "dev2",
		"[::1]:8080":            "away",
		"away.example.org:8081": "away",
		"away.example.org":      "away",
		"localhost":             "",
		"localhost:80":          "",
		"localhost:18080":       "",
		"xlocalhost:8080":       "",
		"127.0.0.1:8080":        "",
		"[::1]":                 "",
		"":                      "",
	}
	for host, want := range tests {
		t.Run(host, func(t *testing.T) {
			t.Parallel()

			got, found := registry.TenantByHost(host)
			if got.ID != want || found != (want != "") {
				t.Errorf("TenantByHost(%q) = %q, %t; want %q", host, got.ID, found, want)
			}
		})
	}
}

func TestFileSource(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "tenants.json")
	publicKey := publicPEM(t, &devKey().PublicKey)
	write(t, path, map[string]any{"tenants": []any{map[string]any{
		"tenant_id": "dev", "site_id": "here", "base_url": "http://localhost:8080",
		"alternate_urls": []string{"http://dev.localhost:8080"}, "pods_domain": "pods.localhost",
		"issuer": "http://localhost:8080/v3/tokens", "public_key": publicKey,
		"keys":                  map[string]string{"next": publicPEM(t, &otherKey().PublicKey)},
		"issues_service_tokens": true,
	}}})
	clock := newClock()
	registry := newRegistry(t, auth.FileSource(path), clock)
	tenant, found := registry.Tenant("dev")
	if !found || !tenant.IssuesServiceTokens || len(tenant.Keys) != 2 {
		t.Fatalf("tenant dev = %+v, %t", tenant, found)
	}
	want := pods.Tenant{ID: "dev", SiteID: "here", PodsDomain: "pods.localhost"}
	if diff := cmp.Diff(want, tenant.Tenant); diff != "" {
		t.Errorf("tenant (-want +got):\n%s", diff)
	}
	authenticator := auth.NewAuthenticator(registry, "here")
	_, err := authenticator.Verify(t.Context(), sign(t, userClaims(nil), nil, jwt.SigningMethodRS256, nil))
	checkMessage(t, err, "", "")
	_, err = authenticator.Verify(t.Context(), sign(t, userClaims(nil), otherKey(), jwt.SigningMethodRS256, map[string]any{"kid": "next"}))
	checkMessage(t, err, "", "")
}

func TestFileSourceRefuses(t *testing.T) {
	t.Parallel()

	entry := func(name string, value any) any {
		return map[string]any{"tenants": []any{map[string]any{
			"tenant_id": "dev", "site_id": "here", "base_url": "http://localhost:8080", name: value,
		}}}
	}
	tests := map[string]struct {
		content any
		want    string
	}{
		"NotJSON":     {"tenants: []", "parse tenants file"},
		"UnknownKey":  {entry("publickey", "x"), "unknown field"},
		"NotPEM":      {entry("public_key", "MIIB"), "not PEM"},
		"NotAKey":     {entry("public_key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), "parse public key"},
		"KeyWithout":  {entry("keys", map[string]string{"": publicPEM(t, &devKey().PublicKey)}), "has no ID"},
		"TooLarge":    {`"` + strings.Repeat("x", 1<<20) + `"`, "more than"},
		"TextAfter":   {`{"tenants": []} {}`, "text after"},
		"NoSuchThing": {nil, "open tenants file"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "tenants.json")
			if tc.content != nil {
				write(t, path, tc.content)
			}
			_, err := auth.FileSource(path).Tenants(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestParsePublicKeyPKCS1(t *testing.T) {
	t.Parallel()

	want := &devKey().PublicKey
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(want)})
	got, err := auth.ParsePublicKey(string(text))
	if err != nil || !want.Equal(got) {
		t.Errorf("ParsePublicKey = %v, %v", got, err)
	}
}

func publicPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// write stores content at path: text as it is, anything else as JSON.
func write(t *testing.T, path string, content any) {
	t.Helper()
	text, isText := content.(string)
	if !isText {
		encoded, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		text = string(encoded)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
