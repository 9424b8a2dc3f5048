package auth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pods-service/pods/shared/pods"
)

// MaxTokenBytes is the longest token that is looked at. Real ones take about
// 1 KiB.
const MaxTokenBytes = 8 << 10

// leeway is how far an issuer's clock may differ from this machine's.
const leeway = 5 * time.Second

// cachedTokens bounds the memory for verified tokens to about 3 MiB. A hit
// saves the RSA operation and the parsing, 97 % of the work by
// BenchmarkAuthenticate.
const cachedTokens = 4096

// The reasons for which newer keys may make the same token good.
var (
	errUnknownTenant = errors.New("tenant is not known")
	errUnknownKey    = errors.New("tenant has no key with the token's key ID")
	errSignature     = errors.New("no key of the tenant verifies the signature")
)

// Verify checks that token is an access token of one of the registry's tenants
// that can be used now, and returns what it says. Neither the host of a request
// nor the rules for service tokens are looked at; see Authenticate.
//
// Every error is KindUnauthenticated, with the word "token" in its message. The
// cause says more and never quotes the token.
func (a *Authenticator) Verify(ctx context.Context, token string) (Claims, error) {
	verified, _, err := a.verify(ctx, token)
	if err != nil {
		return Claims{}, err
	}
	return verified.claims(), nil
}

func (a *Authenticator) verify(ctx context.Context, token string) (*tokenClaims, *tenantEntry, error) {
	if token == "" {
		return nil, nil, pods.Unauthenticated("No access token found in the request.")
	}
	if len(token) > MaxTokenBytes {
		return nil, nil, unparsable(fmt.Errorf("%d bytes, at most %d are read", len(token), MaxTokenBytes))
	}
	digest := sha256.Sum256([]byte(token))
	seen := a.registry.fresh(ctx)
	verified, tenant, err := a.checkSignature(seen, token, digest)
	if errors.Is(err, errUnknownTenant) || errors.Is(err, errUnknownKey) || errors.Is(err, errSignature) {
		if newer := a.registry.newer(ctx, seen); newer != seen {
			verified, tenant, err = a.checkSignature(newer, token, digest)
		}
	}
	switch {
	case errors.Is(err, errUnknownTenant):
		return nil, nil, unauthenticated("Unable to process Tapis token; unexpected tenant_id.", err)
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, nil, unparsable(err)
	case err != nil:
		return nil, nil, invalid(err)
	}
	if err := a.validator.Validate(&verified.claims); err != nil {
		a.cache.remove(digest)
		return nil, nil, invalid(err)
	}
	if err := verified.claims.check(tenant); err != nil {
		return nil, nil, invalid(err)
	}
	return &verified.claims, tenant, nil
}

// checkSignature parses token and verifies it with the keys that its tenant has
// in known. A signature verified before counts while its key is still there and
// claims are still read by the same rules.
func (a *Authenticator) checkSignature(
	known *tenants, token string, digest [sha256.Size]byte,
) (*verifiedToken, *tenantEntry, error) {
	if hit, ok := a.cache.get(digest); ok {
		tenant := known.of(&hit.claims)
		if tenant != nil && tenant.Tokens == hit.rules && slices.Contains(tenant.fingerprints, hit.key) {
			return hit, tenant, nil
		}
		a.cache.remove(digest)
	}
	// The decoder skips line breaks; refusing them leaves one spelling per token.
	if strings.ContainsAny(token, "\r\n") {
		return nil, nil, fmt.Errorf("line break in token: %w", jwt.ErrTokenMalformed)
	}
	verified := &verifiedToken{digest: digest}
	parsed, parts, err := a.parser.ParseUnverified(token, &verified.claims)
	if err != nil {
		return nil, nil, err
	}
	tenant := known.of(&verified.claims)
	if tenant == nil {
		return nil, nil, errUnknownTenant
	}
	// The header chooses neither the algorithm nor where the key comes from.
	if parsed.Method.Alg() != tenant.Tokens.algorithm() {
		return nil, nil, fmt.Errorf("algorithm is not %s", tenant.Tokens.algorithm())
	}
	if _, critical := parsed.Header["crit"]; critical {
		return nil, nil, errors.New("header has critical extensions")
	}
	keyID, _ := parsed.Header["kid"].(string)
	verified.key, err = tenant.verifyingKey(keyID, parts[0]+"."+parts[1], parsed.Signature)
	if err != nil {
		return nil, nil, err
	}
	if err := a.readByRules(parts[1], verified, tenant); err != nil {
		return nil, nil, err
	}
	a.cache.add(verified)
	return verified, tenant, nil
}

// readByRules reads what the tenant's rules look for in the body of a token,
// which has been decoded before.
func (a *Authenticator) readByRules(body string, verified *verifiedToken, tenant *tenantEntry) error {
	verified.rules = tenant.Tokens
	if !tenant.Tokens.OIDC() && tenant.Tokens.AdminClaim == "" {
		return nil
	}
	text, err := a.parser.DecodeSegment(body)
	if err != nil {
		return err
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	return tenant.Tokens.read(all, &verified.claims, tenant.ID)
}

// verifyingKey returns the fingerprint of the key that verifies the signature of
// text.
func (t *tenantEntry) verifyingKey(keyID, text string, signature []byte) ([sha256.Size]byte, error) {
	err := errUnknownKey
	for i, key := range t.Keys {
		if keyID != "" && key.ID != "" && key.ID != keyID {
			continue
		}
		if t.Tokens.method().Verify(text, signature, key.PublicKey) == nil {
			return t.fingerprints[i], nil
		}
		err = errSignature
	}
	return [sha256.Size]byte{}, err
}

func unparsable(cause error) error {
	return unauthenticated("Could not parse the Tapis access token.", cause)
}

func invalid(cause error) error { return unauthenticated("Invalid Tapis token.", cause) }

func unauthenticated(message string, cause error) error {
	return &pods.Error{Kind: pods.KindUnauthenticated, Message: message, Err: cause}
}
