package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/login"
)

// taken is part of what a tenant says when it has a client of that ID already.
const taken = "This change would violate uniqueness constraints"

func key(client login.Client) string { return client.Tenant.ID + "\n" + client.ID }

// ensure registers the client at its tenant, or brings its callback up to date
// there. What was done is remembered.
func (p *Provider) ensure(ctx context.Context, client login.Client, credentials Credentials) error {
	if callback, found := p.registered.Get(key(client)); found && callback == client.Callback {
		return nil
	}
	answer := p.single.DoChan("client\n"+key(client), func() (any, error) {
		// A visitor who leaves must not fail the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), registerTimeout)
		defer cancel()
		return nil, p.register(ctx, client, credentials)
	})
	select {
	case result := <-answer:
		if result.Err != nil {
			return fmt.Errorf("register the client %s at tenant %s: %w", client.ID, client.Tenant.ID, result.Err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// registration is what a tenant is told of a client.
type registration struct {
	ID          string `json:"client_id,omitempty"`
	Key         string `json:"client_key,omitempty"`
	Callback    string `json:"callback_url"`
	DisplayName string `json:"display_name"`
	Description string `json:"description,omitempty"`
}

func (p *Provider) register(ctx context.Context, client login.Client, credentials Credentials) error {
	err := p.asService(ctx, client.Tenant, func(header http.Header) error {
		address := strings.TrimSuffix(client.Tenant.BaseURL, "/") + "/v3/oauth2/clients"
		body := registration{
			ID: credentials.ID, Key: credentials.Secret, Callback: client.Callback,
			DisplayName: client.Name, Description: "Login of visitors to a pod.",
		}
		err := p.do(ctx, call{method: http.MethodPost, url: address, header: header, json: body}, nil)
		if refused, ok := errors.AsType[*refusal](err); !ok || !strings.Contains(refused.message, taken) {
			return err
		}
		body = registration{Callback: client.Callback, DisplayName: client.Name}
		return p.do(ctx, call{method: http.MethodPut, url: address + "/" + url.PathEscape(credentials.ID), header: header, json: body}, nil)
	})
	if err == nil {
		p.registered.Add(key(client), client.Callback)
	}
	return err
}

// asService makes a call for the service itself in a tenant. A token that is no
// longer taken is replaced once.
func (p *Provider) asService(ctx context.Context, tenant auth.Tenant, request func(http.Header) error) error {
	for attempt := 1; ; attempt++ {
		token, err := p.service.get(ctx, p, tenant.SiteID)
		if err != nil {
			return err
		}
		header := http.Header{}
		header.Set(auth.HeaderToken, token)
		header.Set(auth.HeaderTenant, tenant.ID)
		header.Set(auth.HeaderUser, p.options.ServiceName)
		err = request(header)
		refused, ok := errors.AsType[*refusal](err)
		if !ok || refused.status != http.StatusUnauthorized || attempt == 2 {
			return err
		}
		p.service.drop(token)
	}
}
