package auth_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pods-service/pods/shared/auth"
)

func TestEncodeTenants(t *testing.T) {
	t.Parallel()

	want := tenantList()
	want[1].Tokens = auth.TokenRules{
		Algorithm: "PS256", Audience: "pods", UsernameClaim: "email", AdminClaim: "roles", AdminRole: "pods_admin",
	}
	content, err := auth.EncodeTenants(want)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tenants.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := auth.FileSource(path).Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}

	twice := want[2]
	twice.Keys = append(twice.Keys, auth.Key{PublicKey: &devKey().PublicKey})
	if _, err := auth.EncodeTenants([]auth.Tenant{twice}); err == nil {
		t.Error("two keys without an ID are encoded, which a file cannot hold")
	}
}
