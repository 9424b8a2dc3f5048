package auth_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
)

// platform is a tenants service whose tenants a test sets.
type platform struct {
	*httptest.Server
	tenants atomic.Value // of []map[string]any
	down    atomic.Bool
	asked   atomic.Int64
}

func newPlatform(t *testing.T, tenants ...map[string]any) *platform {
	t.Helper()
	p := &platform{}
	p.tenants.Store(tenants)
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, result any) {
		if p.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"result": result, "status": "success"})
	}
	mux.HandleFunc("GET /v3/sites", func(w http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		answer(w, []map[string]any{
			{"site_id": "here", "site_admin_tenant_id": "admin"}, {"site_id": "there", "site_admin_tenant_id": "dev"},
		})
	})
	mux.HandleFunc("GET /v3/tenants", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, p.tenants.Load())
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *platform) source() auth.ServiceSource {
	return auth.ServiceSource{BaseURL: p.URL + "/", Domain: "pods.${host}", Logger: slog.New(slog.DiscardHandler)}
}

func platformTenant(t *testing.T, id string, changes map[string]any) map[string]any {
	t.Helper()
	return changed(jwt.MapClaims{
		"tenant_id": id, "site_id": "here", "base_url": "https://" + id + ".example.org", "status": "ACTIVE",
		"token_service": "https://" + id + ".example.org/v3/tokens", "public_key": publicPEM(t, &devKey().PublicKey),
		"owner": "somebody", "description": nil,
	}, changes)
}

func TestServiceSource(t *testing.T) {
	t.Parallel()

	p := newPlatform(t, platformTenant(t, "dev", nil), platformTenant(t, "admin", nil),
		platformTenant(t, "old", map[string]any{"status": "INACTIVE"}),
		platformTenant(t, "keyless", map[string]any{"public_key": nil}),
		platformTenant(t, "Odd", nil),
		platformTenant(t, "thief", map[string]any{"base_url": "https://dev.example.org"}),
	)
	source := p.source()
	source.Tokens = auth.TokenRules{AdminClaim: "roles", AdminRole: "root"}
	got, err := source.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tenant := func(id string) auth.Tenant {
		return auth.Tenant{
			Tenant:  pods.Tenant{ID: id, SiteID: "here", PodsDomain: "pods." + id + ".example.org"},
			BaseURL: "https://" + id + ".example.org", Issuer: "https://" + id + ".example.org/v3/tokens",
			Keys: []auth.Key{{PublicKey: &devKey().PublicKey}}, Tokens: source.Tokens,
		}
	}
	admin := tenant("admin")
	admin.IssuesServiceTokens = true // and not dev, which issues those of another site
	if diff := cmp.Diff([]auth.Tenant{tenant("dev"), admin}, got); diff != "" {
		t.Errorf("tenants (-want +got):\n%s", diff)
	}
}

// TestServiceSourceRotation drives a registry through a new key, a service that
// is down, and its return.
func TestServiceSourceRotation(t *testing.T) {
	t.Parallel()

	p := newPlatform(t, platformTenant(t, "dev", nil))
	clock := newClock()
	authenticator := newAuthenticator(t, p.source(), clock)
	claims := userClaims(map[string]any{"iss": "https://dev.example.org/v3/tokens", "exp": start.Add(24 * time.Hour).Unix()})
	old := sign(t, claims, devKey(), jwt.SigningMethodRS256, nil)
	rotated := sign(t, claims, otherKey(), jwt.SigningMethodRS256, nil)
	verify := func(token, want string, asked int64) {
		t.Helper()
		_, err := authenticator.Verify(t.Context(), token)
		checkMessage(t, err, pods.KindUnauthenticated, want)
		if got := p.asked.Load(); got != asked {
			t.Errorf("the service was asked %d times, want %d", got, asked)
		}
	}
	verify(old, "", 1)
	p.tenants.Store([]map[string]any{platformTenant(t, "dev", map[string]any{"public_key": publicPEM(t, &otherKey().PublicKey)})})
	verify(rotated, invalid, 1) // within the interval
	clock.Advance(90 * time.Second)
	verify(rotated, "", 2)
	verify(old, invalid, 2) // its key is gone
	p.down.Store(true)
	clock.Advance(time.Hour)
	verify(rotated, "", 3) // the last good key is kept
	verify(old, invalid, 3)
}

func TestServiceSourceFails(t *testing.T) {
	t.Parallel()

	for name, body := range map[string]string{
		"NotJSON": "<html>", "TooLarge": `{"result": [], "x": "` + strings.Repeat("x", 4<<20) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
			t.Cleanup(server.Close)
			if list, err := (auth.ServiceSource{BaseURL: server.URL}).Tenants(t.Context()); err == nil {
				t.Errorf("tenants %v from nonsense", list)
			}
		})
	}
}

// TestNoWayBackFromHTTPS: keys are not fetched in the clear where https was
// asked for.
func TestNoWayBackFromHTTPS(t *testing.T) {
	t.Parallel()

	plain := newPlatform(t, platformTenant(t, "dev", nil))
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL+"/v3/tenants", http.StatusFound))
	t.Cleanup(secure.Close)
	client := *auth.FetchClient
	client.Transport = secure.Client().Transport
	_, err := auth.ServiceSource{BaseURL: secure.URL, Client: &client}.Tenants(t.Context())
	if err == nil || !strings.Contains(err.Error(), "redirected from https to http") {
		t.Errorf("error %v", err)
	}
}
