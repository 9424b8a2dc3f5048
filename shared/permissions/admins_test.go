package permissions_test

import (
	"testing"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

func TestAdmins(t *testing.T) {
	t.Parallel()

	admins, err := permissions.ParseAdmins([]string{"dev/admin", "dev/root@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	for caller, want := range map[pods.Caller]pods.Kind{
		{TenantID: "dev", Username: "admin"}:            "",
		{TenantID: "dev", Username: "root@example.org"}: "",
		{TenantID: "dev2", Username: "admin"}:           pods.KindForbidden,
		{TenantID: "dev", Username: "alice"}:            pods.KindForbidden,
		{TenantID: "dev", Username: "Admin"}:            pods.KindForbidden,
		{TenantID: "dev", Username: ""}:                 pods.KindForbidden,
		{}:                                              pods.KindForbidden,
	} {
		if got := pods.KindOf(admins.Check(caller)); got != want {
			t.Errorf("%+v: kind %q, want %q", caller, got, want)
		}
	}
	if permissions.Admins(nil).Check(pods.Caller{TenantID: "dev", Username: "admin"}) == nil {
		t.Error("without admins everybody is one")
	}
	for _, name := range []string{"", "admin", "dev/", "/admin", "dev/a b", "dev/admin/x"} {
		if _, err := permissions.ParseAdmins([]string{name}); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
