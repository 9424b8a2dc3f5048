package issuer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/pods"
)

// codeLife is how long a browser and its application have between the login and
// the request for tokens.
const codeLife = time.Minute

// maxCodes bounds how many logins can be under way at once.
const maxCodes = 4096

// kindCode is that of the records for codes, which nobody owns.
const kindCode = "code"

// login is what a user has proved on the login page, and for whom.
type login struct {
	TenantID    string `json:"tenant_id"`
	ClientID    string `json:"client_id"`
	RedirectURI string `json:"redirect_uri"`
	Challenge   string `json:"challenge"` // of the S256 method; empty when the application sent none
	Username    string `json:"username"`
}

// giveCode returns a new authorization code that stands for l until codeLife is
// over.
//
// Errors: KindExhausted when too many are out, KindUnavailable.
func (i *Issuer) giveCode(ctx context.Context, l login) (string, error) {
	code, value := rand.Text(), encode(l)
	err := i.records.AddRecord(ctx, cache.Record{Kind: kindCode, Name: code, Value: value}, maxCodes, codeLife)
	if pods.KindOf(err) == pods.KindExhausted {
		return "", pods.Exhausted("Too many people log in at once. Try again in a moment.")
	}
	return code, err
}

// takeCode returns what code stands for and forgets it: whoever shows a code,
// rightly or not, uses it up (RFC 6749 section 4.1.2).
//
// Errors: KindNotFound, KindUnavailable.
func (i *Issuer) takeCode(ctx context.Context, code string) (login, error) {
	record, err := i.records.TakeRecord(ctx, kindCode, "", code)
	if err != nil {
		return login{}, err
	}
	var l login
	return l, json.Unmarshal(record.Value, &l)
}

// encode returns what records hold.
func encode(value any) []byte {
	encoded, _ := json.Marshal(value) // texts always encode
	return encoded
}

// provedBy says whether verifier shows that who asks for tokens also began the
// login (RFC 7636 section 4.6). A verifier for a login that was begun without a
// challenge fits none: somebody has taken the challenge out on its way.
func (l login) provedBy(verifier string) bool {
	if l.Challenge == "" || verifier == "" {
		return l.Challenge == verifier
	}
	digest := sha256.Sum256([]byte(verifier))
	return sameSecret(base64.RawURLEncoding.EncodeToString(digest[:]), l.Challenge)
}
