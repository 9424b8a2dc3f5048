// Package permissions decides who may do what with an object. Levels include
// the ones below them, and one function, Check, compares them for every route.
package permissions

import (
	"errors"
	"fmt"
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

// Type is a type of object, as far as access to it differs.
type Type struct {
	Noun string // in messages: "pod"
	// Shared says that objects of the type belong to the site rather than to a
	// tenant: entries may have the keys that stand for many users.
	Shared bool
	// Visited says that objects of the type have visitors: an entry may let all
	// users of a tenant visit them, and means nothing else.
	Visited bool
}

// The types of objects.
var (
	PodType      = Type{Noun: "pod", Visited: true}
	TemplateType = Type{Noun: "template", Shared: true}
	VolumeType   = Type{Noun: "volume"}
	SnapshotType = Type{Noun: "snapshot"}
	// VisitType is a pod as visitors come to it, over the network.
	VisitType = Type{Noun: "pod", Shared: true}
)

// Keys of entries that stand for many users. On types that are not shared they
// mean nothing, but for a tenant's on what is visited.
const (
	KeyTenant    = "TENANT"  // all users of the object's tenant
	KeySite      = "SITE"    // all users of the object's site
	KeyEverybody = "**"      // all users of all sites
	tenantPrefix = "tenant." // and the id of a tenant: all its users
)

var (
	// userPattern is what a user's name may be made of.
	userPattern      = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.@-]{0,127}$`)
	tenantKeyPattern = regexp.MustCompile(`^tenant\.[a-z][a-z0-9-]{0,63}$`)
)

// isMany reports whether key stands for users of more than one tenant, which is
// for site admins to give.
func isMany(key string) bool { return key == KeyEverybody || strings.HasPrefix(key, tenantPrefix) }

// Parse reads the level that caller wants to give to key, a user's name or, on
// a shared type, one of the keys that stand for many.
//
// Errors: KindInvalid for a name that no user can have and for a level that
// cannot be given, NONE included; KindForbidden for a key that only site admins
// may give.
func (t Type) Parse(caller pods.Caller, key, level string) (Level, error) {
	var errs []pods.FieldError
	if message := t.keyProblem(key); message != "" {
		errs = append(errs, pods.FieldError{Location: []string{"body", "user"}, Message: message})
	}
	parsed, err := ParseLevel(level)
	if failure, ok := errors.AsType[*pods.Error](err); ok {
		errs = append(errs, failure.Fields...)
	}
	if err := pods.InvalidFields(errs); err != nil {
		return None, err
	}
	if !isMany(key) {
		return parsed, nil
	}
	if !caller.SiteAdmin {
		return None, pods.Forbidden("Not authorized -- only site admins may share a %s with '%s'.", t.Noun, key)
	}
	if parsed != Read {
		return None, pods.InvalidFields([]pods.FieldError{{
			Location: []string{"body", "level"}, Message: fmt.Sprintf("entries for '%s' only support READ level", key),
		}})
	}
	return parsed, nil
}

// keyProblem says what is wrong with the key of an entry, or nothing.
func (t Type) keyProblem(key string) string {
	isSpecial := key == KeyTenant || key == KeySite || isMany(key)
	isVisit := t.Visited && strings.HasPrefix(key, tenantPrefix)
	switch {
	case isSpecial && !t.Shared && !isVisit:
		return fmt.Sprintf("'%s' cannot be given access to a %s. Name users one by one.", key, t.Noun)
	case strings.HasPrefix(key, tenantPrefix) && !tenantKeyPattern.MatchString(key):
		return "tenant.<id> must name a tenant: lowercase letters, digits and '-'"
	case isSpecial || userPattern.MatchString(key):
		return ""
	}
	return "user must start with a letter or '_' and hold letters, digits and '_.@-' only"
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

// Entry gives one user, or all that a key stands for, one level.
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

// With returns set with key at level, in the place key had or at the end.
//
// Errors: KindInvalid when no user would be left with ADMIN.
func (t Type) With(set Set, key string, level Level) (Set, error) {
	set = slices.Clone(set)
	if i := slices.IndexFunc(set, func(e Entry) bool { return e.User == key }); i >= 0 {
		set[i].Level = level
	} else {
		set = append(set, Entry{key, level})
	}
	return set, t.checkAdmin(set)
}

// Without returns set without key.
//
// Errors: KindInvalid when key has no entry, or when no user would be left with
// ADMIN.
func (t Type) Without(set Set, key string) (Set, error) {
	i := slices.IndexFunc(set, func(e Entry) bool { return e.User == key })
	if i < 0 {
		return nil, pods.Invalid("No permission found for user '%s'", key)
	}
	set = slices.Delete(slices.Clone(set), i, i+1)
	return set, t.checkAdmin(set)
}

func (t Type) checkAdmin(set Set) error {
	if slices.ContainsFunc(set, func(e Entry) bool { return e.Level >= Admin }) {
		return nil
	}
	return pods.Invalid("Operation would leave the %s with no ADMIN-capable user. Rolling back.", t.Noun)
}

// Object is what access is asked to.
type Object struct {
	Type
	TenantID string
	SiteID   string
	Set      Set
	// Missing is the error for a caller who may not know that the object is
	// there: the very one given when it is not.
	Missing error
}

// Level returns what caller may do: the highest level that an entry gives them.
// A site admin in admin mode may do everything, but in another tenant only to
// what is shared.
func (o Object) Level(caller pods.Caller) Level {
	if caller.AdminMode && (o.Shared || caller.TenantID == o.TenantID) {
		return Admin
	}
	highest := None
	for _, entry := range o.Set {
		if o.applies(entry.User, caller) {
			highest = max(highest, entry.Level)
		}
	}
	return highest
}

// applies reports whether the entry with the key is for caller. Names are
// compared whole, and a user cannot be called as a key that stands for many.
func (o Object) applies(key string, caller pods.Caller) bool {
	isOwn := caller.TenantID == o.TenantID
	switch {
	case !o.Shared:
		return isOwn && key == caller.Username && !isMany(key)
	case key == KeyEverybody:
		return true
	case key == KeySite:
		return caller.SiteID == o.SiteID
	case key == KeyTenant:
		return isOwn
	case strings.HasPrefix(key, tenantPrefix):
		return key == tenantPrefix+caller.TenantID
	}
	return isOwn && key == caller.Username
}

// Check decides whether caller may act on object at level need.
//
// Errors: object.Missing when the caller may not even read it, KindForbidden
// when they may do less than need.
func Check(caller pods.Caller, object Object, need Level) error {
	switch level := object.Level(caller); {
	case level >= Read && level >= need:
		return nil
	case level >= Read:
		return pods.Forbidden("Not authorized -- you do not have access to this endpoint. It needs level %s, you have %s.", need, level)
	}
	return object.Missing
}
