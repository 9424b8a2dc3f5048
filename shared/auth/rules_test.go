package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// provided returns tenantList with dev2's tokens from an OpenID Connect
// provider.
func provided() []auth.Tenant {
	list := tenantList()
	list[1].Tokens = auth.TokenRules{Audience: "pods", AdminClaim: "realm_access.roles", AdminRole: "pods_admin"}
	return list
}

// providerClaims are those of a token that dev2's provider issues to alice.
func providerClaims(changes map[string]any) jwt.MapClaims {
	return changed(jwt.MapClaims{
		"iss": "https://login.example.org", "sub": "0f4a", "aud": []string{"account", "pods"},
		"exp": start.Add(3600e9).Unix(), "preferred_username": "alice",
	}, changes)
}

// TestAlgorithmIsTheTenants signs by each algorithm for a tenant that has one
// of them.
func TestAlgorithmIsTheTenants(t *testing.T) {
	t.Parallel()

	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signers := map[string]crypto.Signer{
		"RS256": devKey(), "RS384": devKey(), "RS512": devKey(), "PS256": devKey(), "ES256": p256, "EdDSA": edwards,
	}
	for configured, key := range signers {
		list := tenantList()
		list[0].Tokens.Algorithm = configured
		list[0].Keys = []auth.Key{{PublicKey: key.Public()}}
		authenticator := newAuthenticator(t, auth.StaticSource(list), newClock())
		for used, signer := range signers {
			t.Run(configured+"/"+used, func(t *testing.T) {
				t.Parallel()

				want := invalid
				if used == configured {
					want = ""
				}
				token := sign(t, userClaims(nil), signer, jwt.GetSigningMethod(used), nil)
				_, err := authenticator.Verify(t.Context(), token)
				checkMessage(t, err, pods.KindUnauthenticated, want)
			})
		}
	}
}

