package auth_test

import (
	"strings"
	"testing"

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
