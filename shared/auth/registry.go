package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// RegistryOptions says when a Registry asks its source again. Zero values mean
// the defaults.
type RegistryOptions struct {
	// ReloadInterval is the least time between two loads, so that forged tokens
	// cannot make the registry hammer its source. Default 90 s.
	ReloadInterval time.Duration
	// MaxAge is how long tenants are used without asking again. A key withdrawn
	// at the source is trusted for at most this long. Default 15 min.
	MaxAge time.Duration
	// LoadTimeout bounds one load. Default 5 s.
	LoadTimeout time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger hears of loads that failed. Default slog.Default.
	Logger *slog.Logger
}

func (o RegistryOptions) withDefaults() RegistryOptions {
	if o.ReloadInterval <= 0 {
		o.ReloadInterval = 90 * time.Second
	}
	if o.MaxAge <= 0 {
		o.MaxAge = 15 * time.Minute
	}
	if o.LoadTimeout <= 0 {
		o.LoadTimeout = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Registry holds the tenants and finds them by ID and by request host. When its
// source cannot be read it keeps the tenants of the last load that worked. It is
// safe for concurrent use.
type Registry struct {
	source  Source
	options RegistryOptions
	current atomic.Pointer[tenants]

	loading   chan struct{} // capacity 1: held by the goroutine that loads
	attempted time.Time     // start of the last load; guarded by loading
}

// tenants is the outcome of one load. It never changes.
type tenants struct {
	loaded time.Time
	byID   map[string]*tenantEntry
	byHost map[string]*tenantEntry
	// byProvider has the tenants whose tokens come from an OpenID Connect
	// provider, by its "iss".
	byProvider map[string]*tenantEntry
}

// of returns the tenant that a token with these claims says it is of, or nil.
func (t *tenants) of(claims *tokenClaims) *tenantEntry {
	if entry, found := t.byProvider[claims.Issuer]; found {
		return entry
	}
	if entry := t.byID[claims.TenantID]; entry != nil && !entry.Tokens.OIDC() {
		return entry
	}
	return nil
}

// tenantEntry is a tenant with its keys' fingerprints computed once.
type tenantEntry struct {
	Tenant
	fingerprints [][32]byte
}

// NewRegistry loads the tenants from source. It fails when the source does, and
// when a tenant is incomplete or two of them claim one ID or address.
func NewRegistry(ctx context.Context, source Source, options RegistryOptions) (*Registry, error) {
	r := &Registry{source: source, options: options.withDefaults(), loading: make(chan struct{}, 1)}
	r.attempted = r.options.Now()
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Tenant returns the tenant with the given ID.
func (r *Registry) Tenant(id string) (Tenant, bool) {
	entry, ok := r.current.Load().byID[id]
	if !ok {
		return Tenant{}, false
	}
	return entry.Tenant, true
}

// Find is Tenant, but asks the source again, within its interval, when the
// tenant is not known yet.
func (r *Registry) Find(ctx context.Context, id string) (Tenant, bool) {
	entry := r.find(ctx, id)
	if entry == nil {
		return Tenant{}, false
	}
	return entry.Tenant, true
}

// ServiceTenant returns the tenant whose tokens prove the services of a site,
// and false when the site has none.
func (r *Registry) ServiceTenant(siteID string) (Tenant, bool) {
	for _, entry := range r.current.Load().byID {
		if entry.SiteID == siteID && entry.IssuesServiceTokens {
			return entry.Tenant, true
		}
	}
	return Tenant{}, false
}

// Domains returns the domains of all tenants' pods, in alphabetical order.
func (r *Registry) Domains() []string {
	var domains []string
	for _, entry := range r.current.Load().byID {
		domains = append(domains, entry.PodsDomain)
	}
	slices.Sort(domains)
	return slices.Compact(domains)
}

// TenantByHost returns the tenant that has an address on host, which is a name
// or address with a port unless that is 80 or 443, as in http.Request.Host.
func (r *Registry) TenantByHost(host string) (Tenant, bool) {
	entry, ok := r.current.Load().byHost[normalHost(host)]
	if !ok {
		return Tenant{}, false
	}
	return entry.Tenant, true
}

// find is Tenant, but asks the source again for a tenant that is not known.
func (r *Registry) find(ctx context.Context, id string) *tenantEntry {
	seen := r.fresh(ctx)
	if entry, ok := seen.byID[id]; ok {
		return entry
	}
	return r.newer(ctx, seen).byID[id]
}

// fresh returns the tenants, loading them first when they are older than
// MaxAge. While one goroutine loads, the others go on with what there is.
func (r *Registry) fresh(ctx context.Context) *tenants {
	seen := r.current.Load()
	if r.options.Now().Sub(seen.loaded) < r.options.MaxAge {
		return seen
	}
	select {
	case r.loading <- struct{}{}:
		defer func() { <-r.loading }()
		return r.reload(ctx, seen)
	default:
		return seen
	}
}

// newer returns tenants newer than seen, or seen itself when the source has
// been asked within ReloadInterval or cannot be read. It waits for a load that
// is under way.
func (r *Registry) newer(ctx context.Context, seen *tenants) *tenants {
	select {
	case r.loading <- struct{}{}:
		defer func() { <-r.loading }()
		return r.reload(ctx, seen)
	case <-ctx.Done():
		return r.current.Load()
	}
}

// reload must be called with loading held.
func (r *Registry) reload(ctx context.Context, seen *tenants) *tenants {
	if current := r.current.Load(); current != seen {
		return current
	}
	now := r.options.Now()
	if now.Sub(r.attempted) < r.options.ReloadInterval {
		return seen
	}
	r.attempted = now
	// One caller that hangs up must not spoil the load for the others, which
	// may only try again after ReloadInterval.
	if err := r.load(context.WithoutCancel(ctx)); err != nil {
		r.options.Logger.WarnContext(ctx, "tenants not reloaded, last good ones kept",
			"error", err, "loaded", seen.loaded)
	}
	return r.current.Load()
}

func (r *Registry) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.options.LoadTimeout)
	defer cancel()
	list, err := r.source.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("load tenants: %w", err)
	}
	loaded, err := newTenants(list, r.options.Now())
	if err != nil {
		return fmt.Errorf("load tenants: %w", err)
	}
	r.current.Store(loaded)
	return nil
}

