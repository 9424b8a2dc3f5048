package issuer

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pods-service/pods/shared/pods"
)

// Client is an application that can ask for refresh tokens and send its users to
// log in here, or a service, which has an ID and a key alone.
type Client struct {
	ID  string
	Key string
	// CallbackURL is where a browser returns to after a login; without one users
	// cannot log in for the application.
	CallbackURL string
	DisplayName string // shown at the login; empty means the ID
	Description string
}

// Bounds of what a client is registered with, in bytes and characters.
const (
	maxCallbackBytes = 2000
	maxNameLength    = 100
	maxDescription   = 500
)

// The key needs no escaping: some clients escape it in Basic credentials, as RFC
// 6749 section 2.3.1 has it, and others do not.
var (
	clientIDPattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$`)
	clientKeyPattern = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,200}$`)
)

// check reports everything that is wrong with c.
func (c Client) check() error {
	var wrong []pods.FieldError
	if !clientIDPattern.MatchString(c.ID) {
		wrong = append(wrong, field("client_id", "must be 1 to 200 letters, digits, dots, hyphens and underscores, the first one a letter or digit"))
	}
	if !clientKeyPattern.MatchString(c.Key) {
		wrong = append(wrong, field("client_key", "must be 1 to 200 letters, digits, dots, hyphens, underscores and tildes"))
	}
	if problem := callbackProblem(c.CallbackURL); c.CallbackURL != "" && problem != "" {
		wrong = append(wrong, field("callback_url", problem))
	}
	if !readable(c.DisplayName, maxNameLength) {
		wrong = append(wrong, field("display_name", "must be at most 100 characters that can be seen"))
	}
	if !readable(c.Description, maxDescription) {
		wrong = append(wrong, field("description", "must be at most 500 characters that can be seen"))
	}
	return pods.InvalidFields(wrong)
}

// callbackProblem says why no browser is to be sent to address with a code in it,
// or "".
func callbackProblem(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || len(address) > maxCallbackBytes || u.Hostname() == "" || u.User != nil:
		return "must be an absolute http or https URL of at most 2000 bytes, without a user"
	case strings.Contains(address, "#"):
		return "must have no fragment"
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return ""
	case u.Scheme == "http":
		return "must begin with https:// unless its host is this machine, as localhost is"
	}
	return "must be an absolute http or https URL of at most 2000 bytes, without a user"
}

// readable says whether text can be shown to people who may not trust its author:
// it has no characters that hide themselves or turn the text around them.
func readable(text string, length int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= length &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// title returns what the client is called at the login.
func (c Client) title() string {
	if c.DisplayName == "" {
		return c.ID
	}
	return c.DisplayName
}
