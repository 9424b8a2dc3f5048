package function

import (
	"errors"
	"log/slog"

	"github.com/pods-service/pods/shared/auth"
)

// Tenancy says whom the service is for: one of a file and the address of a
// tenants service. The rules for tokens below the address are those of its
// tenants; a file states them for each tenant.
type Tenancy struct {
	TenantsFile string `env:"PODS_TENANTS_FILE"` // as auth.FileSource reads it
	TenantsURL  string `env:"PODS_TENANTS_URL"`  // without /v3
	PodsDomain  string `env:"PODS_TENANTS_DOMAIN" envDefault:"pods.${host}"`
	Algorithm   string `env:"PODS_TOKEN_ALGORITHM" envDefault:"RS256"`
	AdminClaim  string `env:"PODS_ADMIN_CLAIM"`
	AdminRole   string `env:"PODS_ADMIN_ROLE"`
}

// Source returns where the tenants come from.
//
// Errors: when the settings name no place or two.
func (t Tenancy) Source(logger *slog.Logger) (auth.Source, error) {
	switch {
	case (t.TenantsFile == "") == (t.TenantsURL == ""):
		return nil, errors.New("set one of PODS_TENANTS_FILE and PODS_TENANTS_URL, and leave the other one empty")
	case t.TenantsURL != "":
		return auth.ServiceSource{
			BaseURL: t.TenantsURL, Domain: t.PodsDomain, Logger: logger,
			Tokens: auth.TokenRules{Algorithm: t.Algorithm, AdminClaim: t.AdminClaim, AdminRole: t.AdminRole},
		}, nil
	case t.AdminClaim != "" || t.AdminRole != "":
		return nil, errors.New("PODS_ADMIN_CLAIM and PODS_ADMIN_ROLE go with PODS_TENANTS_URL: in a file of tenants each has its own admin_claim and admin_role")
	default:
		return auth.FileSource(t.TenantsFile), nil
	}
}
