package issuer

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// clientView is a client as its owner sees it.
type clientView struct {
	ID          string `json:"client_id"`
	Key         string `json:"client_key"`
	CallbackURL string `json:"callback_url"`
	DisplayName string `json:"display_name"`
	Description string `json:"description"`
	Owner       string `json:"owner"`
	TenantID    string `json:"tenant_id"`
}

// clientRequest is the body of a request that registers or changes a client. What
// is not there stays as it is.
type clientRequest struct {
	ID          *string `json:"client_id"`
	Key         *string `json:"client_key"`
	CallbackURL *string `json:"callback_url"`
	DisplayName *string `json:"display_name"`
	Description *string `json:"description"`
}

// createClient serves POST /v3/oauth2/clients. A client without an ID or a key
// gets a random one, without a name its ID as such.
//
// Errors: KindInvalid, for an ID that is taken too; KindForbidden for an ID that
// a service has for itself; KindExhausted when the caller has too many.
func (i *Issuer) createClient(ctx context.Context, req *rest.Request) (rest.Result, error) {
	t, by, err := i.ownerIn(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	wanted, err := readClientRequest(req)
	if err != nil {
		return rest.Result{}, err
	}
	client := Client{}
	if wanted.ID != nil {
		client.ID = *wanted.ID
	}
	wanted.apply(&client)
	client.ID, client.Key = cmp.Or(client.ID, rand.Text()), cmp.Or(client.Key, rand.Text())
	if err := client.check(); err != nil {
		return rest.Result{}, err
	}
	if service := i.reservedFor(client.ID); service != "" && by != owner(ofService+service) {
		return rest.Result{}, pods.Forbidden("Only the service %s can register the client %s. Take another client_id.", service, client.ID)
	}
	created := registered{Client: client, owner: by}
	if err := t.clients.add(ctx, created); err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Client created successfully.", Value: created.view(t)}, nil
}

// listClients serves GET /v3/oauth2/clients: the caller's own.
func (i *Issuer) listClients(ctx context.Context, req *rest.Request) (rest.Result, error) {
	t, by, err := i.ownerIn(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	own, err := t.clients.list(ctx, by)
	if err != nil {
		return rest.Result{}, err
	}
	views := []clientView{}
	for _, client := range own {
		views = append(views, client.view(t))
	}
	return rest.Result{Message: "Clients retrieved successfully.", Value: views}, nil
}

// getClient serves GET /v3/oauth2/clients/{client_id}.
//
// Errors: KindNotFound, for a client of somebody else too.
func (i *Issuer) getClient(ctx context.Context, req *rest.Request) (rest.Result, error) {
	t, by, err := i.ownerIn(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	client, err := t.clients.get(ctx, req.PathValue("client_id"))
	if err != nil {
		return rest.Result{}, err
	}
	if client.owner != by {
		return rest.Result{}, noClient(req.PathValue("client_id"))
	}
	return rest.Result{Message: "Client retrieved successfully.", Value: client.view(t)}, nil
}

// updateClient serves PUT /v3/oauth2/clients/{client_id}: what the body has is
// changed, the rest stays.
//
// Errors: KindNotFound, for a client of somebody else too; KindInvalid.
func (i *Issuer) updateClient(ctx context.Context, req *rest.Request) (rest.Result, error) {
	t, by, err := i.ownerIn(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	wanted, err := readClientRequest(req)
	if err != nil {
		return rest.Result{}, err
	}
	id := req.PathValue("client_id")
	if wanted.ID != nil && *wanted.ID != id {
		return rest.Result{}, pods.InvalidFields([]pods.FieldError{field("client_id", "cannot be changed")})
	}
	changed, err := t.clients.change(ctx, id, by, func(client *Client) error {
		wanted.apply(client)
		return client.check()
	})
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Client updated successfully.", Value: changed.view(t)}, nil
}

// deleteClient serves DELETE /v3/oauth2/clients/{client_id}.
//
// Errors: KindNotFound, for a client of somebody else too.
func (i *Issuer) deleteClient(ctx context.Context, req *rest.Request) (rest.Result, error) {
	t, by, err := i.ownerIn(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	if err := t.clients.remove(ctx, req.PathValue("client_id"), by); err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Client deleted successfully.", Value: ""}, nil
}

// ownerIn returns who owns what req registers, and the tenant that is in. A
// service owns it itself: a user it acts for must not be able to lead logins
// at the service's own client elsewhere.
func (i *Issuer) ownerIn(ctx context.Context, req *rest.Request) (*tenant, owner, error) {
	t := i.tenant(req.Caller.TenantID)
	if t == nil {
		return nil, "", pods.NotFound("Tenant with identifier tenant_id: '%s' not found", req.Caller.TenantID)
	}
	claims, err := i.authenticator.Verify(ctx, req.Header.Get(auth.HeaderToken))
	if err != nil {
		return nil, "", err
	}
	if claims.AccountType == auth.AccountService {
		return t, owner(ofService + claims.Username), nil
	}
	return t, owner(ofUser + claims.Username), nil
}

func readClientRequest(req *rest.Request) (clientRequest, error) {
	body, err := req.ReadJSON()
	if err != nil {
		return clientRequest{}, err
	}
	wanted := &clientRequest{}
	if json.Unmarshal(body, &wanted) != nil || wanted == nil {
		return clientRequest{}, invalidBody("expected a JSON object of strings")
	}
	return *wanted, nil
}

func (r clientRequest) apply(client *Client) {
	for _, part := range []struct {
		from *string
		to   *string
	}{
		{r.Key, &client.Key}, {r.CallbackURL, &client.CallbackURL},
		{r.DisplayName, &client.DisplayName}, {r.Description, &client.Description},
	} {
		if part.from != nil {
			*part.to = *part.from
		}
	}
}

func (r registered) view(t *tenant) clientView {
	return clientView{
		ID: r.ID, Key: r.Key, CallbackURL: r.CallbackURL, DisplayName: r.title(),
		Description: r.Description, Owner: r.owner.name(), TenantID: t.ID,
	}
}