func newTenants(list []Tenant, now time.Time) (*tenants, error) {
	if len(list) == 0 {
		return nil, errors.New("the source has no tenants")
	}
	t := &tenants{
		loaded: now,
		byID:   map[string]*tenantEntry{}, byHost: map[string]*tenantEntry{}, byProvider: map[string]*tenantEntry{},
	}
	for _, tenant := range list {
		if err := t.add(tenant); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *tenants) add(tenant Tenant) error {
	if err := tenant.check(); err != nil {
		return err
	}
	if _, taken := t.byID[tenant.ID]; taken {
		return fmt.Errorf("tenant %s is there twice", tenant.ID)
	}
	if tenant.Issuer == "" {
		tenant.Issuer = strings.TrimSuffix(tenant.BaseURL, "/") + DefaultIssuerPath
	}
	entry := &tenantEntry{Tenant: tenant}
	for _, key := range tenant.Keys {
		entry.fingerprints = append(entry.fingerprints, key.fingerprint())
	}
	t.byID[tenant.ID] = entry
	if tenant.Tokens.OIDC() {
		if other, taken := t.byProvider[tenant.Issuer]; taken {
			return fmt.Errorf("tenants %s and %s both have the issuer %s", other.ID, tenant.ID, tenant.Issuer)
		}
		t.byProvider[tenant.Issuer] = entry
	}
	for _, address := range tenant.addresses() {
		parsed, err := url.Parse(address)
		if err != nil {
			return fmt.Errorf("tenant %s: %w", tenant.ID, err)
		}
		host := normalHost(parsed.Host)
		if other, taken := t.byHost[host]; taken && other != entry {
			return fmt.Errorf("tenants %s and %s both claim %s", other.ID, tenant.ID, host)
		}
		t.byHost[host] = entry
	}
	return nil
}
