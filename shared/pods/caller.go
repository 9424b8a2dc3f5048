package pods

// Caller is who makes a request, as their token proves.
type Caller struct {
	TenantID string
	SiteID   string
	Username string
	// SiteAdmin says that the caller's token makes them a site admin.
	SiteAdmin bool
}

// Tenant is one community of users with an issuer, an address and a domain of
// its own.
type Tenant struct {
	ID     string
	SiteID string
	// PodsDomain is the domain below which the tenant's pods get their names,
	// without a leading dot: "pods.localhost".
	PodsDomain string
}
