// Package login is the one place that decides whether a visitor may pass a
// networking entry that asks for a login (tapis_auth), and that leads those who
// have not logged in through their tenant's login. The gateway asks it for each
// request, and so does the API for proxies that ask the API.
//
// Nothing of a login is stored. What has to survive a redirect is sealed, with
// a key that the service's parts share, and bound to the place where it may be
// opened:
//
//  1. At the pod's host a visitor without a session is sent to the tenant, with
//     a sealed state, and keeps a nonce in a cookie of that host.
//  2. At the tenant's host the API opens the state, exchanges the code for a
//     token, decides once more and sends the visitor back with a ticket.
//  3. At the pod's host the ticket and the nonce together become a session.
//
// The visitor's token never comes near the pod, and its session is good at the
// one host alone.
package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/secretfile"
)

// KeySize is how many bytes the login key has.
const KeySize = secretfile.KeySize

// Permissions reads who may do what with a pod, as postgres.Store does.
//
// Errors: KindNotFound for a pod that is not there.
type Permissions interface {
	Pod(ctx context.Context, tenantID, podID string) (pods.Pod, permissions.Set, error)
}

// Tokens verifies access tokens, as auth.Authenticator does.
type Tokens interface {
	Verify(ctx context.Context, token string) (auth.Claims, error)
}

// Tenants finds tenants by their ID, as auth.Registry does.
type Tenants interface {
	Find(ctx context.Context, id string) (auth.Tenant, bool)
}

// Client is what a tenant knows a networking entry as.
type Client struct {
	Tenant auth.Tenant
	// ID is the client's name where the service registers it itself.
	ID string
	// Name is what visitors read; at most 100 bytes.
	Name string
	// Callback is the address to which the tenant sends visitors back.
	Callback string
}

// Provider is a tenant's login.
type Provider interface {
	// AuthorizeURL returns the address at which a visitor logs in, once the
	// tenant knows the client. The challenge is that of PKCE, made by S256.
	AuthorizeURL(ctx context.Context, client Client, state, challenge string) (string, error)
	// Exchange returns the access token that the code is good for.
	Exchange(ctx context.Context, client Client, code, verifier string) (string, error)
}

// Options are what a Login needs. All are required but Provider and Now.
type Options struct {
	Key         [KeySize]byte
	Tenants     Tenants
	Tokens      Tokens
	Permissions Permissions
	// Provider is where visitors log in. Without one they are sent to the API,
	// which has one.
	Provider Provider
	Logger   *slog.Logger
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// Login decides. It is safe for concurrent use.
type Login struct {
	options  Options
	states   sealer
	tickets  sealer
	sessions sealer
	members  *members
}

// New returns a Login.
//
// Errors: for a key that is all zero.
func New(options Options) (*Login, error) {
	if options.Key == [KeySize]byte{} {
		return nil, errors.New("the login key is not set")
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	l := &Login{options: options, members: newMembers(options.Permissions, options.Now)}
	for purpose, into := range map[string]*sealer{purposeState: &l.states, purposeTicket: &l.tickets, purposeSession: &l.sessions} {
		made, err := newSealer(options.Key, purpose)
		if err != nil {
			return nil, err
		}
		*into = made
	}
	return l, nil
}

// Entry is a networking entry that asks for a login.
type Entry struct {
	TenantID string
	PodID    string
	Key      string // of the entry
	Host     string // as routes.CanonicalHost returns it
	// Networking is the entry of the pod merged with its templates. It is only
	// read.
	Networking *pods.Networking
}

// Net returns the name that the entry has in the API's paths: the pod's, with
// the key behind it unless that is "default".
func (e Entry) Net() string {
	if e.Key == pods.DefaultNetworkKey {
		return e.PodID
	}
	return e.PodID + "-" + e.Key
}

// place is where a state may be opened.
func (e Entry) place() string { return e.TenantID + "\n" + e.Net() + "\n" + e.Host }

// client returns what the tenant knows the entry as.
func (l *Login) client(ctx context.Context, e Entry) (Client, error) {
	tenant, found := l.options.Tenants.Find(ctx, e.TenantID)
	if !found {
		return Client{}, fmt.Errorf("tenant %s of pod %s is not known", e.TenantID, e.PodID)
	}
	return Client{
		Tenant:   tenant,
		ID:       "PODS-SERVICE-" + pods.Name(tenant.SiteID, e.TenantID, e.PodID) + "-" + e.Key,
		Name:     nameOf(e),
		Callback: address(tenant, e) + "/callback",
	}, nil
}

// maxName is the most bytes of a client's name.
const maxName = 100

func nameOf(e Entry) string {
	name := "Pod " + e.Net()
	return name[:min(len(name), maxName)]
}