func TestProviderTokens(t *testing.T) {
	t.Parallel()

	nested := func(roles any) map[string]any {
		return map[string]any{"realm_access": map[string]any{"roles": roles}}
	}
	alice := pods.Caller{TenantID: "dev2", SiteID: "here", Username: "alice"}
	admin := alice
	admin.SiteAdmin = true
	tests := map[string]struct {
		claims map[string]any
		want   pods.Caller
		text   string
	}{
		"Good":           {nil, alice, ""},
		"AudienceAlone":  {map[string]any{"aud": "pods"}, alice, ""},
		"Admin":          {nested([]string{"user", "pods_admin"}), admin, ""},
		"AdminAsText":    {nested("user pods_admin"), admin, ""},
		"OtherRole":      {nested([]string{"pods_admins"}), alice, ""},
		"RoleElsewhere":  {map[string]any{"roles": []string{"pods_admin"}}, alice, ""},
		"RoleNotInList":  {nested(map[string]any{"pods_admin": true}), alice, ""},
		"ClaimsService":  {map[string]any{"tapis/account_type": "service", "tapis/target_site": "here"}, alice, ""},
		"ClaimsTenant":   {map[string]any{"tapis/tenant_id": "dev", "tapis/username": "bob"}, alice, ""},
		"OtherAudience":  {map[string]any{"aud": "account"}, pods.Caller{}, invalid},
		"PartOfAudience": {map[string]any{"aud": "account pods"}, pods.Caller{}, invalid},
		"NoAudience":     {map[string]any{"aud": "absent"}, pods.Caller{}, invalid},
		"NoUsername":     {map[string]any{"preferred_username": "absent"}, pods.Caller{}, invalid},
		"OddUsername":    {map[string]any{"preferred_username": "alice:ADMIN"}, pods.Caller{}, invalid},
		"NumberAsName":   {map[string]any{"preferred_username": 7}, pods.Caller{}, invalid},
		"OtherIssuer":    {map[string]any{"iss": "https://login.example.org/"}, pods.Caller{}, unknownTenant},
		"AsPlatform":     {map[string]any{"iss": "absent", "tapis/tenant_id": "dev2"}, pods.Caller{}, unknownTenant},
		"Expired":        {map[string]any{"exp": start.Add(-60e9).Unix()}, pods.Caller{}, invalid},
	}
	authenticator := newAuthenticator(t, auth.StaticSource(provided()), newClock())
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			token := sign(t, providerClaims(tc.claims), otherKey(), jwt.SigningMethodRS256, nil)
			for range 2 { // new, and seen before
				got, err := authenticator.Authenticate(t.Context(), request("dev2.example.org", "X-Tapis-Token", token))
				checkMessage(t, err, pods.KindUnauthenticated, tc.text)
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("caller (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestRulesThatChange: a token seen before is read again by newer rules.
func TestRulesThatChange(t *testing.T) {
	t.Parallel()

	clock, source := newClock(), &changingSource{list: provided()}
	authenticator := newAuthenticator(t, source, clock)
	token := sign(t, providerClaims(map[string]any{
		"exp": start.Add(24 * 3600e9).Unix(), "realm_access": map[string]any{"roles": []string{"pods_admin"}},
	}), otherKey(), jwt.SigningMethodRS256, nil)
	for _, want := range []bool{true, false} {
		claims, err := authenticator.Verify(t.Context(), token)
		if err != nil || claims.SiteAdmin != want {
			t.Errorf("site admin %t, %v; want %t", claims.SiteAdmin, err, want)
		}
		list := provided()
		list[1].Tokens.AdminRole = "root"
		source.set(list, nil)
		clock.Advance(3600e9)
	}
}

// TestServiceIsNoAdmin: what a service's own token says is not its user's.
func TestServiceIsNoAdmin(t *testing.T) {
	t.Parallel()

	list := tenantList()
	list[0].Tokens.AdminClaim, list[0].Tokens.AdminRole = "tapis/roles", "pods_admin"
	authenticator := newAuthenticator(t, auth.StaticSource(list), newClock())
	roles := map[string]any{"tapis/roles": []string{"pods_admin"}}
	asUser := request("localhost:8080", "X-Tapis-Token", sign(t, userClaims(roles), nil, jwt.SigningMethodRS256, nil))
	asService := request("localhost:8080", "X-Tapis-Token", sign(t, serviceClaims(roles), nil, jwt.SigningMethodRS256, nil),
		"X-Tapis-Tenant", "dev", "X-Tapis-User", "carol")
	user, err := authenticator.Authenticate(t.Context(), asUser)
	if err != nil || permissions.Admins(nil).Check(user) != nil {
		t.Errorf("the user is no site admin: %+v, %v", user, err)
	}
	carol, err := authenticator.Authenticate(t.Context(), asService)
	if err != nil || permissions.Admins(nil).Check(carol) == nil {
		t.Errorf("carol is a site admin by a service's token: %+v, %v", carol, err)
	}
	if err := (permissions.Admins{"dev/carol": true}).Check(carol); err != nil {
		t.Errorf("carol is no site admin by her name: %v", err)
	}
}

// FuzzProviderClaims looks for claims that end in a caller who is not the one
// that the provider names.
func FuzzProviderClaims(f *testing.F) {
	f.Add(`{"iss":"https://login.example.org","aud":"pods","exp":4102444800,"preferred_username":"alice"}`)
	f.Add(`{"iss":"https://login.example.org","aud":["pods",7],"exp":4102444800,"realm_access":{"roles":[[]]}}`)
	authenticator := newAuthenticator(f, auth.StaticSource(provided()), newClock())
	f.Fuzz(func(t *testing.T, claims string) {
		encode := base64.RawURLEncoding.EncodeToString
		text := encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(claims))
		signature, err := jwt.SigningMethodRS256.Sign(text, otherKey())
		if err != nil {
			t.Fatal(err)
		}
		got, err := authenticator.Verify(t.Context(), text+"."+encode(signature))
		if failure, ok := errors.AsType[*pods.Error](err); ok {
			if !strings.Contains(failure.Message, "oken") {
				t.Errorf("message %q", failure.Message)
			}
			return
		}
		if got.AccountType == auth.AccountService && got.TenantID == "dev2" {
			t.Errorf("a provider made a service of %q", got.Username)
		}
	})
}
