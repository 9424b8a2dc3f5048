package login

import (
	"context"
	"slices"
	"strings"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// Names in a list of allowed users that stand for many.
const everybody = "*"

var groups = map[string]permissions.Level{
	"AUTHORIZED_READS":  permissions.Read,
	"AUTHORIZED_USERS":  permissions.User,
	"AUTHORIZED_ADMINS": permissions.Admin,
}

// admits reports whether who may pass the entry. No list, or one with "*", is
// for every user of the pod's tenant; names are literal and their case does not
// matter. Users of another tenant pass only where a permission on the pod is for
// their tenant, and then as those who may read it.
//
// Errors: those of the store, where permissions decide.
func (l *Login) admits(ctx context.Context, entry Entry, who Visitor) (bool, error) {
	allowed := entry.Networking.TapisAuthAllowedUsers
	isOwn := who.TenantID == entry.TenantID
	isForAll := len(allowed) == 0 || slices.Contains(allowed, everybody)
	if isOwn && (isForAll || slices.ContainsFunc(allowed, func(name string) bool { return strings.EqualFold(name, who.Username) })) {
		return true, nil
	}
	need, hasGroup := lowestGroup(allowed)
	if isForAll {
		need, hasGroup = permissions.Read, true
	}
	if !hasGroup {
		return false, nil
	}
	set, err := l.members.of(ctx, entry.TenantID, entry.PodID)
	if err != nil {
		return false, err
	}
	tenant, _ := l.options.Tenants.Find(ctx, entry.TenantID) // without one nobody is of its site
	object := permissions.Object{
		Type: permissions.VisitType, TenantID: entry.TenantID, SiteID: tenant.SiteID, Set: set, Missing: errNotAllowed,
	}
	caller := pods.Caller{TenantID: who.TenantID, SiteID: who.SiteID, Username: who.Username}
	return permissions.Check(caller, object, need) == nil, nil
}

// errNotAllowed is never shown: notAllowed says more.
var errNotAllowed = pods.Forbidden("not allowed")

// lowestGroup returns the lowest level that a group in the list stands for.
func lowestGroup(allowed []string) (level permissions.Level, found bool) {
	for _, name := range allowed {
		if of, isGroup := groups[name]; isGroup && (!found || of < level) {
			level, found = of, true
		}
	}
	return level, found
}
