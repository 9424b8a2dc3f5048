package auth

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/pods-service/pods/shared/pods"
)

// ServiceSource reads the tenants from a tenants service: GET /v3/sites and
// GET /v3/tenants. A tenant that is not active or cannot be used is left out,
// and logged in the second case, so that it does not harm the others.
type ServiceSource struct {
	// BaseURL is the address of the tenants service without "/v3".
	BaseURL string
	// Client makes the requests. Default one that stays on https once there.
	Client *http.Client
	// Domain is the domain of a tenant's pods, in which ${host} stands for the
	// name in the tenant's own address: "pods.${host}".
	Domain string
	// Tokens are the rules for the tokens of every tenant.
	Tokens TokenRules
	// Logger hears of tenants that cannot be used. Default slog.Default.
	Logger *slog.Logger
}

// The parts of the tenants service's answers that are read.
type (
	serviceTenant struct {
		TenantID     string `json:"tenant_id"`
		SiteID       string `json:"site_id"`
		BaseURL      string `json:"base_url"`
		TokenService string `json:"token_service"`
		PublicKey    string `json:"public_key"`
		Status       string `json:"status"`
	}
	serviceSite struct {
		SiteID            string `json:"site_id"`
		SiteAdminTenantID string `json:"site_admin_tenant_id"`
	}
)

// Tenants asks the service.
func (s ServiceSource) Tenants(ctx context.Context) ([]Tenant, error) {
	var sites struct{ Result []serviceSite }
	if err := s.fetch(ctx, "/v3/sites", &sites); err != nil {
		return nil, err
	}
	var answer struct{ Result []serviceTenant }
	if err := s.fetch(ctx, "/v3/tenants", &answer); err != nil {
		return nil, err
	}
	issuers := map[serviceSite]bool{} // who issues the service tokens of a site
	for _, site := range sites.Result {
		issuers[site] = true
	}
	usable := &tenants{byID: map[string]*tenantEntry{}, byHost: map[string]*tenantEntry{}, byProvider: map[string]*tenantEntry{}}
	var list []Tenant
	for _, entry := range answer.Result {
		if entry.Status != "" && !strings.EqualFold(entry.Status, "active") {
			continue
		}
		tenant, err := s.tenant(entry)
		if err == nil {
			err = usable.add(tenant)
		}
		if err != nil {
			s.logger().WarnContext(ctx, "tenant left out", "tenant_id", entry.TenantID, "error", err)
			continue
		}
		tenant.IssuesServiceTokens = issuers[serviceSite{entry.SiteID, entry.TenantID}]
		list = append(list, tenant)
	}
	return list, nil
}

func (s ServiceSource) fetch(ctx context.Context, path string, into any) error {
	client := s.Client
	if client == nil {
		client = fetchClient
	}
	return fetch(ctx, client, strings.TrimSuffix(s.BaseURL, "/")+path, into)
}

func (s ServiceSource) logger() *slog.Logger {
	if s.Logger == nil {
		return slog.Default()
	}
	return s.Logger
}

func (s ServiceSource) tenant(entry serviceTenant) (Tenant, error) {
	address, err := url.Parse(entry.BaseURL)
	if err != nil {
		return Tenant{}, fmt.Errorf("address: %w", err)
	}
	key, err := ParsePublicKey(entry.PublicKey)
	if err != nil {
		return Tenant{}, err
	}
	return Tenant{
		Tenant: pods.Tenant{
			ID: entry.TenantID, SiteID: entry.SiteID,
			PodsDomain: strings.ReplaceAll(s.Domain, "${host}", address.Hostname()),
		},
		BaseURL: entry.BaseURL,
		Issuer:  entry.TokenService,
		Keys:    []Key{{PublicKey: key}},
		Tokens:  s.Tokens,
	}, nil
}
