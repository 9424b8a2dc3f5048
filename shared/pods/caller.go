package pods

// Caller is who makes a request, as their token proves.
type Caller struct {
	TenantID string
	SiteID   string
	Username string
	// SiteAdmin says that the caller looks after the site as a whole.
	SiteAdmin bool
	// AdminMode says that this request is made as a site admin: it may do to
	// objects of others what only their own admins may.
	AdminMode bool
}

// Action returns text as it is logged for what the caller does.
func (c Caller) Action(text string) string {
	if c.AdminMode {
		return "ADMIN " + text
	}
	return text
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
