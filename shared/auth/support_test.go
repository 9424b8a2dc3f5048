package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
)

// start is when every test begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that only moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Making RSA keys is slow, so all tests share three.
var (
	devKey   = sync.OnceValue(func() *rsa.PrivateKey { return mustKey(2048) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return mustKey(2048) })
	weakKey  = sync.OnceValue(func() *rsa.PrivateKey { return mustKey(1024) })
)

func mustKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// tenantList returns tenants dev and dev2 of site "here" and "away" of another.
func tenantList() []auth.Tenant {
	return []auth.Tenant{
		{
			Tenant:              pods.Tenant{ID: "dev", SiteID: "here", PodsDomain: "pods.localhost"},
			BaseURL:             "http://localhost:8080",
			AlternateURLs:       []string{"http://dev.localhost:8080"},
			Keys:                []auth.Key{{ID: "dev-1", PublicKey: &devKey().PublicKey}},
			IssuesServiceTokens: true,
		},
		{
			Tenant:  pods.Tenant{ID: "dev2", SiteID: "here"},
			BaseURL: "https://Dev2.Example.org/",
			Issuer:  "https://login.example.org",
			Keys:    []auth.Key{{PublicKey: &otherKey().PublicKey}},
		},
		{
			Tenant:  pods.Tenant{ID: "away", SiteID: "there"},
			BaseURL: "https://away.example.org",
			Keys:    []auth.Key{{PublicKey: &otherKey().PublicKey}},
		},
	}
}

func newAuthenticator(t testing.TB, source auth.Source, c *clock) *auth.Authenticator {
	t.Helper()
	return auth.NewAuthenticator(newRegistry(t, source, c), "here")
}

func newRegistry(t testing.TB, source auth.Source, c *clock) *auth.Registry {
	t.Helper()
	registry, err := auth.NewRegistry(t.Context(), source, auth.RegistryOptions{
		Now: c.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatalf("NewRegistry: %v", err)
	}
	return registry
}

// userClaims returns the claims of an access token that dev issues to alice.
func userClaims(changes map[string]any) jwt.MapClaims {
	return changed(jwt.MapClaims{
		"jti": "1", "iss": "http://localhost:8080/v3/tokens", "sub": "alice@dev",
		"exp":              start.Add(4 * time.Hour).Unix(),
		"tapis/tenant_id":  "dev",
		"tapis/username":   "alice",
		"tapis/token_type": "access", "tapis/account_type": "user",
		"tapis/delegation": false, "tapis/delegation_sub": nil,
	}, changes)
}

func serviceClaims(changes map[string]any) jwt.MapClaims {
	return changed(userClaims(map[string]any{
		"sub": "files@dev", "tapis/username": "files",
		"tapis/account_type": "service", "tapis/target_site": "here",
	}), changes)
}

// changed sets each of changes in claims, and removes those that are the string
// "absent".
func changed(claims jwt.MapClaims, changes map[string]any) jwt.MapClaims {
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == "absent" })
	return claims
}

// sign returns a token. A nil key signs with dev's.
func sign(t testing.TB, claims jwt.Claims, key any, method jwt.SigningMethod, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	if key == nil {
		key = devKey()
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatalf("sign token: %v", err)
	}
	return text
}

func request(host string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/v3/pods", nil)
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}
