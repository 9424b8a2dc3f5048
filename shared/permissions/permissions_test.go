package permissions_test

import (
	"slices"
	"testing"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

func TestCheck(t *testing.T) {
	t.Parallel()

	missing := pods.PodNotFound("db")
	object := permissions.Object{Type: permissions.PodType, TenantID: "dev", Missing: missing, Set: permissions.Set{
		{User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read},
	}}
	tests := map[string]struct {
		caller pods.Caller
		need   permissions.Level
		want   pods.Kind
	}{
		"Owner":        {pods.Caller{TenantID: "dev", Username: "alice"}, permissions.Admin, ""},
		"Includes":     {pods.Caller{TenantID: "dev", Username: "alice"}, permissions.Read, ""},
		"TooLow":       {pods.Caller{TenantID: "dev", Username: "bob"}, permissions.User, pods.KindForbidden},
		"Stranger":     {pods.Caller{TenantID: "dev", Username: "carol"}, permissions.Read, pods.KindNotFound},
		"Prefix":       {pods.Caller{TenantID: "dev", Username: "ali"}, permissions.Read, pods.KindNotFound},
		"Longer":       {pods.Caller{TenantID: "dev", Username: "alice2"}, permissions.Read, pods.KindNotFound},
		"OtherTenant":  {pods.Caller{TenantID: "dev2", Username: "alice"}, permissions.Read, pods.KindNotFound},
		"NobodyAtNone": {pods.Caller{TenantID: "dev2"}, permissions.None, pods.KindNotFound},
		"AdminMode":    {pods.Caller{TenantID: "dev", Username: "root", AdminMode: true}, permissions.Admin, ""},
		"AdminNoMode":  {pods.Caller{TenantID: "dev", Username: "root", SiteAdmin: true}, permissions.Read, pods.KindNotFound},
		"AdminOutside": {pods.Caller{TenantID: "dev2", Username: "root", AdminMode: true}, permissions.Read, pods.KindNotFound},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := pods.KindOf(permissions.Check(tc.caller, object, tc.need)); got != tc.want {
				t.Errorf("Check = %q, want %q", got, tc.want)
			}
		})
	}
}

// TestSharedObject goes through the keys that stand for many users, on a type
// that knows them and on one that does not.
func TestSharedObject(t *testing.T) {
	t.Parallel()

	callers := map[string]pods.Caller{
		"own":    {TenantID: "dev", SiteID: "site", Username: "bob"},
		"site":   {TenantID: "dev2", SiteID: "site", Username: "bob"},
		"other":  {TenantID: "far", SiteID: "away", Username: "bob"},
		"TENANT": {TenantID: "far", SiteID: "away", Username: "TENANT"}, // a user may be called so
		"SITE":   {TenantID: "dev", SiteID: "away", Username: "SITE"},
	}
	for key, want := range map[string][]string{
		"TENANT":      {"SITE", "own"}, // of the tenant too, whatever they are called
		"SITE":        {"own", "site"},
		"tenant.dev2": {"site"},
		"tenant.dev":  {"SITE", "own"},
		"tenant.de":   nil,
		"**":          {"SITE", "TENANT", "other", "own", "site"},
		"bob":         {"own"},
		"*":           nil,
	} {
		object := permissions.Object{
			Type: permissions.TemplateType, TenantID: "dev", SiteID: "site", Missing: pods.NotFound("gone"),
			Set: permissions.Set{{User: "alice", Level: permissions.Admin}, {User: key, Level: permissions.Read}},
		}
		if got := allowed(object, callers); !slices.Equal(got, want) {
			t.Errorf("%s of a template lets %v in, want %v", key, got, want)
		}
		if object.Type = permissions.PodType; key != "bob" {
			if got := slices.DeleteFunc(allowed(object, callers), func(name string) bool { return name == key }); len(got) > 0 {
				t.Errorf("%s of a pod lets %v in, want nobody", key, got)
			}
		}
	}
	named := pods.Caller{TenantID: "dev", SiteID: "site", Username: "tenant.far"}
	pod := permissions.Object{Type: permissions.PodType, TenantID: "dev", SiteID: "site", Set: permissions.Set{{User: "tenant.far", Level: permissions.Read}}}
	if got := pod.Level(named); got != permissions.None {
		t.Errorf("a user called as a tenant's key has %s of a pod", got)
	}
	highest := permissions.Object{Type: permissions.TemplateType, TenantID: "dev", Set: permissions.Set{
		{User: "TENANT", Level: permissions.User}, {User: "bob", Level: permissions.Read},
	}}
	if got := highest.Level(callers["own"]); got != permissions.User {
		t.Errorf("the level is %s, want the highest that applies, USER", got)
	}
	if got := highest.Level(pods.Caller{TenantID: "far", AdminMode: true}); got != permissions.Admin {
		t.Errorf("a site admin in admin mode has %s of a template, want ADMIN", got)
	}
}

