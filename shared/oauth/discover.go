package oauth

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/pods-service/pods/shared/auth"
)

// discover returns where visitors log in at a tenant's OpenID Connect provider,
// as it says itself (OpenID Connect Discovery 1.0, section 4).
//
// Errors: when the provider cannot be asked, speaks for another issuer, or
// leads from https to http.
func (p *Provider) discover(ctx context.Context, tenant auth.Tenant) (endpoints, error) {
	if known, found := p.discovered.Get(tenant.Issuer); found {
		return known, nil
	}
	address := strings.TrimSuffix(tenant.Issuer, "/") + "/.well-known/openid-configuration"
	var said struct {
		Issuer    string `json:"issuer"`
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
	}
	if err := p.do(ctx, call{method: http.MethodGet, url: address}, &said); err != nil {
		return endpoints{}, fmt.Errorf("ask the provider of tenant %s: %w", tenant.ID, err)
	}
	if said.Issuer != tenant.Issuer {
		return endpoints{}, fmt.Errorf("the provider of tenant %s says that it is %q", tenant.ID, said.Issuer)
	}
	for _, endpoint := range []string{said.Authorize, said.Token} {
		if endpoint == "" || strings.HasPrefix(tenant.Issuer, "https:") && !strings.HasPrefix(endpoint, "https:") {
			return endpoints{}, fmt.Errorf("the provider of tenant %s has the endpoint %q, which is not https", tenant.ID, endpoint)
		}
	}
	found := endpoints{authorize: said.Authorize, token: said.Token}
	p.discovered.Add(tenant.Issuer, found)
	return found, nil
}
