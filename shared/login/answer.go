package login

import (
	"context"
	_ "embed" // for the page
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/pods-service/pods/shared/markup"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

//go:embed page.html
var pageHTML string

var page = markup.Page{HTML: pageHTML}

// Write sends the answer of a decision that does not allow the request: a page
// for browsers, the envelope for programs.
func (d Decision) Write(w http.ResponseWriter, r *http.Request, version string) {
	header := w.Header()
	for _, cookie := range d.Cookies {
		header.Add("Set-Cookie", cookie.String())
	}
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Robots-Tag", "noindex")
	header.Add("Vary", "Accept")
	if d.Location != "" {
		header.Set("Location", d.Location)
	}
	if d.Wait > 0 {
		header.Set("Retry-After", rest.RetryAfter(d.Wait))
	}
	if !takesHTML(r.Header) {
		answer := rest.Envelope{Message: d.Text, Status: rest.StatusError, Version: version}
		if d.Status < http.StatusBadRequest {
			answer.Status = rest.StatusSuccess
		}
		_ = answer.Write(w, d.Status) // texts always encode
		return
	}
	body := page.Fill(map[string]string{"title": d.Title, "text": d.Text})
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(d.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // fails only when the client is gone
	}
}

func redirect(location string) Decision {
	return Decision{Status: http.StatusFound, Title: "Log in", Text: "The way leads on to another address.", Location: location}
}

// ToHTTPS sends a visitor who came without TLS to the same address with it: a
// login, its cookies above all, is for encrypted connections alone. authority
// is a host with the port unless that is 443.
func ToHTTPS(authority, target string) Decision {
	decision := redirect("https://" + authority + target)
	decision.Status = http.StatusPermanentRedirect
	return decision
}

// tryAgain answers what cannot be finished, with the origin to begin at again
// where it is known.
func tryAgain(text, origin string) Decision {
	text += " Open the address of the pod again."
	if origin != "" {
		text += " It is " + origin + "/."
	}
	return Decision{Status: http.StatusBadRequest, Title: "Log in again", Text: text}
}

// TooMany answers a visitor from whose address too many requests about logins
// have come.
func TooMany(wait time.Duration) Decision {
	return Decision{
		Status: http.StatusTooManyRequests, Title: "Too many logins", Wait: wait,
		Text: "Too many logins have been tried from your address. Wait " + rest.RetryAfter(wait) + " s and open the address of the pod again.",
	}
}

func notAuthenticated(err error) Decision {
	reason := "the token cannot be checked."
	if failure, ok := errors.AsType[*pods.Error](err); ok {
		reason = failure.Message
	}
	return Decision{Status: http.StatusForbidden, Title: "Not logged in", Text: "tapis_auth - not authenticated: " + reason}
}

func notAllowed(who Visitor) Decision {
	return Decision{
		Status: http.StatusForbidden, Title: "Not allowed",
		Text: "tapis_auth - " + who.Username + " of tenant " + who.TenantID +
			" is authenticated but not in this pod's tapis_auth_allowed_users. Its owner can add you. " +
			"To come as somebody else, log out at " + logoutPath + " first.",
	}
}

// failed answers when the tenant's login does not do its part.
func (l *Login) failed(ctx context.Context, entry Entry, err error) Decision {
	l.log(ctx, entry, "the tenant's login has failed", err)
	return Decision{
		Status: http.StatusBadGateway, Title: "Login not possible",
		Text: "The login of the tenant has not answered as it should. Open the address of the pod again in a moment; if that does not help, tell the operator.",
	}
}

// unavailable answers when it cannot be decided.
func (l *Login) unavailable(ctx context.Context, entry Entry, err error) Decision {
	l.log(ctx, entry, "a visit cannot be decided", err)
	return Decision{
		Status: http.StatusServiceUnavailable, Title: "One moment",
		Text: "Whether you may see this pod cannot be found out right now. Try again in a moment.",
	}
}

func (l *Login) log(ctx context.Context, entry Entry, message string, err error) {
	if ctx.Err() != nil {
		return // the visitor has left
	}
	l.options.Logger.LogAttrs(ctx, slog.LevelWarn, message, slog.String("tenant_id", entry.TenantID),
		slog.String("pod_id", entry.PodID), slog.String("key", entry.Key), slog.Any("error", err))
}
