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
	object := permissions.Object{TenantID: "dev", Missing: missing, Set: permissions.Set{
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

func TestSet(t *testing.T) {
	t.Parallel()

	set := permissions.Set{{User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read}}
	changed, err := set.With("bob", permissions.User)
	if err != nil || !slices.Equal(changed.Strings(), []string{"alice:ADMIN", "bob:USER"}) {
		t.Errorf("With replaces: %v, %v", changed.Strings(), err)
	}
	if _, err := set.With("alice", permissions.User); pods.KindOf(err) != pods.KindInvalid {
		t.Errorf("lowering the last ADMIN = %v, want invalid", err)
	}
	if _, err := set.Without("alice"); pods.KindOf(err) != pods.KindInvalid {
		t.Errorf("removing the last ADMIN = %v, want invalid", err)
	}
	if _, err := set.Without("carol"); pods.KindOf(err) != pods.KindInvalid {
		t.Errorf("removing nobody = %v, want invalid", err)
	}
	if !slices.Equal(set.Strings(), []string{"alice:ADMIN", "bob:READ"}) {
		t.Errorf("the set itself changed: %v", set.Strings())
	}
}

func TestParse(t *testing.T) {
	t.Parallel()

	for _, level := range []string{"READ", "USER", "ADMIN"} {
		if got, err := permissions.Parse("bob", level); err != nil || got.String() != level {
			t.Errorf("Parse(%s) = %v, %v", level, got, err)
		}
	}
	for user, level := range map[string]string{"bob": "NONE", "carol": "read", "dave": "", "": "READ", "a:ADMIN": "READ", "x y": "READ"} {
		if _, err := permissions.Parse(user, level); pods.KindOf(err) != pods.KindInvalid {
			t.Errorf("Parse(%q, %q) = %v, want invalid", user, level, err)
		}
	}
}
