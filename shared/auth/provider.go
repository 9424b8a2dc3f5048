package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/errgroup"
)

// discoveryPath follows a provider's issuer where it says how it is used
// (OpenID Connect Discovery 1.0, section 4).
const discoveryPath = "/.well-known/openid-configuration"

// ProviderKeys is a source of the tenants of another one, with the keys of
// those that have an OpenID Connect provider: it finds the provider's JWKS by
// discovery. A provider that cannot be asked keeps the keys it had, and the
// tenants of others are not harmed by it.
type ProviderKeys struct {
	source Source
	client *http.Client
	logger *slog.Logger

	mu   sync.Mutex
	last map[string][]Key // by issuer
}

// NewProviderKeys returns a source of source's tenants with their providers'
// keys. A nil client means one that stays on https once there.
func NewProviderKeys(source Source, client *http.Client, logger *slog.Logger) *ProviderKeys {
	if client == nil {
		client = fetchClient
	}
	return &ProviderKeys{source: source, client: client, logger: logger, last: map[string][]Key{}}
}

// Tenants asks the other source, and all providers at once. A tenant whose
// provider has never answered has no key yet.
func (p *ProviderKeys) Tenants(ctx context.Context) ([]Tenant, error) {
	list, err := p.source.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	var group errgroup.Group
	for i := range list {
		if tenant := &list[i]; tenant.Tokens.OIDC() && len(tenant.Keys) == 0 {
			group.Go(func() error {
				tenant.Keys = p.keys(ctx, *tenant)
				return nil
			})
		}
	}
	return list, group.Wait()
}

func (p *ProviderKeys) keys(ctx context.Context, tenant Tenant) []Key {
	keys, err := p.fetch(ctx, tenant)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		kept := p.last[tenant.Issuer]
		p.logger.WarnContext(ctx, "keys of an OpenID Connect provider not loaded, last good ones kept",
			"tenant_id", tenant.ID, "issuer", tenant.Issuer, "kept", len(kept), "error", err)
		return kept
	}
	p.last[tenant.Issuer] = keys
	return keys
}

// fetch returns the provider's keys that the tenant's rules can use.
//
// Errors: when the provider cannot be asked, speaks for another issuer, or has
// no such key.
func (p *ProviderKeys) fetch(ctx context.Context, tenant Tenant) ([]Key, error) {
	var provider struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := fetch(ctx, p.client, strings.TrimSuffix(tenant.Issuer, "/")+discoveryPath, &provider); err != nil {
		return nil, err
	}
	if provider.Issuer != tenant.Issuer {
		return nil, fmt.Errorf("the provider says that it is %q", provider.Issuer)
	}
	if strings.HasPrefix(tenant.Issuer, "https:") && !strings.HasPrefix(provider.JWKSURI, "https:") {
		return nil, fmt.Errorf("the provider's keys are at %q, which is not https", provider.JWKSURI)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := fetch(ctx, p.client, provider.JWKSURI, &set); err != nil {
		return nil, err
	}
	var keys []Key
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) != nil {
			continue // of a kind that is not known here, which is no business of the others
		}
		forSignatures := key.Use == "" || key.Use == "sig"
		forAlgorithm := key.Algorithm == "" || key.Algorithm == tenant.Tokens.algorithm()
		if forSignatures && forAlgorithm && tenant.Tokens.fits(key.Key) == nil {
			keys = append(keys, Key{ID: key.KeyID, PublicKey: key.Key})
		}
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("%d keys at %s are for %s, want 1 to %d",
			len(keys), provider.JWKSURI, tenant.Tokens.algorithm(), maxKeys)
	}
	return keys, nil
}
