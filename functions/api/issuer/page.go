package issuer

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page and its style
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// contentSecurityPolicy allows the page its own style sheet and nothing else; no
// site can show it in a frame. There is no form-action in it: Chrome holds all
// redirects that follow a form to it, and where an application goes on to from
// its callback, as to a pod, cannot be known here.
var contentSecurityPolicy = "default-src 'none'; style-src 'sha256-" + digest(pageCSS) +
	"'; base-uri 'none'; frame-ancestors 'none'"

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// page is what the template shows: a form to log in with, or a refusal alone.
type page struct {
	Style    template.CSS
	Problem  string
	Login    bool
	Tenant   string
	About    string // the tenant's description
	Client   string
	Owner    string // who has registered the client; empty: the configuration
	Host     string // where the browser returns to
	Username string
}

// writeLogin shows the form, with what was wrong before, and returns status.
func (a *authorization) writeLogin(w http.ResponseWriter, status int, username string, problem error) int {
	if e, ok := errors.AsType[*pods.Error](problem); ok && e.Kind == pods.KindExhausted {
		w.Header().Set("Retry-After", rest.RetryAfter(max(e.RetryAfter, time.Second)))
	}
	return writePage(w, status, page{
		Login: true, Problem: shown(problem), Username: username,
		Tenant: a.tenant.ID, About: a.tenant.Description,
		Client: a.client.title(), Owner: a.client.owner.name, Host: a.callback.Host,
	})
}

// writeRefusal shows why nobody can log in, and returns status and reason.
func writeRefusal(w http.ResponseWriter, status int, reason error) (int, error) {
	return writePage(w, status, page{Problem: shown(reason)}), reason
}

// shown returns what people may read of err: all of it, because the errors here
// are made for them, but without the cause.
func shown(err error) string {
	e, ok := errors.AsType[*pods.Error](err)
	switch {
	case err == nil:
		return ""
	case !ok:
		return "Something went wrong here. Try again."
	case len(e.Fields) > 0:
		return "The form did not come as the page sends it. Try again."
	}
	return e.Message
}

func writePage(w http.ResponseWriter, status int, shown page) int {
	shown.Style = template.CSS(pageCSS) //nolint:gosec // our own style sheet
	var body bytes.Buffer
	_ = pageTemplate.Execute(&body, shown) // strings into memory: always succeeds
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Frame-Options", "DENY")
	header.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer, with which browsers send no origin with the form.
	header.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // fails only when the browser is gone
	return status
}
