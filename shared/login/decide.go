package login

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
)

// Visit is one request of a visitor to a networking entry.
type Visit struct {
	Entry Entry
	// Origin is how the visitor names the entry: scheme, host and the port
	// unless it is the scheme's own. Its host is the entry's.
	Origin string
	Method string
	// Target is the path with the query, as it was sent.
	Target string
	Header http.Header
}

// Decision is what becomes of a visit: either the request goes on to the pod,
// or the answer is there already.
type Decision struct {
	// Allowed says that the request goes on. Headers are then those that the
	// entry configures, filled in, and all else is empty.
	Allowed bool
	Visitor Visitor
	Headers http.Header

	// The answer. Write sends it.
	Status   int
	Title    string
	Text     string
	Location string // of a redirect
	// Wait is how long to wait before trying again; 0 where that is not known.
	Wait    time.Duration
	Cookies []*http.Cookie
}

// Decide decides about a visit. The entry must ask for a login.
func (l *Login) Decide(ctx context.Context, v Visit) Decision {
	path, query, _ := strings.Cut(v.Target, "?")
	switch path {
	case finishPath:
		return l.finish(v, query)
	case logoutPath:
		return logout(v)
	}
	who, err := l.visitor(ctx, v)
	switch {
	case errors.Is(err, errNobody):
		return l.begin(ctx, v)
	case err != nil:
		return notAuthenticated(err)
	}
	return l.pass(ctx, v.Entry, who)
}

// pass lets in those who may come in.
func (l *Login) pass(ctx context.Context, entry Entry, who Visitor) Decision {
	isAllowed, err := l.admits(ctx, entry, who)
	if err != nil {
		return l.unavailable(ctx, entry, err)
	}
	if !isAllowed {
		return notAllowed(who)
	}
	return Decision{Allowed: true, Visitor: who, Headers: headersFor(entry.Networking, who)}
}

// errNobody says that the request carries nothing that could tell who sends it.
var errNobody = errors.New("nobody has logged in")

// visitor finds out who sends a request: by a token in the header, which only
// programs send, by the session, or by a token in a cookie. What is stale in a
// browser counts as nothing when it asks for a page.
//
// Errors: errNobody; for a program's token, why it is not good.
func (l *Login) visitor(ctx context.Context, v Visit) (Visitor, error) {
	if tokens := v.Header.Values(auth.HeaderToken); len(tokens) > 0 {
		if who, err := l.byToken(ctx, tokens); err == nil || !isNavigation(v.Header) {
			return who, err
		}
	}
	var known session
	if l.sessions.open(onlyCookie(v.Header, cookieSession), v.Entry.Host, l.options.Now(), &known) == nil {
		return known.Visitor, nil
	}
	if tokens := cookies(v.Header, auth.HeaderToken); len(tokens) > 0 {
		if who, err := l.byToken(ctx, tokens); err == nil || !isNavigation(v.Header) {
			return who, err
		}
	}
	return Visitor{}, errNobody
}

// byToken returns the user that the one token is of.
func (l *Login) byToken(ctx context.Context, tokens []string) (Visitor, error) {
	if len(tokens) != 1 {
		return Visitor{}, pods.Unauthenticated("More than one Tapis token found in the request.")
	}
	who, _, err := l.verify(ctx, tokens[0])
	return who, err
}

// verify returns the user that a token is of, and what else it says.
func (l *Login) verify(ctx context.Context, token string) (Visitor, auth.Claims, error) {
	claims, err := l.options.Tokens.Verify(ctx, token)
	if err != nil {
		return Visitor{}, claims, err
	}
	if claims.AccountType != auth.AccountUser {
		return Visitor{}, claims, pods.Unauthenticated("Invalid Tapis token: it is of a service, and pods are for users.")
	}
	tenant, found := l.options.Tenants.Find(ctx, claims.TenantID)
	if !found {
		return Visitor{}, claims, pods.Unauthenticated("Unable to process Tapis token; unexpected tenant_id.")
	}
	return Visitor{TenantID: claims.TenantID, SiteID: tenant.SiteID, Username: claims.Username}, claims, nil
}
