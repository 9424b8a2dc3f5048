package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The two values of Claims.AccountType.
const (
	AccountUser    = "user"
	AccountService = "service"
)

// tokenTypeAccess is the tapis/token_type of an access token. Issuers that know
// no other kind leave it out.
const tokenTypeAccess = "access"

// Claims is what a verified access token says.
type Claims struct {
	// ID is the "jti" claim, empty when the token has none.
	ID       string
	TenantID string
	Username string
	// AccountType is AccountUser or AccountService.
	AccountType string
	// TargetSite is the site that a service token is meant for.
	TargetSite string
	// SiteAdmin says that the token makes its user a site admin, as the rules of
	// its tenant have it.
	SiteAdmin bool
	ExpiresAt time.Time
}

// tokenClaims is the body of a token. It has no "aud": the platform's issuers
// fill it with their own clients' names, which say nothing about this service.
type tokenClaims struct {
	Issuer      string           `json:"iss"`
	Subject     string           `json:"sub"`
	ID          string           `json:"jti"`
	ExpiresAt   *jwt.NumericDate `json:"exp"`
	NotBefore   *jwt.NumericDate `json:"nbf"`
	TenantID    string           `json:"tapis/tenant_id"`
	Username    string           `json:"tapis/username"`
	AccountType string           `json:"tapis/account_type"`
	TokenType   string           `json:"tapis/token_type"`
	TargetSite  string           `json:"tapis/target_site"`
	admin       bool             // found by the tenant's rules
}

// The methods of jwt.Claims that the validator reads.

func (c *tokenClaims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt, nil }
func (c *tokenClaims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (c *tokenClaims) GetNotBefore() (*jwt.NumericDate, error)      { return c.NotBefore, nil }
func (c *tokenClaims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *tokenClaims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c *tokenClaims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }

// check reports why a token with a good signature of tenant is not an access
// token that identifies somebody. Times are the validator's business.
func (c *tokenClaims) check(tenant *tenantEntry) error {
	if c.Issuer != tenant.Issuer {
		return fmt.Errorf("issuer is not that of tenant %s", tenant.ID)
	}
	if !tenant.Tokens.OIDC() {
		if err := c.checkOwn(); err != nil {
			return err
		}
	}
	if !validUsername(c.Username) {
		return errors.New("username is missing or not usable")
	}
	return nil
}

// checkOwn is check for what only tokens of the platform have.
func (c *tokenClaims) checkOwn() error {
	if c.TokenType != "" && c.TokenType != tokenTypeAccess {
		return errors.New("not an access token")
	}
	if c.AccountType != AccountUser && c.AccountType != AccountService {
		return errors.New("account type is neither user nor service")
	}
	if c.Subject != c.Username+"@"+c.TenantID {
		return errors.New("subject is not username@tenant")
	}
	return nil
}

func (c *tokenClaims) claims() Claims {
	return Claims{
		ID:          c.ID,
		TenantID:    c.TenantID,
		Username:    c.Username,
		AccountType: c.AccountType,
		TargetSite:  c.TargetSite,
		SiteAdmin:   c.admin,
		ExpiresAt:   c.ExpiresAt.Time,
	}
}

// maxUsernameBytes is far above any real name and keeps names out of the way of
// log lines and index limits.
const maxUsernameBytes = 256

// validUsername says whether name can be stored and shown: visible ASCII without
// a colon, which separates name and level in a stored permission.
func validUsername(name string) bool {
	if name == "" || len(name) > maxUsernameBytes {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == ':' {
			return false
		}
	}
	return true
}
