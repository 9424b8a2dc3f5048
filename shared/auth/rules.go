package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// TokenRules say what the tokens of a tenant look like. The zero value means
// tokens of the platform: signed with RS256, with its own claims. Two rules can
// be compared with ==.
type TokenRules struct {
	// Algorithm is the one algorithm that signs the tenant's tokens, by its name
	// in RFC 7518 or RFC 8037. A token that names another is refused. Empty means
	// RS256.
	Algorithm string
	// Audience makes the tenant one whose tokens come from an OpenID Connect
	// provider: "iss" says which tenant a token is of, and "aud" must hold this
	// value, because a provider signs for other applications too. Empty means
	// tokens of the platform.
	Audience string
	// UsernameClaim names the claim of an OpenID Connect token that holds the
	// user's name. Empty means "preferred_username".
	UsernameClaim string
	// AdminClaim names the claim that makes a user a site admin when it is, or
	// holds, AdminRole: a list of strings, or a string with spaces between roles.
	// Dots lead into objects: "realm_access.roles". Empty means that no token
	// does. Whoever signs such tokens decides who looks after the whole site.
	AdminClaim string
	AdminRole  string
}

// DefaultAlgorithm signs the tokens of tenants that state none.
const DefaultAlgorithm = "RS256"

const defaultUsernameClaim = "preferred_username"

// minKeyBits is the least RSA modulus that RS256 allows (RFC 7518 section 3.3).
const minKeyBits = 2048

// algorithms are those that a tenant can have: signatures with public keys.
var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// OIDC says whether the tokens come from an OpenID Connect provider.
func (r TokenRules) OIDC() bool { return r.Audience != "" }

func (r TokenRules) algorithm() string {
	if r.Algorithm == "" {
		return DefaultAlgorithm
	}
	return r.Algorithm
}

func (r TokenRules) method() jwt.SigningMethod { return jwt.GetSigningMethod(r.algorithm()) }

// check reports the first thing that makes the rules unusable.
func (r TokenRules) check() error {
	if !slices.Contains(algorithms, r.algorithm()) {
		return fmt.Errorf("algorithm %q is none of %s", r.Algorithm, strings.Join(algorithms, ", "))
	}
	if r.UsernameClaim != "" && !r.OIDC() {
		return errors.New("a username claim is for OpenID Connect providers, which need an audience")
	}
	if (r.AdminClaim == "") != (r.AdminRole == "") {
		return errors.New("an admin claim and an admin role need each other")
	}
	return nil
}

// fits reports why key cannot verify signatures by the rules' algorithm.
func (r TokenRules) fits(key crypto.PublicKey) error {
	fits := false
	switch method := r.method().(type) {
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		key, ok := key.(*rsa.PublicKey)
		if ok && key.N.BitLen() < minKeyBits {
			return fmt.Errorf("has fewer than %d bits", minKeyBits)
		}
		fits = ok
	case *jwt.SigningMethodECDSA:
		key, ok := key.(*ecdsa.PublicKey)
		fits = ok && key.Curve.Params().BitSize == method.CurveBits
	case *jwt.SigningMethodEd25519:
		_, fits = key.(ed25519.PublicKey)
	}
	if !fits {
		return fmt.Errorf("is %T, which is not for %s", key, r.algorithm())
	}
	return nil
}

// read fills in what the rules find in the claims of a token with a good
// signature, all of them, and in what it says of the platform's own.
//
// Errors: when an OpenID Connect token is not meant for this service.
func (r TokenRules) read(all map[string]any, claims *tokenClaims, tenantID string) error {
	claims.admin = r.AdminClaim != "" && holds(claim(all, r.AdminClaim), r.AdminRole)
	if !r.OIDC() {
		return nil
	}
	if !slices.Contains(texts(all["aud"]), r.Audience) {
		return errors.New("audience is not this service")
	}
	name := r.UsernameClaim
	if name == "" {
		name = defaultUsernameClaim
	}
	claims.Username, _ = claim(all, name).(string)
	claims.TenantID, claims.AccountType, claims.TargetSite = tenantID, AccountUser, ""
	return nil
}

// claim returns the claim of that name, or the one to which its dots lead.
func claim(claims map[string]any, path string) any {
	if value, found := claims[path]; found {
		return value
	}
	outer, inner, nested := strings.Cut(path, ".")
	object, isObject := claims[outer].(map[string]any)
	if !nested || !isObject {
		return nil
	}
	return claim(object, inner)
}

// holds says whether a claim is role or has it among others.
func holds(value any, role string) bool {
	if text, isText := value.(string); isText {
		return slices.Contains(strings.Fields(text), role)
	}
	return slices.Contains(texts(value), role)
}

// texts returns the strings of a claim that is one or a list of them.
func texts(value any) []string {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		var list []string
		for _, item := range value {
			if text, isText := item.(string); isText {
				list = append(list, text)
			}
		}
		return list
	}
	return nil
}
