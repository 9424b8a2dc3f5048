package issuer

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/rest"
)

// Config says what a development issuer serves. Development fills it in.
type Config struct {
	// ListenAddr is the host:port at which the issuer is reached. It must be a
	// loopback address: everybody who reaches the issuer can be anybody.
	ListenAddr string
	// KeyDir is the folder for the tenants' private keys. It is created when it
	// is not there; keys stay in it, so that tokens outlive a restart.
	KeyDir string
	// SiteID names the one site that all tenants belong to.
	SiteID string
	// TenantURLTemplate is an address of any tenant, with ${tenant_id} in it.
	TenantURLTemplate string
	// Tenants are those to serve. The first one counts at hosts that belong to
	// none, and runs the services of the site.
	Tenants []Tenant
	// Services are the services of the site that can ask for tokens to act for
	// users.
	Services []Client
	// Records are where registered clients and codes are kept; nil keeps them in
	// memory.
	Records Records
	// Attempts bounds how often log-ins may fail; nil sets no bound.
	Attempts Attempts
	// Proxies are those in front of the issuer.
	Proxies rest.Proxies
	// FailureDelay is how long a wrong password or client key is not answered.
	FailureDelay time.Duration
	// Version is the version in each answer.
	Version string
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger gets one line per request. Default slog.Default.
	Logger *slog.Logger
}

// Attempts says how often log-ins may fail, as ratelimit.Limiter does.
type Attempts interface {
	// AllowLogin counts an attempt at a tenant to prove to be name, a user, client
	// or service, from an address, the zero Addr for one that is not known. It
	// returns 0 when the attempt may be answered, and otherwise how long to wait;
	// then whether it was good is nobody's to know.
	AllowLogin(from netip.Addr, tenantID, name string, isGood bool) time.Duration
}

// Tenant is a tenant with its users.
type Tenant struct {
	ID          string // a-z, 0-9 and hyphens
	Description string
	// BaseURL and AlternateURLs are the addresses that mean this tenant, without
	// a slash at the end. A port is part of an address.
	BaseURL       string
	AlternateURLs []string
	PodsDomain    string // below which pods get their names
	AdminUser     string
	Users         []User
	Clients       []Client
}

// User is somebody who can log in.
type User struct {
	Name      string
	Password  string
	Email     string
	GivenName string
	LastName  string
}

// Development returns the configuration of the tenants dev and dev2 on one
// machine: users alice, bob, carol and admin with their names as passwords, and
// the client pods-dev and the services files and pods with their names as keys. dev is
// http://localhost and dev2 http://127.0.0.1, both at the port of listenAddr,
// which must be the real one.
func Development(listenAddr, keyDir string) (Config, error) {
	_, port, err := net.SplitHostPort(listenAddr)
	if err != nil {
		return Config{}, fmt.Errorf("development issuer: %w", err)
	}
	tenant := func(id, description, host, podsDomain string) Tenant {
		return Tenant{
			ID: id, Description: description, PodsDomain: podsDomain, AdminUser: "admin",
			BaseURL:       "http://" + net.JoinHostPort(host, port),
			AlternateURLs: []string{"http://" + net.JoinHostPort(id+".localhost", port)},
			Users: []User{
				{Name: "alice", Password: "alice", Email: "alice@example.org", GivenName: "Alice", LastName: "Adams"},
				{Name: "bob", Password: "bob", Email: "bob@example.org", GivenName: "Bob", LastName: "Brown"},
				{Name: "carol", Password: "carol", Email: "carol@example.org", GivenName: "Carol", LastName: "Clark"},
				{Name: "admin", Password: "admin", Email: "admin@example.org", GivenName: "Site", LastName: "Admin"},
			},
			Clients: []Client{{ID: "pods-dev", Key: "pods-dev"}},
		}
	}
	return Config{
		ListenAddr:        listenAddr,
		KeyDir:            keyDir,
		SiteID:            "dev",
		TenantURLTemplate: "http://" + net.JoinHostPort("${tenant_id}.localhost", port),
		Tenants: []Tenant{
			tenant("dev", "Development tenant", "localhost", "pods.localhost"),
			tenant("dev2", "Second development tenant", "127.0.0.1", "pods.dev2.localhost"),
		},
		Services:     []Client{{ID: "files", Key: "files"}, {ID: "pods", Key: "pods"}},
		FailureDelay: 250 * time.Millisecond,
	}, nil
}

// Admins returns the admin user of each tenant.
//
// Errors: when one has a name that no user can have.
func (c Config) Admins() (permissions.Admins, error) {
	names := make([]string, len(c.Tenants))
	for i, tenant := range c.Tenants {
		names[i] = tenant.ID + "/" + tenant.AdminUser
	}
	return permissions.ParseAdmins(names)
}

func (c Config) check() error {
	host, _, err := net.SplitHostPort(c.ListenAddr)
	if err != nil {
		return fmt.Errorf("development issuer: listen address: %w", err)
	}
	if !loopback(host) {
		return fmt.Errorf("development issuer: refuses to serve %q, because everybody can log in as anybody: "+
			"listen on localhost, 127.0.0.1 or ::1, or configure a real issuer", c.ListenAddr)
	}
	if c.KeyDir == "" || c.SiteID == "" {
		return errors.New("development issuer: needs a folder for keys and a site")
	}
	if len(c.Tenants) == 0 {
		return errors.New("development issuer: has no tenants")
	}
	return nil
}

// loopback says whether host, a name or address without a port, never leaves
// this machine. Names below localhost are reserved for it (RFC 6761).
func loopback(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && address.Unmap().IsLoopback()
}
