package login_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// key is the login key of the tests.
var key = [login.KeySize]byte{1}

// world is what a Login finds around it: tenants dev and far, the tokens
// "<tenant>/<user>", permissions and a clock.
type world struct {
	mu          sync.Mutex
	now         time.Time
	permissions permissions.Set
	missing     bool
	broken      bool
	reads       int
	// exchanged are the codes that the provider was asked about.
	exchanged []string
	// token is what the provider gives.
	token string
}

func newWorld() *world {
	return &world{now: time.Unix(1_800_000_000, 0), token: "dev/alice", permissions: permissions.Set{
		{User: "owner", Level: permissions.Admin}, {User: "helper", Level: permissions.User},
		{User: "reader", Level: permissions.Read}, {User: "tenant.far", Level: permissions.Read},
	}}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) Find(_ context.Context, id string) (auth.Tenant, bool) {
	tenant := auth.Tenant{Tenant: pods.Tenant{ID: id, SiteID: "site"}, BaseURL: "https://" + id + ".example.org"}
	return tenant, id == "dev" || id == "far" || id == "near"
}

func (w *world) Verify(_ context.Context, token string) (auth.Claims, error) {
	tenant, user, found := strings.Cut(token, "/")
	if !found {
		return auth.Claims{}, pods.Unauthenticated("Invalid Tapis token.")
	}
	account := auth.AccountUser
	if user == "service" {
		account = auth.AccountService
	}
	return auth.Claims{TenantID: tenant, Username: user, AccountType: account, ExpiresAt: w.clock().Add(time.Hour)}, nil
}

func (w *world) Pod(context.Context, string, string) (pods.Pod, permissions.Set, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	switch {
	case w.broken:
		return pods.Pod{}, nil, errors.New("the database is gone")
	case w.missing:
		return pods.Pod{}, nil, pods.PodNotFound("web")
	}
	return pods.Pod{}, w.permissions, nil
}

// provider is a tenant's login that gives the world's token for every code.
type provider struct{ *world }

func (p provider) AuthorizeURL(_ context.Context, client login.Client, state, challenge string) (string, error) {
	query := url.Values{"client_id": {client.ID}, "redirect_uri": {client.Callback}, "state": {state}, "code_challenge": {challenge}}
	return client.Tenant.BaseURL + "/v3/oauth2/authorize?" + query.Encode(), nil
}

func (p provider) Exchange(_ context.Context, _ login.Client, code, _ string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exchanged = append(p.exchanged, code)
	if code == "bad" {
		return "", errors.New("status 400: the code is not good")
	}
	return p.token, nil
}

// newLogin returns the Login of the gateway, or with isAPI that of the API.
func newLogin(t testing.TB, w *world, isAPI bool) *login.Login {
	t.Helper()
	options := login.Options{
		Key: key, Tenants: w, Tokens: w, Permissions: w, Now: w.clock, Logger: slog.New(slog.DiscardHandler),
	}
	if isAPI {
		options.Provider = provider{w}
	}
	l, err := login.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func entryOf(id string, change ...func(*pods.Networking)) login.Entry {
	networking := pods.NewNetworking()
	networking.TapisAuth = true
	for _, c := range change {
		c(&networking)
	}
	return login.Entry{
		TenantID: "dev", PodID: id, Key: pods.DefaultNetworkKey, Host: id + ".pods.example.org", Networking: &networking,
	}
}

func allow(users ...string) func(*pods.Networking) {
	return func(n *pods.Networking) { n.TapisAuthAllowedUsers = users }
}

// visitTo is a browser's navigation to a path of the entry.
func visitTo(entry login.Entry, target string) login.Visit {
	return login.Visit{
		Entry: entry, Origin: "https://" + entry.Host, Method: http.MethodGet, Target: target,
		Header: http.Header{"Accept": {"text/html,*/*;q=0.8"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"none"}},
	}
}

// program is a visit by a program.
func program(entry login.Entry, header ...string) login.Visit {
	v := visitTo(entry, "/data")
	v.Header = http.Header{"Accept": {"*/*"}}
	for i := 0; i+1 < len(header); i += 2 {
		v.Header.Add(header[i], header[i+1])
	}
	return v
}

// browser keeps the cookies of one host.
type browser map[string]string

func (b browser) keep(d login.Decision) {
	for _, cookie := range d.Cookies {
		if cookie.MaxAge < 0 {
			delete(b, cookie.Name)
		} else {
			b[cookie.Name] = cookie.Value
		}
	}
}

func (b browser) visit(entry login.Entry, target string) login.Visit {
	v := visitTo(entry, target)
	for name, value := range b {
		v.Header.Add("Cookie", name+"="+value)
	}
	return v
}

// query returns a parameter of an address.
func query(t *testing.T, location, name string) string {
	t.Helper()
	address, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return address.Query().Get(name)
}
