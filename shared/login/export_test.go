package login

import "time"

// What tests need of the inside.

// IsReturn is isReturn.
func IsReturn(target string) bool { return isReturn(target) }

// SealSession returns the cookie of a session at a host.
func (l *Login) SealSession(who Visitor, host string, until time.Time) string {
	return l.sessions.seal(&session{Expires: until.Unix(), Visitor: who}, host)
}

// OpenAny tries text as every kind of sealed value at a place, and reports
// whether it is one.
func (l *Login) OpenAny(text, place string) bool {
	now := l.options.Now()
	return l.states.open(text, place, now, &state{}) == nil || l.tickets.open(text, place, now, &ticket{}) == nil ||
		l.sessions.open(text, place, now, &session{}) == nil
}

// The names of the cookies.
const (
	CookieSession = cookieSession
	CookieNonce   = cookieNonce
)
