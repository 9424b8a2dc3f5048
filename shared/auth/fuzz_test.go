package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
)

// FuzzVerify checks that only the exact tokens that were issued are accepted,
// and that everything else gets the same kind of error.
func FuzzVerify(f *testing.F) {
	good := sign(f, userClaims(nil), nil, jwt.SigningMethodRS256, nil)
	parts := strings.Split(good, ".")
	for _, token := range []string{
		good,
		sign(f, userClaims(nil), otherKey(), jwt.SigningMethodRS256, nil),
		sign(f, userClaims(nil), []byte("secret"), jwt.SigningMethodHS256, nil),
		sign(f, userClaims(nil), jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone, nil),
		parts[0] + "." + parts[1] + ".",
		parts[0] + ".." + parts[2],
		parts[0] + "\r\n." + parts[1] + "." + parts[2],
		good + "=", "..", "", "null.null.null", "e30.e30.e30", "bnVsbA.bnVsbA.bnVsbA",
		"eyJhbGciOiJSUzI1NiIsImtpZCI6bnVsbH0.eyJleHAiOjFlMzAwfQ.AA",
	} {
		f.Add(token)
	}
	authenticator := newAuthenticator(f, auth.StaticSource(tenantList()), newClock())
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := authenticator.Verify(t.Context(), token)
		if err == nil {
			if token != good || claims.Username != "alice" {
				t.Errorf("accepted a token that nobody issued: %q", token)
			}
			return
		}
		if token == good {
			t.Errorf("refused a good token: %v", err)
		}
		if got := pods.KindOf(err); got != pods.KindUnauthenticated {
			t.Errorf("kind %q, want unauthenticated: %v", got, err)
		}
	})
}

// FuzzAuthenticate checks that no host or header makes a caller of anybody but
// the token's user.
func FuzzAuthenticate(f *testing.F) {
	token := sign(f, userClaims(nil), nil, jwt.SigningMethodRS256, nil)
	for _, host := range []string{"localhost:8080", "LOCALHOST.:8080", "", ":", "[::1]:80", "dev2.example.org:443", "a:b:c", "[", "dev2.example.org:80:443"} {
		f.Add(host, "", "")
		f.Add(host, "dev2", "bob")
	}
	authenticator := newAuthenticator(f, auth.StaticSource(tenantList()), newClock())
	want := pods.Caller{TenantID: "dev", SiteID: "here", Username: "alice"}
	f.Fuzz(func(t *testing.T, host, tenant, user string) {
		headers := []string{"X-Tapis-Token", token}
		if tenant != "" {
			headers = append(headers, "X-Tapis-Tenant", tenant)
		}
		if user != "" {
			headers = append(headers, "X-Tapis-User", user)
		}
		got, err := authenticator.Authenticate(t.Context(), request(host, headers...))
		if err != nil {
			if pods.KindOf(err) != pods.KindForbidden {
				t.Errorf("host %q: %v, want forbidden", host, err)
			}
			return
		}
		if got != want || tenant != "" || user != "" {
			t.Errorf("host %q, tenant %q, user %q: caller %v", host, tenant, user, got)
		}
	})
}

// FuzzClaims signs any body with the tenant's own key: an issuer may write what
// it likes, but only a body that says all that is asked for makes a caller, and
// the caller is who it says.
func FuzzClaims(f *testing.F) {
	for _, claims := range []jwt.MapClaims{
		userClaims(nil), serviceClaims(nil), userClaims(map[string]any{"exp": 1e300}), userClaims(map[string]any{"nbf": "soon"}),
		userClaims(map[string]any{"tapis/username": "a:b"}), userClaims(map[string]any{"sub": "bob@dev"}), userClaims(map[string]any{"iss": nil}),
		userClaims(map[string]any{"tapis/account_type": "absent", "tapis/token_type": []string{}}), {},
	} {
		body, err := json.Marshal(claims)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte("null"))
	f.Add([]byte(`{"tapis/tenant_id":"dev","tapis/tenant_id":"dev2"}`))
	authenticator := newAuthenticator(f, auth.StaticSource(tenantList()), newClock())
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		text := header + "." + base64.RawURLEncoding.EncodeToString(body)
		signature, err := jwt.SigningMethodRS256.Sign(text, devKey())
		if err != nil {
			t.Fatal(err)
		}
		claims, err := authenticator.Verify(t.Context(), text+"."+base64.RawURLEncoding.EncodeToString(signature))
		if err != nil {
			if got := pods.KindOf(err); got != pods.KindUnauthenticated || !strings.Contains(err.Error(), "token") {
				t.Errorf("kind %q, want unauthenticated: %v", got, err)
			}
			return
		}
		var said map[string]any
		if err := json.Unmarshal(body, &said); err != nil {
			t.Fatalf("no JSON makes a caller: %q", body)
		}
		if claims.TenantID != "dev" || claims.Username == "" || strings.ContainsAny(claims.Username, ": \n") || !claims.ExpiresAt.After(start.Add(-time.Minute)) {
			t.Errorf("%q makes the caller %+v", body, claims)
		}
		isSaid := false
		for key, value := range said { // names of fields are read in any case
			isSaid = isSaid || strings.EqualFold(key, "tapis/username") && value == claims.Username
		}
		if !isSaid {
			t.Errorf("%q makes the caller %+v", body, claims)
		}
	})
}
