package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pods-service/pods/shared/pods"
)

// The headers that say who calls.
const (
	// HeaderToken carries the access token.
	HeaderToken = "X-Tapis-Token" //nolint:gosec // the name of a header, not a credential
	// HeaderTenant and HeaderUser name the user a service acts for.
	HeaderTenant = "X-Tapis-Tenant"
	HeaderUser   = "X-Tapis-User"
)

// Authenticator finds out who makes a request. It is safe for concurrent use.
type Authenticator struct {
	registry  *Registry
	siteID    string
	parser    *jwt.Parser
	validator *jwt.Validator
	cache     *tokenCache
}

// NewAuthenticator returns an Authenticator for the tenants in registry, whose
// clock it shares. Service tokens must be meant for the site siteID.
func NewAuthenticator(registry *Registry, siteID string) *Authenticator {
	return &Authenticator{
		registry: registry,
		siteID:   siteID,
		// Strict decoding leaves one spelling per token.
		parser: jwt.NewParser(jwt.WithStrictDecoding()),
		validator: jwt.NewValidator(
			jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(registry.options.Now)),
		cache: newTokenCache(cachedTokens),
	}
}

// Authenticate returns the caller that the token in r's X-Tapis-Token header
// proves. Where r.Host is an address of a tenant, a user's token must be of that
// tenant; at any other host the token's tenant counts. A service's token gives
// the user that X-Tapis-Tenant and X-Tapis-User name, who is then a site admin by
// configuration alone. Cookies and other headers prove nothing here.
//
// Errors: KindUnauthenticated without a usable token, always with the word
// "token" in the message; KindForbidden for a token of another tenant and for a
// user's token together with the headers of a service.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (pods.Caller, error) {
	token, err := onlyValue(r.Header, HeaderToken)
	if err != nil {
		return pods.Caller{}, unparsable(err)
	}
	claims, tenant, err := a.verify(ctx, token)
	if err != nil {
		return pods.Caller{}, err
	}
	if claims.AccountType == AccountService {
		return a.serviceCaller(ctx, r, claims, tenant)
	}
	return a.userCaller(r, claims, tenant)
}

func (a *Authenticator) userCaller(r *http.Request, claims *tokenClaims, tenant *tenantEntry) (pods.Caller, error) {
	if host, known := a.registry.TenantByHost(r.Host); known && host.ID != tenant.ID {
		return pods.Caller{}, pods.Forbidden(
			"The tenant_id claim in the token, %s does not match the URL tenant, %s.", tenant.ID, host.ID)
	}
	if len(r.Header.Values(HeaderTenant)) > 0 || len(r.Header.Values(HeaderUser)) > 0 {
		return pods.Caller{}, pods.Forbidden("cannot set OBO headers with a user token")
	}
	return pods.Caller{
		TenantID: tenant.ID, SiteID: tenant.SiteID, Username: claims.Username, SiteAdmin: claims.admin,
	}, nil
}

// serviceCaller returns the user that a service acts for. Services call through
// any address of the site, so the request's host says nothing about the tenant.
func (a *Authenticator) serviceCaller(
	ctx context.Context, r *http.Request, claims *tokenClaims, tenant *tenantEntry,
) (pods.Caller, error) {
	if !tenant.IssuesServiceTokens {
		return pods.Caller{}, unauthenticated(fmt.Sprintf(
			"Invalid Tapis token: tenant %s issues no service tokens that count here.", tenant.ID), nil)
	}
	if claims.TargetSite != a.siteID {
		return pods.Caller{}, unauthenticated(fmt.Sprintf(
			"Invalid Tapis token: a service token for the site %q is needed, this one is for %q.",
			a.siteID, claims.TargetSite), nil)
	}
	tenantID, tenantErr := onlyValue(r.Header, HeaderTenant)
	username, userErr := onlyValue(r.Header, HeaderUser)
	if err := errors.Join(tenantErr, userErr); err != nil || tenantID == "" || !validUsername(username) {
		return pods.Caller{}, unauthenticated(
			"A service token needs one X-Tapis-Tenant and one X-Tapis-User header.", err)
	}
	onBehalf := a.registry.find(ctx, tenantID)
	if onBehalf == nil || onBehalf.SiteID != a.siteID {
		return pods.Caller{}, unauthenticated(
			"Unable to process Tapis token; unexpected tenant_id in X-Tapis-Tenant.", nil)
	}
	return pods.Caller{TenantID: onBehalf.ID, SiteID: onBehalf.SiteID, Username: username}, nil
}

// onlyValue returns the header's one value, or "" when it is not there. Several
// values are an error: parts of the way here could each believe another one.
func onlyValue(header http.Header, name string) (string, error) {
	values := header.Values(name)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", fmt.Errorf("%d %s headers", len(values), name)
	}
}
