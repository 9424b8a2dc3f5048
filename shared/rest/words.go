package rest

import (
	"errors"
	"regexp"

	"github.com/pods-service/pods/shared/pods"
)

// sessionWords end the session in web interfaces of the platform: where the
// message of an error holds one of them, its user is logged out. So errors that
// a login is to blame for say "token", and no other error has any of these.
var sessionWords = regexp.MustCompile(`(?i)token|401|unauthorized|unauthenticated|invalid_credentials`)

// loginError is an error that a login is to blame for, whatever its kind.
type loginError struct{ error }

// Unwrap returns the error itself.
func (e loginError) Unwrap() error { return e.error }

// AboutLogin marks an error, which may be nil, as one that a login is to blame
// for. Those of KindUnauthenticated need no mark.
func AboutLogin(err error) error {
	if err == nil {
		return nil
	}
	return loginError{err}
}

// aboutLogin says whether a user who logs in again may be better off.
func aboutLogin(err error) bool {
	_, marked := errors.AsType[loginError](err)
	return marked || pods.KindOf(err) == pods.KindUnauthenticated
}

// harmless returns message without session words. The service's own texts have
// none, but they quote what users call things: a space of no width goes into
// each word, so that people read the same and programs do not find it.
func harmless(message string) string {
	return sessionWords.ReplaceAllStringFunc(message, func(word string) string {
		return word[:1] + "\u200b" + word[1:]
	})
}
