package function

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

// Domain is whom the service is for, and what pods can be made from.
type Domain struct {
	Tenants *auth.Registry
	Rules   pods.Rules
	Catalog *templates.Catalog // of this version of the service
}

// OpenDomain reads the tenants from source and the templates from files.
//
// Errors: when the source has no usable tenants, or a template is wrong.
func OpenDomain(ctx context.Context, source auth.Source, files fs.FS, logger *slog.Logger) (*Domain, error) {
	tenants, err := auth.NewRegistry(ctx, source, auth.RegistryOptions{Logger: logger})
	if err != nil {
		return nil, err
	}
	rules := pods.NewRules()
	catalog, err := document.LoadTemplates(files, rules)
	if err != nil {
		return nil, fmt.Errorf("load templates: %w", err)
	}
	return &Domain{Tenants: tenants, Rules: rules, Catalog: catalog}, nil
}

// Deriver returns what merges pods with the templates that source holds.
func (d *Domain) Deriver(source templates.Source) *templates.Deriver {
	return templates.NewDeriver(source, remember(source), func(tenantID string) string { return d.Tenant(tenantID).PodsDomain })
}

// Tenant returns a tenant, the zero value for one that is not known. It reads
// the source again for one that may be new.
func (d *Domain) Tenant(id string) pods.Tenant {
	tenant, _ := d.Tenants.Find(context.Background(), id) // bounded by the registry
	return tenant.Tenant
}

// OpenDomain reads the tenants that settings name and the templates from files.
//
// Errors: those of the function OpenDomain and of Tenancy.Source.
func (f *Function) OpenDomain(ctx context.Context, settings Tenancy, files fs.FS) (*Domain, error) {
	source, err := settings.Source(f.Logger)
	if err != nil {
		return nil, err
	}
	return OpenDomain(ctx, source, files, f.Logger)
}
