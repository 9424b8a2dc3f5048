package function_test

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/function"
)

func TestTenancySource(t *testing.T) {
	t.Parallel()

	logger := slog.New(slog.DiscardHandler)
	tests := map[string]struct {
		tenancy function.Tenancy
		want    auth.Source // nil: refused
	}{
		"Nothing": {function.Tenancy{}, nil},
		"Both":    {function.Tenancy{TenantsFile: "tenants.json", TenantsURL: "https://example.org"}, nil},
		"File":    {function.Tenancy{TenantsFile: "tenants.json", Algorithm: "RS256"}, auth.FileSource("tenants.json")},
		"FileWithRole": {
			function.Tenancy{TenantsFile: "tenants.json", AdminClaim: "roles", AdminRole: "root"}, nil,
		},
		"Service": {
			function.Tenancy{
				TenantsURL: "https://example.org", PodsDomain: "pods.${host}", Algorithm: "ES256", AdminClaim: "roles", AdminRole: "root",
			},
			auth.ServiceSource{
				BaseURL: "https://example.org", Domain: "pods.${host}", Logger: logger,
				Tokens: auth.TokenRules{Algorithm: "ES256", AdminClaim: "roles", AdminRole: "root"},
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := tc.tenancy.Source(logger)
			if (err != nil) != (tc.want == nil) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.Comparer(func(a, b *slog.Logger) bool { return a == b })); diff != "" {
				t.Errorf("source (-want +got):\n%s", diff)
			}
		})
	}
}
