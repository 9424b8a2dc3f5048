package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// How long the token of a service lasts, unless it asks for less or more.
const (
	serviceLife    = 24 * time.Hour
	maxServiceLife = 30 * 24 * time.Hour
)

// serviceTokenRequest is the body of POST /v3/tokens.
type serviceTokenRequest struct {
	Username   string `json:"token_username"`
	TenantID   string `json:"token_tenant_id"`
	Account    string `json:"account_type"`
	TTL        int64  `json:"access_token_ttl"` // seconds; 0 means serviceLife
	TargetSite string `json:"target_site_id"`
}

// createServiceToken serves POST /v3/tokens: it gives a service, which proves
// itself by its name and key, a token to act for users at a site.
//
// Errors: KindUnauthenticated for a wrong name or key, KindForbidden for another
// service's token, KindInvalid for what it cannot be.
func (i *Issuer) createServiceToken(_ context.Context, req *rest.Request) (rest.Result, error) {
	name, key, _ := req.BasicAuth()
	service, found := i.service(name)
	first := i.tenants[0]
	tried := attempt{tenant: first, name: name, secret: key, message: "Invalid service credentials; no token was created."}
	if err := i.check(req.Request, tried, service.Key, found); err != nil {
		return rest.Result{}, err
	}
	body, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	var wanted serviceTokenRequest
	if json.Unmarshal(body, &wanted) != nil {
		return rest.Result{}, invalidBody("expected a JSON object of strings and a whole number of seconds")
	}
	if err := wanted.check(first.ID); err != nil {
		return rest.Result{}, err
	}
	if wanted.Username != name {
		return rest.Result{}, pods.Forbidden("The service %s can ask for itself only.", name)
	}
	life := serviceLife
	if wanted.TTL > 0 {
		life = time.Duration(wanted.TTL) * time.Second
	}
	token, valid, err := first.sign(grant{kind: "service", username: name, targetSite: wanted.TargetSite},
		typeAccess, i.config.Now(), life)
	if err != nil {
		return rest.Result{}, fmt.Errorf("issue token of service %s: %w", name, err)
	}
	return rest.Result{
		Message: "Token created successfully.", Value: tokensView{Access: accessView{Token: token, validity: valid}},
	}, nil
}

// check reports everything that a token cannot be made with. Only tenantID
// issues tokens of services.
func (r serviceTokenRequest) check(tenantID string) error {
	var wrong []pods.FieldError
	if r.Username == "" {
		wrong = append(wrong, field("token_username", "is required"))
	}
	if r.TenantID != tenantID {
		wrong = append(wrong, field("token_tenant_id", "must be "+tenantID))
	}
	if r.Account != auth.AccountService {
		wrong = append(wrong, field("account_type", "must be "+auth.AccountService))
	}
	if r.TTL < 0 || r.TTL > int64(maxServiceLife/time.Second) {
		wrong = append(wrong, field("access_token_ttl", "must be at most 30 days, in seconds"))
	}
	if r.TargetSite == "" {
		wrong = append(wrong, field("target_site_id", "is required"))
	}
	return pods.InvalidFields(wrong)
}

// service returns the service with the given name, or false.
func (i *Issuer) service(name string) (Client, bool) {
	for _, service := range i.config.Services {
		if service.ID == name {
			return service, true
		}
	}
	return Client{}, false
}
