// Package oauth is how visitors log in at their tenants: it registers clients
// there, names the address of the login, and exchanges codes for tokens.
package oauth

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/login"
)

// Options are what a Provider needs.
type Options struct {
	// LoginKey makes the keys of clients, so that none is stored.
	LoginKey [login.KeySize]byte
	// ServiceName and ServiceKey prove the service to the tenant that issues
	// the tokens of services. Without a key no client can be registered.
	ServiceName string
	ServiceKey  string
	// ServiceTenant returns the tenant that issues the service tokens of a site.
	ServiceTenant func(siteID string) (auth.Tenant, bool)
	// Clients are those of tenants with an OpenID Connect provider, where the
	// service cannot register its own, by the tenant's ID.
	Clients map[string]Credentials
	// Transport makes the requests; by default one of the package's own, which
	// waits 3.05 s for a connection and 10 s for an answer.
	Transport http.RoundTripper
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// Credentials prove a client to a tenant.
type Credentials struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// Provider implements login.Provider. It is safe for concurrent use.
type Provider struct {
	options Options
	client  *http.Client
	// registered holds the clients that their tenants are known to know, with
	// their callbacks.
	registered *expirable.LRU[string, string]
	discovered *expirable.LRU[string, endpoints]
	single     singleflight.Group
	service    serviceToken
}

// How many clients are remembered, and for how long: one that was removed at
// its tenant comes back after that time.
const (
	maxRegistered = 8192
	rememberFor   = time.Hour
)

// New returns a Provider.
func New(options Options) *Provider {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Provider{
		options:    options,
		client:     newClient(options.Transport),
		registered: expirable.NewLRU[string, string](maxRegistered, nil, rememberFor),
		discovered: expirable.NewLRU[string, endpoints](maxRegistered, nil, rememberFor),
	}
}

// endpoints are the addresses of a tenant's login.
type endpoints struct{ authorize, token string }

// AuthorizeURL implements login.Provider.
func (p *Provider) AuthorizeURL(ctx context.Context, client login.Client, state, challenge string) (string, error) {
	at, credentials, err := p.prepare(ctx, client)
	if err != nil {
		return "", err
	}
	address, err := url.Parse(at.authorize)
	if err != nil {
		return "", fmt.Errorf("tenant %s: address of the login: %w", client.Tenant.ID, err)
	}
	query := address.Query()
	for name, value := range map[string]string{
		"client_id": credentials.ID, "redirect_uri": client.Callback, "response_type": "code",
		"state": state, "code_challenge": challenge, "code_challenge_method": "S256",
	} {
		query.Set(name, value)
	}
	if client.Tenant.Tokens.OIDC() {
		query.Set("scope", "openid profile")
	}
	address.RawQuery = query.Encode()
	return address.String(), nil
}

// prepare returns where and as whom to log in at a tenant, which knows the
// client then.
func (p *Provider) prepare(ctx context.Context, client login.Client) (endpoints, Credentials, error) {
	tenant := client.Tenant
	if tenant.Tokens.OIDC() {
		credentials, found := p.options.Clients[tenant.ID]
		if !found {
			return endpoints{}, Credentials{}, fmt.Errorf("tenant %s has an OpenID Connect provider, where the service cannot register clients: configure one for it", tenant.ID)
		}
		at, err := p.discover(ctx, tenant)
		return at, credentials, err
	}
	base := strings.TrimSuffix(tenant.BaseURL, "/")
	at := endpoints{authorize: base + "/v3/oauth2/authorize", token: base + "/v3/oauth2/tokens"}
	credentials := Credentials{ID: client.ID, Secret: p.keyOf(tenant.ID, client.ID)}
	return at, credentials, p.ensure(ctx, client, credentials)
}

// keyOf returns the key of a client: the same on every call, and to be guessed
// by nobody without the login key.
func (p *Provider) keyOf(tenantID, clientID string) string {
	mac := hmac.New(sha256.New, p.options.LoginKey[:])
	_, _ = mac.Write([]byte("client\n" + tenantID + "\n" + clientID)) // never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// Exchange implements login.Provider.
func (p *Provider) Exchange(ctx context.Context, client login.Client, code, verifier string) (string, error) {
	at, credentials, err := p.prepare(ctx, client)
	if err != nil {
		return "", err
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {client.Callback}, "code_verifier": {verifier},
	}
	request := call{method: http.MethodPost, url: at.token, form: form, user: credentials.ID, password: credentials.Secret}
	var answer struct {
		Result struct {
			AccessToken struct {
				AccessToken string `json:"access_token"`
			} `json:"access_token"`
		} `json:"result"`
		// As OpenID Connect has it.
		AccessToken string `json:"access_token"`
		IDToken     string `json:"id_token"`
	}
	if err := p.do(ctx, request, &answer); err != nil {
		p.registered.Remove(key(client)) // in case the tenant has forgotten it
		return "", fmt.Errorf("exchange a code at tenant %s: %w", client.Tenant.ID, err)
	}
	token := answer.Result.AccessToken.AccessToken
	if client.Tenant.Tokens.OIDC() {
		// An ID token is meant for the client; an access token may be meant for
		// others, in a form that is not known.
		token = cmp.Or(answer.IDToken, answer.AccessToken)
	}
	if token == "" {
		return "", errors.New("the tenant " + client.Tenant.ID + " gave no token for a code")
	}
	return token, nil
}
