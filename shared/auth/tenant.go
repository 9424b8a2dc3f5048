package auth

import (
	"crypto/rsa"
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
	// Keys verify the tenant's tokens. At least one; more while keys rotate.
	Keys []Key
	// IssuesServiceTokens is true for the tenant whose tokens prove services of
	// a site. A service token of any other tenant is refused, because it may
	// speak for users of every tenant of the site.
	IssuesServiceTokens bool
}

// DefaultIssuerPath follows a tenant's base URL in the "iss" claim of its tokens
// when the tenant does not state an issuer.
const DefaultIssuerPath = "/v3/tokens"

// minKeyBits is the least RSA modulus that RS256 allows (RFC 7518 section 3.3).
const minKeyBits = 2048

// maxKeys bounds how many signatures one token without a key ID can cost.
const maxKeys = 8

// tenantID is what a tenant may be called: part of object names and of
// permission keys, so neither upper case nor punctuation.
var tenantID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

// Key is one public key of a tenant. Keys verify RS256 signatures and no others,
// whatever a token's header asks for.
type Key struct {
	// ID is compared with a token's "kid" header. A key without an ID is tried
	// for every token, as is every key for a token without one.
	ID string
	// PublicKey has at least 2048 bits.
	PublicKey *rsa.PublicKey
}

// fingerprint identifies the key material whatever the key is called.
func (k Key) fingerprint() [sha256.Size]byte {
	return sha256.Sum256(x509.MarshalPKCS1PublicKey(k.PublicKey))
}

// ParsePublicKey reads an RSA public key from PEM text, PKIX or PKCS #1.
func ParsePublicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("public key is not PEM")
	}
	if block.Type == "RSA PUBLIC KEY" {
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse public key: %w", err)
		}
		return key, nil
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("public key is %T, want RSA", parsed)
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
	if len(t.Keys) == 0 || len(t.Keys) > maxKeys {
		return fmt.Errorf("tenant %s has %d public keys, want 1 to %d", t.ID, len(t.Keys), maxKeys)
	}
	for _, key := range t.Keys {
		if key.PublicKey == nil || key.PublicKey.N.BitLen() < minKeyBits {
			return fmt.Errorf("tenant %s: key %q has fewer than %d bits", t.ID, key.ID, minKeyBits)
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