func allowed(object permissions.Object, callers map[string]pods.Caller) []string {
	var names []string
	for name, caller := range callers {
		if permissions.Check(caller, object, permissions.Read) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestSet(t *testing.T) {
	t.Parallel()

	pod := permissions.PodType
	set := permissions.Set{{User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read}}
	changed, err := pod.With(set, "bob", permissions.User)
	if err != nil || !slices.Equal(changed.Strings(), []string{"alice:ADMIN", "bob:USER"}) {
		t.Errorf("With replaces: %v, %v", changed.Strings(), err)
	}
	if _, err := pod.With(set, "alice", permissions.User); pods.KindOf(err) != pods.KindInvalid {
		t.Errorf("lowering the last ADMIN = %v, want invalid", err)
	}
	if _, err := pod.Without(set, "alice"); pods.KindOf(err) != pods.KindInvalid {
		t.Errorf("removing the last ADMIN = %v, want invalid", err)
	}
	if _, err := pod.Without(set, "carol"); pods.KindOf(err) != pods.KindInvalid {
		t.Errorf("removing nobody = %v, want invalid", err)
	}
	if !slices.Equal(set.Strings(), []string{"alice:ADMIN", "bob:READ"}) {
		t.Errorf("the set itself changed: %v", set.Strings())
	}
}

func TestParse(t *testing.T) {
	t.Parallel()

	alice, admin := pods.Caller{Username: "alice"}, pods.Caller{Username: "root", SiteAdmin: true}
	tests := []struct {
		kind       permissions.Type
		caller     pods.Caller
		key, level string
		want       pods.Kind
	}{
		{permissions.PodType, alice, "bob", "READ", ""},
		{permissions.PodType, alice, "bob", "USER", ""},
		{permissions.PodType, alice, "bob@x.org", "ADMIN", ""},
		{permissions.PodType, alice, "bob", "NONE", pods.KindInvalid},
		{permissions.PodType, alice, "bob", "read", pods.KindInvalid},
		{permissions.PodType, alice, "bob", "", pods.KindInvalid},
		{permissions.PodType, alice, "", "READ", pods.KindInvalid},
		{permissions.PodType, alice, "a:ADMIN", "READ", pods.KindInvalid},
		{permissions.PodType, alice, "x y", "READ", pods.KindInvalid},
		{permissions.PodType, alice, "TENANT", "READ", pods.KindInvalid},
		{permissions.PodType, alice, "tenant.dev", "READ", pods.KindForbidden},
		{permissions.PodType, admin, "tenant.dev", "READ", ""},
		{permissions.PodType, admin, "tenant.dev", "USER", pods.KindInvalid},
		{permissions.PodType, admin, "tenant.Dev", "READ", pods.KindInvalid},
		{permissions.PodType, admin, "**", "READ", pods.KindInvalid},
		{permissions.TemplateType, alice, "TENANT", "USER", ""},
		{permissions.TemplateType, alice, "SITE", "READ", ""},
		{permissions.TemplateType, alice, "tenant.dev", "READ", pods.KindForbidden},
		{permissions.TemplateType, alice, "**", "READ", pods.KindForbidden},
		{permissions.TemplateType, admin, "tenant.dev", "READ", ""},
		{permissions.TemplateType, admin, "**", "READ", ""},
		{permissions.TemplateType, admin, "tenant.dev", "USER", pods.KindInvalid},
		{permissions.TemplateType, admin, "**", "ADMIN", pods.KindInvalid},
		{permissions.TemplateType, admin, "tenant.Dev", "READ", pods.KindInvalid},
		{permissions.TemplateType, admin, "*", "READ", pods.KindInvalid},
	}
	for _, tc := range tests {
		level, err := tc.kind.Parse(tc.caller, tc.key, tc.level)
		if got := pods.KindOf(err); got != tc.want || err == nil && level.String() != tc.level {
			t.Errorf("%s: %s giving %q %q = %v, %v, want kind %q", tc.kind.Noun, tc.caller.Username, tc.key, tc.level, level, err, tc.want)
		}
	}
}
