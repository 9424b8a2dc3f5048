// Package permissions decides who may do what with an object. Levels include
// the ones below them, and one function, Check, compares them for every route.
package permissions

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/pods-service/pods/shared/pods"
)

// Level is how much a user may do. The zero value is no access.
type Level int

// The levels, each including the ones before it.
const (
	None Level = iota
	Read
	User
	Admin
)

var names = []string{"NONE", "READ", "USER", "ADMIN"}

// String returns the level's name as the API shows it.
func (l Level) String() string { return names[l] }

// userPattern is what a user's name may be made of.
var userPattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.@-]{0,127}$`)

// Parse reads the level that is to be given to user.
//
// Errors: KindInvalid for a name that no user can have and for a level that
// cannot be given, NONE included.
func Parse(user, level string) (Level, error) {
	var errs []pods.FieldError
	if !userPattern.MatchString(user) {
		errs = append(errs, pods.FieldError{
			Location: []string{"body", "user"},
			Message:  "user must start with a letter or '_' and hold letters, digits and '_.@-' only",
		})
	}
	parsed, err := ParseLevel(level)
	if failure, ok := errors.AsType[*pods.Error](err); ok {
		errs = append(errs, failure.Fields...)
	}
	return parsed, pods.InvalidFields(errs)
}

// ParseLevel reads a level that can be given to a user.
//
// Errors: KindInvalid for any other text, NONE included.
func ParseLevel(text string) (Level, error) {
	if level := Level(slices.Index(names, text)); level >= Read {
		return level, nil
	}
	return None, pods.InvalidFields([]pods.FieldError{{
		Location: []string{"body", "level"},
		Message:  "level must be in " + strings.Join(names[Read:], ", "),
	}})
}

// Entry gives one user one level.
type Entry struct {
	User  string
	Level Level
}

// Set holds the entries of one object in the order they were made.
type Set []Entry

// Strings returns the entries as "user:LEVEL".
func (s Set) Strings() []string {
	texts := make([]string, len(s))
	for i, entry := range s {
		texts[i] = entry.User + ":" + entry.Level.String()
	}
	return texts
}

// Level returns what user may do; names are compared whole.
func (s Set) Level(user string) Level {
	for _, entry := range s {
		if entry.User == user {
			return entry.Level
		}
	}
	return None
}

// With returns s with user at level, in the place user had or at the end.
//
// Errors: KindInvalid when no user would be left with ADMIN.
func (s Set) With(user string, level Level) (Set, error) {
	set := slices.Clone(s)
	if i := slices.IndexFunc(set, func(e Entry) bool { return e.User == user }); i >= 0 {
		set[i].Level = level
	} else {
		set = append(set, Entry{user, level})
	}
	return set, set.checkAdmin()
}

// Without returns s without user.
//
// Errors: KindInvalid when user has no entry, or when no user would be left
// with ADMIN.
func (s Set) Without(user string) (Set, error) {
	i := slices.IndexFunc(s, func(e Entry) bool { return e.User == user })
	if i < 0 {
		return nil, pods.Invalid("No permission found for user '%s'", user)
	}
	set := slices.Delete(slices.Clone(s), i, i+1)
	return set, set.checkAdmin()
}

func (s Set) checkAdmin() error {
	if slices.ContainsFunc(s, func(e Entry) bool { return e.Level >= Admin }) {
		return nil
	}
	return pods.Invalid("Operation would leave the pod with no ADMIN-capable user. Rolling back.")
}

// Object is what access is asked to: its tenant and its entries.
type Object struct {
	TenantID string
	Set      Set
	// Missing is the error for a caller who may not know that the object is
	// there: the very one given when it is not.
	Missing error
}

// Check decides whether caller may act on object at level need.
//
// Errors: object.Missing when the caller may not even read it, KindForbidden
// when they may do less than need.
func Check(caller pods.Caller, object Object, need Level) error {
	if caller.TenantID != object.TenantID {
		return object.Missing
	}
	switch level := object.Set.Level(caller.Username); {
	case level >= need:
		return nil
	case level >= Read:
		return pods.Forbidden("Not authorized -- you do not have access to this endpoint. It needs level %s, you have %s.", need, level)
	}
	return object.Missing
}
