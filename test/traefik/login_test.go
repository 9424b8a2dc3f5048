package traefik

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// tenantOrigin is where visitors of the pods own and other log in.
const tenantOrigin = "https://tenant.example.org"

// sessionCookie is the one in which a browser keeps that it has logged in.
const sessionCookie = "__Host-pods-session"

// tenant is the one of these tests. A user's name is their token and the code
// that stands for it; "bad" is nobody's.
type tenant struct {
	server.Store // for all but pods
	service      *service
}

var theTenant = auth.Tenant{Tenant: pods.Tenant{ID: "dev", SiteID: "local"}, BaseURL: tenantOrigin}

// Find implements login.Tenants.
func (tenant) Find(context.Context, string) (auth.Tenant, bool) { return theTenant, true }

// Verify implements login.Tokens.
func (tenant) Verify(_ context.Context, token string) (auth.Claims, error) {
	if token == "" || token == "bad" {
		return auth.Claims{}, pods.Unauthenticated("Invalid Tapis token.")
	}
	return auth.Claims{TenantID: "dev", Username: token, AccountType: auth.AccountUser, ExpiresAt: time.Now().Add(time.Hour)}, nil
}

// Pod implements login.Permissions, and server.Store as far as logins need it.
func (t tenant) Pod(_ context.Context, tenantID, podID string) (pods.Pod, permissions.Set, error) {
	route, found := t.service.table.Load().Lookup(podID + "." + domain)
	if !found {
		return pods.Pod{}, nil, pods.NotFound("Pod %s not found.", podID)
	}
	pod := pods.Pod{TenantID: tenantID, ID: podID}
	pod.Networking = only(route.Networking)
	return pod, nil, nil
}

// AuthorizeURL and Exchange implement login.Provider.
func (tenant) AuthorizeURL(_ context.Context, _ login.Client, state, _ string) (string, error) {
	return tenantOrigin + "/v3/oauth2/authorize?state=" + url.QueryEscape(state), nil
}

func (tenant) Exchange(_ context.Context, _ login.Client, code, _ string) (string, error) {
	return code, nil
}

func newLogin(t *testing.T, who tenant) *login.Login {
	t.Helper()
	visits, err := login.New(login.Options{
		Key: [login.KeySize]byte{1}, Tenants: who, Tokens: who, Permissions: who, Provider: who, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return visits
}

// browser is one visitor's: what is kept between requests to a host.
type browser struct {
	visitor
	cookies map[string]string
}

// open asks for a page of a host as a browser does.
func (b *browser) open(host, target string) *http.Response {
	b.t.Helper()
	var cookies []string
	for name, value := range b.cookies {
		cookies = append(cookies, name+"="+value)
	}
	resp, _ := b.raw(host, "GET "+target+" HTTP/1.1\nHost: "+host+"\nConnection: close\nAccept: text/html\nSec-Fetch-Mode: navigate\n"+
		"Cookie: "+strings.Join(cookies, "; ")+"\n\n")
	for _, cookie := range resp.Cookies() {
		b.cookies[cookie.Name] = cookie.Value
		if cookie.MaxAge < 0 {
			delete(b.cookies, cookie.Name)
		}
	}
	return resp
}

// callback comes back from the tenant with a state, and returns where that
// leads.
func (b *browser) callback(api, id, state string) *http.Response {
	b.t.Helper()
	address := api + "/v3/pods/" + id + "/auth/callback?" + url.Values{"code": {"alice"}, "state": {state}}.Encode()
	resp, err := http.DefaultTransport.RoundTrip(newRequest(b.t, address))
	if err != nil {
		b.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

// begin asks for target and returns the state with which that leads to the
// tenant.
func (b *browser) begin(host, target string) string {
	b.t.Helper()
	resp := b.open(host, target)
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusFound || to.Scheme+"://"+to.Host != tenantOrigin {
		b.t.Fatalf("%s answers %s, to %v, %v", target, resp.Status, to, err)
	}
	return to.Query().Get("state")
}

// ticket logs in and returns the path, at host, that finishes it.
func (b *browser) ticket(api, id, target string) string {
	b.t.Helper()
	host := id + "." + domain
	resp := b.callback(api, id, b.begin(host, target))
	path, found := strings.CutPrefix(resp.Header.Get("Location"), "https://"+host)
	if !found {
		b.t.Fatalf("the callback answers %s, to %q", resp.Status, resp.Header.Get("Location"))
	}
	return path
}

// checkReturns logs in by way of addresses that must not lead away from the
// pod.
func (v visitor) checkReturns(api string) {
	const host = "own." + domain
	for _, target := range []string{
		"//evil.example/", "/\\evil.example/", "///evil.example/", "/.pods/login", "/.pods/other?return=https://evil.example/",
		"/.pods/login?ticket=x&return=https://evil.example/", "/?return=https://evil.example/", "/%5cevil.example/", "/%2f/evil.example/",
	} {
		b := &browser{v, map[string]string{}}
		var resp *http.Response
		if strings.HasPrefix(target, "/.pods/login") { // the end of a login, of which there is none
			resp = b.open(host, target)
		} else {
			resp = b.open(host, b.ticket(api, "own", target))
		}
		to, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || to.Host != host && to.Host != "" {
			v.t.Errorf("a login by way of %s ends at %v, %v", target, to, err)
		}
	}
}

// checkStates uses what a login carries at the wrong place, or twice.
func (v visitor) checkStates(api string) {
	const host, otherHost = "own." + domain, "other." + domain
	start := func() *browser { return &browser{v, map[string]string{}} }
	refused := func(what string, resp *http.Response, status int) {
		v.t.Helper()
		if resp.StatusCode != status || strings.Contains(resp.Header.Get("Set-Cookie"), sessionCookie+"=") {
			v.t.Errorf("%s: %s, with %v", what, resp.Status, resp.Header)
		}
	}

	b := start()
	refused("the state of another pod", b.callback(api, "other", b.begin(host, "/")), http.StatusBadRequest)
	refused("a state of nobody", b.callback(api, "own", "AAAA"), http.StatusBadRequest)

	b = start()
	ticket := b.ticket(api, "own", "/")
	refused("a ticket in another browser", start().open(host, ticket), http.StatusBadRequest)
	elsewhere := start()
	elsewhere.begin(otherHost, "/")
	refused("a ticket at another host", elsewhere.open(otherHost, ticket), http.StatusBadRequest)
	if resp := b.open(host, ticket); resp.StatusCode != http.StatusFound || b.cookies[sessionCookie] == "" {
		v.t.Fatalf("the login ends with %s, cookies %v", resp.Status, b.cookies)
	}
	refused("a ticket that has been used", b.open(host, ticket), http.StatusBadRequest)

	session := "Cookie: own=1; " + sessionCookie + "=" + b.cookies[sessionCookie] + "; X_Tapis_Token=evil\n"
	resp, body := v.raw(host, "GET / HTTP/1.1\nHost: "+host+"\nConnection: close\n"+session+"\n")
	if got := seenIn(v.t, resp, body); strings.Join(got.Header["Cookie"], "; ") != "own=1" || got.Header.Get("X-Visitor") != "alice" {
		v.t.Errorf("the pod has seen %v", got.Header)
	}
	resp, _ = v.raw(otherHost, "GET / HTTP/1.1\nHost: "+otherHost+"\nConnection: close\n"+session+"\n")
	refused("a session at another host", resp, http.StatusFound)
	resp, _ = v.raw(host, "GET / HTTP/1.1\nHost: "+otherHost+"\nConnection: close\n"+session+"\n")
	refused("a session at another host, behind a handshake for its own", resp, http.StatusFound)
}
