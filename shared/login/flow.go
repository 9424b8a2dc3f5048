package login

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/auth"
)

// address returns where the API serves the login of an entry.
func address(tenant auth.Tenant, e Entry) string {
	return strings.TrimSuffix(tenant.BaseURL, "/") + "/v3/pods/" + e.Net() + "/auth"
}

// begin sends a visitor to log in.
func (l *Login) begin(ctx context.Context, v Visit) Decision {
	client, err := l.client(ctx, v.Entry)
	if err != nil {
		return l.unavailable(ctx, v.Entry, err)
	}
	// A browser that opens several pages at once has one nonce for all.
	nonce := onlyCookie(v.Header, cookieNonce)
	if !isNonce(nonce) {
		nonce = newNonce()
	}
	begun := &state{
		Expires: l.options.Now().Add(stateLife).Unix(), Origin: v.Origin, Nonce: hashOf(nonce),
		Return: v.returnOf(), Verifier: newNonce(),
	}
	sealed := l.states.seal(begun, v.Entry.place())
	location := address(client.Tenant, v.Entry) + "/login?state=" + sealed
	if l.options.Provider != nil {
		if location, err = l.options.Provider.AuthorizeURL(ctx, client, sealed, challenge(begun.Verifier)); err != nil {
			return l.failed(ctx, v.Entry, err)
		}
	}
	decision := redirect(location)
	decision.Cookies = []*http.Cookie{hostCookie(cookieNonce, nonce, stateLife)}
	return decision
}

// challenge is what proves a verifier later (RFC 7636 section 4.2).
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return encoding.EncodeToString(sum[:])
}

// Start sends a visitor on who comes from a pod's host with a sealed state. It
// needs a Provider.
func (l *Login) Start(ctx context.Context, entry Entry, sealed string) Decision {
	begun, err := l.openState(entry, sealed)
	if err != nil {
		return tryAgain("This login has taken too long, or was begun at another address.", "")
	}
	client, err := l.client(ctx, entry)
	if err != nil {
		return l.unavailable(ctx, entry, err)
	}
	location, err := l.options.Provider.AuthorizeURL(ctx, client, sealed, challenge(begun.Verifier))
	if err != nil {
		return l.failed(ctx, entry, err)
	}
	return redirect(location)
}

// openState opens a state of the entry, which is still at the host where it was
// sealed.
func (l *Login) openState(entry Entry, sealed string) (state, error) {
	var begun state
	if err := l.states.open(sealed, entry.place(), l.options.Now(), &begun); err != nil {
		return state{}, err
	}
	if origin, err := url.Parse(begun.Origin); err != nil || origin.Hostname() != entry.Host || !isReturn(begun.Return) {
		return state{}, errSealed
	}
	return begun, nil
}

// Callback takes a visitor back from the tenant's login, with the query that
// they bring. It needs a Provider.
func (l *Login) Callback(ctx context.Context, entry Entry, query url.Values) Decision {
	code := query.Get("code")
	begun, stateErr := l.openState(entry, query.Get("state"))
	switch {
	case query.Get("error") != "":
		return tryAgain("The login was refused or broken off.", begun.Origin)
	case code == "":
		return tryAgain("No code came back from the login.", begun.Origin)
	case stateErr != nil:
		return tryAgain("This login has taken too long, or was begun at another address.", "")
	}
	client, err := l.client(ctx, entry)
	if err != nil {
		return l.unavailable(ctx, entry, err)
	}
	token, err := l.options.Provider.Exchange(ctx, client, code, begun.Verifier)
	if err != nil {
		return l.failed(ctx, entry, err)
	}
	who, claims, err := l.verify(ctx, token)
	if err != nil {
		return notAuthenticated(err)
	}
	if who.TenantID != entry.TenantID {
		return notAllowed(who)
	}
	if decision := l.pass(ctx, entry, who); !decision.Allowed {
		return decision
	}
	brought := &ticket{
		Expires: l.options.Now().Add(ticketLife).Unix(), Nonce: begun.Nonce, Return: begun.Return,
		Visitor: who, Until: claims.ExpiresAt.Unix(),
	}
	return redirect(begun.Origin + finishPath + "?ticket=" + l.tickets.seal(brought, entry.Host))
}

// finish makes a session of a ticket, in the browser that has begun the login
// and in no other.
func (l *Login) finish(v Visit, query string) Decision {
	const text = "This login has been used already, has taken too long, or was begun in another browser."
	values, err := url.ParseQuery(query)
	if err != nil || v.Method != http.MethodGet {
		return tryAgain(text, v.Origin)
	}
	now := l.options.Now()
	var brought ticket
	if l.tickets.open(values.Get("ticket"), v.Entry.Host, now, &brought) != nil ||
		!proves(onlyCookie(v.Header, cookieNonce), brought.Nonce) || !isReturn(brought.Return) {
		return tryAgain(text, v.Origin)
	}
	life := min(sessionLife, time.Unix(brought.Until, 0).Sub(now))
	if life <= 0 {
		return tryAgain(text, v.Origin)
	}
	opened := &session{Expires: now.Add(life).Unix(), Visitor: brought.Visitor}
	// The whole address: a proxy that asks the API would take a path alone for
	// one of the API's.
	decision := redirect(v.Origin + brought.Return)
	decision.Cookies = []*http.Cookie{
		hostCookie(cookieSession, l.sessions.seal(opened, v.Entry.Host), life), hostCookie(cookieNonce, "", 0),
	}
	return decision
}

// logout ends the session. A page of another site must not do that, so a GET
// counts only where the visitor has typed the address or followed a link of the
// pod itself.
func logout(v Visit) Decision {
	site := v.Header.Get("Sec-Fetch-Site")
	isOwn := site == "same-origin" || site == "none"
	if v.Method != http.MethodPost && !isOwn || site == "cross-site" {
		return Decision{
			Status: http.StatusForbidden, Title: "Not logged out",
			Text: "Another page wanted to log you out. To do so, open the address " + v.Origin + logoutPath + " yourself.",
		}
	}
	return Decision{
		Status: http.StatusOK, Title: "Logged out", Text: "You are logged out of this pod. Your login at the tenant itself goes on.",
		Cookies: []*http.Cookie{hostCookie(cookieSession, "", 0), hostCookie(cookieNonce, "", 0)},
	}
}
