package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pods-service/pods/shared/auth"
)

// serviceTokenLife is how long a token of the service is to last.
const serviceTokenLife = 24 * time.Hour

// serviceToken holds the token by which the service registers clients. The zero
// value holds none.
type serviceToken struct {
	mu    sync.Mutex
	token string
	until time.Time
}

// get returns a token for the site, the one there is while it lasts.
func (s *serviceToken) get(ctx context.Context, p *Provider, siteID string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" && p.options.Now().Before(s.until) {
		return s.token, nil
	}
	if p.options.ServiceKey == "" {
		return "", errors.New("the service has no key by which tenants know it: set PODS_SERVICE_KEY_FILE")
	}
	issuer, found := p.options.ServiceTenant(siteID)
	if !found {
		return "", fmt.Errorf("no tenant issues service tokens for the site %s", siteID)
	}
	body := map[string]any{
		"token_username": p.options.ServiceName, "token_tenant_id": issuer.ID, "account_type": auth.AccountService,
		"access_token_ttl": int(serviceTokenLife / time.Second), "target_site_id": siteID,
	}
	var answer struct {
		Result struct {
			AccessToken struct {
				AccessToken string `json:"access_token"`
				ExpiresIn   int64  `json:"expires_in"` // seconds
			} `json:"access_token"`
		} `json:"result"`
	}
	err := p.do(ctx, call{
		method: http.MethodPost, url: strings.TrimSuffix(issuer.BaseURL, "/") + "/v3/tokens", json: body,
		user: p.options.ServiceName, password: p.options.ServiceKey,
	}, &answer)
	if err != nil {
		return "", fmt.Errorf("get a service token from tenant %s: %w", issuer.ID, err)
	}
	got := answer.Result.AccessToken
	if got.AccessToken == "" {
		return "", fmt.Errorf("tenant %s gave no service token", issuer.ID)
	}
	// Whatever the tenant says, a token is not used to its very end.
	life := min(time.Duration(got.ExpiresIn)*time.Second, serviceTokenLife)
	s.token, s.until = got.AccessToken, p.options.Now().Add(life*9/10)
	return s.token, nil
}

// drop forgets a token that is not taken.
func (s *serviceToken) drop(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == token {
		s.token = ""
	}
}
