package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
)

// provider is an OpenID Connect provider whose keys a test sets.
type provider struct {
	*httptest.Server
	issuer atomic.Value // of string
	keys   atomic.Value // of []any
	down   atomic.Bool
	asked  atomic.Int64
}

func newProvider(t *testing.T, keys ...jose.JSONWebKey) *provider {
	t.Helper()
	p := &provider{}
	p.setKeys(keys...)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /realm/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		if p.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": p.issuer.Load(), "jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": p.keys.Load()})
	})
	p.Server = httptest.NewServer(mux)
	p.issuer.Store(p.URL + "/realm")
	t.Cleanup(p.Close)
	return p
}

func (p *provider) setKeys(keys ...jose.JSONWebKey) {
	list := []any{}
	for _, key := range keys {
		list = append(list, key)
	}
	p.keys.Store(list)
}

// tenants returns tenantList with dev2's tokens from p.
func (p *provider) tenants() auth.Source {
	list := provided()
	list[1].Issuer, list[1].Keys = p.URL+"/realm", nil
	return auth.NewProviderKeys(auth.StaticSource(list), nil, slog.New(slog.DiscardHandler))
}

func (p *provider) token(t *testing.T, keyID string, key any) string {
	t.Helper()
	claims := providerClaims(map[string]any{"iss": p.URL + "/realm", "exp": start.Add(24 * time.Hour).Unix()})
	return sign(t, claims, key, jwt.SigningMethodRS256, map[string]any{"kid": keyID})
}

// TestProviderRotation drives the keys of a provider through a rotation with
// both keys, the end of the old one, and an outage.
func TestProviderRotation(t *testing.T) {
	t.Parallel()

	first := jose.JSONWebKey{KeyID: "1", Key: &devKey().PublicKey, Algorithm: "RS256", Use: "sig"}
	second := jose.JSONWebKey{KeyID: "2", Key: &otherKey().PublicKey}
	p := newProvider(t, first)
	clock := newClock()
	authenticator := newAuthenticator(t, p.tenants(), clock)
	verify := func(token, want string, asked int64) {
		t.Helper()
		_, err := authenticator.Verify(t.Context(), token)
		checkMessage(t, err, pods.KindUnauthenticated, want)
		if got := p.asked.Load(); got != asked {
			t.Errorf("the provider was asked %d times, want %d", got, asked)
		}
	}
	old, young, forged := p.token(t, "1", devKey()), p.token(t, "2", otherKey()), p.token(t, "3", otherKey())

	verify(old, "", 1)
	p.setKeys(first, second)
	verify(young, invalid, 1) // within the interval
	clock.Advance(90 * time.Second)
	verify(young, "", 2)
	verify(old, "", 2)
	clock.Advance(90 * time.Second)
	verify(forged, invalid, 3)
	verify(forged, invalid, 3) // once per interval
	p.setKeys(second)
	clock.Advance(15 * time.Minute)
	verify(old, invalid, 4)
	p.down.Store(true)
	clock.Advance(15 * time.Minute)
	verify(young, "", 5) // the last good key is kept
}

// TestProviderThatIsDown harms its own tenant alone, until it is back.
func TestProviderThatIsDown(t *testing.T) {
	t.Parallel()

	p := newProvider(t, jose.JSONWebKey{KeyID: "1", Key: &otherKey().PublicKey})
	p.down.Store(true)
	clock := newClock()
	authenticator := newAuthenticator(t, p.tenants(), clock)
	_, err := authenticator.Verify(t.Context(), sign(t, userClaims(nil), nil, jwt.SigningMethodRS256, nil))
	checkMessage(t, err, "", "")
	token := p.token(t, "1", otherKey())
	_, err = authenticator.Verify(t.Context(), token)
	checkMessage(t, err, pods.KindUnauthenticated, invalid)
	p.down.Store(false)
	clock.Advance(90 * time.Second)
	_, err = authenticator.Verify(t.Context(), token)
	checkMessage(t, err, "", "")
}

// TestKeysOfOtherKinds: a provider's keys of kinds that are not known here do
// not keep the others from counting.
func TestKeysOfOtherKinds(t *testing.T) {
	t.Parallel()

	p := newProvider(t)
	p.keys.Store([]any{
		map[string]any{"kty": "AKP", "alg": "ML-DSA-65", "kid": "0", "pub": "AA"},
		map[string]any{"kty": "EC", "crv": "secp256k1", "kid": "1", "x": "AA", "y": "AA"},
		map[string]any{"kty": "OKP", "crv": "X25519", "kid": "2", "x": "AA"},
		jose.JSONWebKey{KeyID: "3", Key: &otherKey().PublicKey},
	})
	list, err := p.tenants().Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(list[1].Keys) != 1 || list[1].Keys[0].ID != "3" {
		t.Errorf("keys %v, want the one that is usable", list[1].Keys)
	}
}

func TestProviderKeysThatDoNotCount(t *testing.T) {
	t.Parallel()

	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		key    jose.JSONWebKey
		issuer string // claimed by the provider; empty: the right one
	}{
		"ForEncryption":  {key: jose.JSONWebKey{KeyID: "1", Key: &otherKey().PublicKey, Use: "enc"}},
		"OtherAlgorithm": {key: jose.JSONWebKey{KeyID: "1", Key: &otherKey().PublicKey, Algorithm: "PS256"}},
		"Elliptic":       {key: jose.JSONWebKey{KeyID: "1", Key: &elliptic.PublicKey}},
		"Weak":           {key: jose.JSONWebKey{KeyID: "1", Key: &weakKey().PublicKey}},
		"Symmetric":      {key: jose.JSONWebKey{KeyID: "1", Key: []byte("a secret that everybody knows...")}},
		"OtherIssuer":    {key: jose.JSONWebKey{KeyID: "1", Key: &otherKey().PublicKey}, issuer: "https://elsewhere.example.org"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p := newProvider(t, tc.key)
			if tc.issuer != "" {
				p.issuer.Store(tc.issuer)
			}
			list, err := p.tenants().Tenants(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(list[1].Keys) != 0 {
				t.Errorf("keys %v count", list[1].Keys)
			}
		})
	}
}
