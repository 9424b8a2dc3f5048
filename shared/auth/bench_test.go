package auth_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pods-service/pods/shared/auth"
)

// BenchmarkAuthenticate compares a token seen for the first time with one that
// was verified before.
func BenchmarkAuthenticate(b *testing.B) {
	authenticator := newAuthenticator(b, auth.StaticSource(tenantList()), newClock())
	run := func(b *testing.B, requests []*http.Request) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := authenticator.Authenticate(b.Context(), requests[i%len(requests)]); err != nil {
				b.Fatal(err)
			}
		}
	}
	tokenRequest := func(id string) *http.Request {
		token := sign(b, userClaims(map[string]any{"jti": id}), nil, jwt.SigningMethodRS256, nil)
		return request("localhost:8080", "X-Tapis-Token", token)
	}
	b.Run("Seen", func(b *testing.B) { run(b, []*http.Request{tokenRequest("seen")}) })
	b.Run("New", func(b *testing.B) {
		requests := make([]*http.Request, 5000) // more than are remembered
		for i := range requests {
			requests[i] = tokenRequest(fmt.Sprint(i))
		}
		run(b, requests)
	})
}
