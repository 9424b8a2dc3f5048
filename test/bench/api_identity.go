package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pods-service/pods/shared/auth"
)

// apiHost is the host that requests of B4 name: an address of their tenant.
const apiHost = "dev.localhost"

// identity is a user of the fleet's tenant, with a token that their tenant has
// issued.
type identity struct {
	tenantsFile string // from which servers learn of the tenant
	token       string
}

func newIdentity() (*identity, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	tenant := auth.Tenant{Tenant: fleetTenant, BaseURL: "http://" + apiHost, Keys: []auth.Key{{ID: "1", PublicKey: &key.PublicKey}}}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"jti": "bench", "iss": tenant.BaseURL + auth.DefaultIssuerPath, "sub": fleetCaller.Username + "@" + tenant.ID,
		"exp":             time.Now().Add(24 * time.Hour).Unix(),
		"tapis/tenant_id": tenant.ID, "tapis/username": fleetCaller.Username,
		"tapis/token_type": "access", "tapis/account_type": "user", "tapis/delegation": false,
	})
	token.Header["kid"] = "1"
	user := &identity{}
	if user.token, err = token.SignedString(key); err != nil {
		return nil, fmt.Errorf("sign a token: %w", err)
	}
	content, err := auth.EncodeTenants([]auth.Tenant{tenant})
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "pods-bench-tenants-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	user.tenantsFile = file.Name()
	_, err = file.Write(content)
	return user, err
}

// request returns a request of the user's; an empty body is none.
func (u *identity) request(ctx context.Context, method, path, body string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+apiHost+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set(auth.HeaderToken, u.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}
