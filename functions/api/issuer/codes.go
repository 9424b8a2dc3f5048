package issuer

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"sync"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// codeLife is how long a browser and its application have between the login and
// the request for tokens.
const codeLife = time.Minute

// maxCodes bounds how many logins can be under way at once.
const maxCodes = 4096

// login is what a user has proved on the login page, and for whom.
type login struct {
	tenantID    string
	clientID    string
	redirectURI string
	challenge   string // of the S256 method; empty when the application sent none
	username    string
	expires     time.Time
}

// codes are the authorization codes that have been given and not yet used. It is
// safe for concurrent use.
type codes struct {
	now func() time.Time

	mu    sync.Mutex
	given map[string]login
}

func newCodes(now func() time.Time) *codes {
	return &codes{now: now, given: map[string]login{}}
}

// give returns a new code that stands for l until codeLife is over.
//
// Errors: KindExhausted when too many are out.
func (c *codes) give(l login) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if len(c.given) >= maxCodes {
		maps.DeleteFunc(c.given, func(_ string, old login) bool { return !now.Before(old.expires) })
	}
	if len(c.given) >= maxCodes {
		return "", pods.Exhausted("Too many people log in at once. Try again in a moment.")
	}
	code := rand.Text()
	l.expires = now.Add(codeLife)
	c.given[code] = l
	return code, nil
}

// take returns what code stands for and forgets it: whoever shows a code, rightly
// or not, uses it up (RFC 6749 section 4.1.2).
func (c *codes) take(code string) (login, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, found := c.given[code]
	delete(c.given, code)
	return l, found && c.now().Before(l.expires)
}

// provedBy says whether verifier shows that who asks for tokens also began the
// login (RFC 7636 section 4.6). A verifier for a login that was begun without a
// challenge fits none: somebody has taken the challenge out on its way.
func (l login) provedBy(verifier string) bool {
	if l.challenge == "" || verifier == "" {
		return l.challenge == verifier
	}
	digest := sha256.Sum256([]byte(verifier))
	return sameSecret(base64.RawURLEncoding.EncodeToString(digest[:]), l.challenge)
}
