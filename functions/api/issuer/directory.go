package issuer

import (
	"context"
	"strings"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// siteView is a site as the API shows it.
type siteView struct {
	SiteID                string   `json:"site_id"`
	BaseURL               string   `json:"base_url"`
	Primary               bool     `json:"primary"`
	Services              []string `json:"services"`
	SiteAdminTenantID     string   `json:"site_admin_tenant_id"`
	TenantBaseURLTemplate string   `json:"tenant_base_url_template"`
}

// tenantView is a tenant as the API shows it.
type tenantView struct {
	TenantID       string `json:"tenant_id"`
	BaseURL        string `json:"base_url"`
	SiteID         string `json:"site_id"`
	PublicKey      string `json:"public_key"`
	TokenService   string `json:"token_service"`
	SecurityKernel string `json:"security_kernel"`
	Authenticator  string `json:"authenticator"`
	Owner          string `json:"owner"`
	AdminUser      string `json:"admin_user"`
	Status         string `json:"status"`
	Description    string `json:"description"`
}

func (i *Issuer) site(host string) siteView {
	first := i.tenants[0]
	return siteView{
		SiteID:                i.config.SiteID,
		BaseURL:               first.addressAt(host),
		Primary:               true,
		Services:              []string{"authenticator", "pods", "tenants", "tokens"},
		SiteAdminTenantID:     first.ID,
		TenantBaseURLTemplate: i.config.TenantURLTemplate,
	}
}

// view shows the tenant to a client that reached the issuer at host.
func (t *tenant) view(host string) tenantView {
	address := t.addressAt(host)
	return tenantView{
		TenantID:       t.ID,
		BaseURL:        address,
		SiteID:         t.public.SiteID,
		PublicKey:      t.publicPEM,
		TokenService:   address + "/v3/tokens",
		SecurityKernel: address + "/v3/security",
		Authenticator:  address + "/v3/oauth2",
		Owner:          t.AdminUser,
		AdminUser:      t.AdminUser,
		Status:         "ACTIVE",
		Description:    t.Description,
	}
}

// addressAt returns the tenant's address on host, or its base URL when it has
// none there. Clients find their tenant by comparing base URLs with the address
// they were given, so each must see the one it uses.
func (t *tenant) addressAt(host string) string {
	address, found := t.public.AddressOn(host)
	if !found {
		address = t.BaseURL
	}
	return strings.TrimSuffix(address, "/")
}

// listSites serves GET /v3/sites.
func (i *Issuer) listSites(_ context.Context, req *rest.Request) (rest.Result, error) {
	return rest.Result{Message: "Sites retrieved successfully.", Value: []siteView{i.site(req.Host)}}, nil
}

// getSite serves GET /v3/sites/{site_id}.
func (i *Issuer) getSite(_ context.Context, req *rest.Request) (rest.Result, error) {
	if id := req.PathValue("site_id"); id != i.config.SiteID {
		return rest.Result{}, pods.NotFound("Site with identifier site_id: '%s' not found", id)
	}
	return rest.Result{Message: "Site retrieved successfully.", Value: i.site(req.Host)}, nil
}

// listTenants serves GET /v3/tenants.
func (i *Issuer) listTenants(_ context.Context, req *rest.Request) (rest.Result, error) {
	views := make([]tenantView, len(i.tenants))
	for n, t := range i.tenants {
		views[n] = t.view(req.Host)
	}
	return rest.Result{Message: "Tenants retrieved successfully.", Value: views}, nil
}

// getTenant serves GET /v3/tenants/{tenant_id}.
func (i *Issuer) getTenant(_ context.Context, req *rest.Request) (rest.Result, error) {
	t := i.tenant(req.PathValue("tenant_id"))
	if t == nil {
		return rest.Result{}, pods.NotFound("Tenant with identifier tenant_id: '%s' not found", req.PathValue("tenant_id"))
	}
	return rest.Result{Message: "Tenant retrieved successfully.", Value: t.view(req.Host)}, nil
}
