package login

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"
)

// How long the values of a login last.
const (
	stateLife   = 10 * time.Minute // to type a password
	ticketLife  = time.Minute      // one redirect
	sessionLife = 4 * time.Hour    // at most; never longer than the token it came from
)

// The cookies of the login. Browsers take names that start so from the very
// host alone, over TLS and for all paths: no other pod can set them.
const (
	cookieSession = "__Host-pods-session"
	cookieNonce   = "__Host-pods-login"
)

// Visitor is a user who has logged in.
type Visitor struct {
	TenantID string `json:"t"`
	SiteID   string `json:"s"`
	Username string `json:"u"`
}

// state is what a login carries through the tenant.
type state struct {
	Expires  int64  `json:"e"` // Unix seconds, as everywhere here
	Origin   string `json:"o"` // of the pod: scheme, host and port
	Nonce    []byte `json:"n"` // hash of the nonce in the browser that has begun
	Return   string `json:"r"` // path and query
	Verifier string `json:"v"` // of PKCE (RFC 7636)
}

// ticket brings a finished login to the pod's host.
type ticket struct {
	Expires int64   `json:"e"`
	Nonce   []byte  `json:"n"`
	Return  string  `json:"r"`
	Visitor Visitor `json:"w"`
	Until   int64   `json:"x"` // end of the token, and so of the session
}

// session is what a visitor's browser shows with every request.
type session struct {
	Expires int64   `json:"e"`
	Visitor Visitor `json:"w"`
}

func (s *state) expires() time.Time   { return time.Unix(s.Expires, 0) }
func (t *ticket) expires() time.Time  { return time.Unix(t.Expires, 0) }
func (s *session) expires() time.Time { return time.Unix(s.Expires, 0) }

// nonceSize is how many random bytes a nonce has before it is encoded.
const nonceSize = 32

func newNonce() string {
	random := make([]byte, nonceSize)
	_, _ = rand.Read(random) // never fails
	return encoding.EncodeToString(random)
}

// isNonce reports whether text looks like what newNonce returns.
func isNonce(text string) bool {
	random, err := encoding.DecodeString(text)
	return err == nil && len(random) == nonceSize && len(text) == encoding.EncodedLen(nonceSize)
}

func hashOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// proves reports whether nonce is the one that has the hash.
func proves(nonce string, hash []byte) bool {
	return isNonce(nonce) && subtle.ConstantTimeCompare(hashOf(nonce), hash) == 1
}

// hostCookie returns a cookie of the login. A life of zero removes it.
func hostCookie(name, value string, life time.Duration) *http.Cookie {
	cookie := &http.Cookie{
		Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(life / time.Second),
	}
	if life <= 0 {
		cookie.MaxAge = -1
	}
	return cookie
}
