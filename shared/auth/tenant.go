package auth

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"github.com/pods-service/pods/shared/pods"
)

// Tenant is a tenant together with what its tokens are checked against.
type Tenant struct {
	pods.Tenant
	// BaseURL is the address at which the tenant's users reach the API.
	BaseURL string
	// AlternateURLs are further addresses that mean the same tenant.
	AlternateURLs []string
	// Issuer is the "iss" claim of the tenant's tokens. Empty means BaseURL
	// followed by DefaultIssuerPath.
	Issuer string
	// Keys verify the tenant's tokens. At least one; more while keys rotate. A
	// tenant with an OpenID Connect provider may have none yet.
	Keys []Key
	// Tokens says what the tenant's tokens look like.
	Tokens TokenRules
	// IssuesServiceTokens is true for the tenant whose tokens prove services of
	// a site. A service token of any other tenant is refused, because it may
	// speak for users of every tenant of the site.
	IssuesServiceTokens bool
}

// DefaultIssuerPath follows a tenant's base URL in the "iss" claim of its tokens
// when the tenant does not state an issuer.
const DefaultIssuerPath = "/v3/tokens"

// maxKeys bounds how many signatures one token without a key ID can cost.
const maxKeys = 8

// tenantID is what a tenant may be called: part of object names and of
// permission keys, so neither upper case nor punctuation.
var tenantID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

// Key is one public key of a tenant. Keys verify signatures by the tenant's
// algorithm and no other, whatever a token's header asks for.
type Key struct {
	// ID is compared with a token's "kid" header. A key without an ID is tried
	// for every token, as is every key for a token without one.
	ID string
	// PublicKey fits the tenant's algorithm: an *rsa.PublicKey of at least 2048
	// bits, an *ecdsa.PublicKey or an ed25519.PublicKey.
	PublicKey crypto.PublicKey
}

// fingerprint identifies the key material whatever the key is called.
func (k Key) fingerprint() [sha256.Size]byte {
	der, _ := x509.MarshalPKIXPublicKey(k.PublicKey) // cannot fail: the key fits an algorithm
	return sha256.Sum256(der)
}

// ParsePublicKey reads a public key from PEM text, PKIX or PKCS #1.
func ParsePublicKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("public key is not PEM")
	}
	var key crypto.PublicKey
	var err error
	if block.Type == "RSA PUBLIC KEY" {
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	} else {
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	return key, nil
}

// check reports the first thing that makes the tenant unusable.
func (t *Tenant) check() error {
	if !tenantID.MatchString(t.ID) {
		return fmt.Errorf("tenant %q: the ID must start with a letter and hold only a-z, 0-9 and hyphens, at most 64", t.ID)
	}
	if t.SiteID == "" {
		return fmt.Errorf("tenant %s has no site", t.ID)
	}
	for _, address := range t.addresses() {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
			return fmt.Errorf("tenant %s: %q is not an http or https address", t.ID, address)
		}
	}
	if err := t.Tokens.check(); err != nil {
		return fmt.Errorf("tenant %s: %w", t.ID, err)
	}
	if t.Tokens.OIDC() && t.Issuer == "" {
		return fmt.Errorf("tenant %s: an OpenID Connect provider needs an issuer", t.ID)
	}
	if len(t.Keys) > maxKeys || len(t.Keys) == 0 && !t.Tokens.OIDC() {
		return fmt.Errorf("tenant %s has %d public keys, want 1 to %d", t.ID, len(t.Keys), maxKeys)
	}
	for _, key := range t.Keys {
		if err := t.Tokens.fits(key.PublicKey); err != nil {
			return fmt.Errorf("tenant %s: key %q %w", t.ID, key.ID, err)
		}
	}
	return nil
}

// AddressOn returns the tenant's address on host, which is compared as in
// Registry.TenantByHost, and false when it has none there.
func (t *Tenant) AddressOn(host string) (string, bool) {
	for _, address := range t.addresses() {
		if parsed, err := url.Parse(address); err == nil && normalHost(parsed.Host) == normalHost(host) {
			return address, true
		}
	}
	return "", false
}

// addresses returns every URL that means the tenant, the base URL first.
func (t *Tenant) addresses() []string {
	return append([]string{t.BaseURL}, t.AlternateURLs...)
}
