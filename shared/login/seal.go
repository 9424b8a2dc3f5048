package login

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// What sealed values are for. Each purpose has a key of its own, so that a
// value of one kind can never be taken for one of another.
const (
	purposeState   = "state"   // goes through the tenant's login
	purposeTicket  = "ticket"  // goes from the tenant's host to the pod's
	purposeSession = "session" // stays in the visitor's browser
)

// maxSealed bounds a sealed value in bytes; the longest holds a return path.
const maxSealed = 4 << 10

// errSealed is the error for every value that cannot be opened, whatever is
// wrong with it.
var errSealed = errors.New("the sealed value is damaged, out of date or meant for another place")

// encoding leaves one spelling per value.
var encoding = base64.RawURLEncoding.Strict()

// sealer seals values of one purpose: nobody but the service can read or make
// them.
type sealer struct{ aead cipher.AEAD }

// newSealer derives the purpose's key from that of the service.
func newSealer(key [KeySize]byte, purpose string) (sealer, error) {
	derived, err := hkdf.Key(sha256.New, key[:], nil, "pods login "+purpose, KeySize)
	if err != nil {
		return sealer{}, fmt.Errorf("derive the key of %s: %w", purpose, err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return sealer{}, fmt.Errorf("cipher of %s: %w", purpose, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealer{}, fmt.Errorf("cipher of %s: %w", purpose, err)
	}
	return sealer{aead}, nil
}

// timed is a value that can be sealed.
type timed interface{ expires() time.Time }

// seal returns value as text that can stand in a URL or a cookie. It can be
// opened at place alone.
func (s sealer) seal(value timed, place string) string {
	plain, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", value, err)) // texts and numbers always encode
	}
	return encoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(place)))
}

// open reads into value what was sealed for place and is still valid at now.
//
// Errors: errSealed.
func (s sealer) open(text, place string, now time.Time, value timed) error {
	// The decoder skips line breaks; refusing them leaves one spelling.
	if text == "" || len(text) > maxSealed || strings.ContainsAny(text, "\r\n") {
		return errSealed
	}
	sealed, err := encoding.DecodeString(text)
	if err != nil {
		return errSealed
	}
	plain, err := s.aead.Open(sealed[:0], nil, sealed, []byte(place))
	if err != nil || json.Unmarshal(plain, value) != nil || !now.Before(value.expires()) {
		return errSealed
	}
	return nil
}
