package issuer

import (
	"crypto/sha256"
	_ "embed" // for the pages and their style
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/pods-service/pods/shared/markup"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

//go:embed page.html
var pageHTML string

//go:embed refusal.html
var refusalHTML string

//go:embed page.css
var pageCSS string

// loginPage is a form to log in with, refusalPage says why there is none.
var (
	loginPage   = markup.Page{HTML: pageHTML, Style: pageCSS}
	refusalPage = markup.Page{HTML: refusalHTML, Style: pageCSS}
)

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

// writeLogin shows the form, with what was wrong before, and returns status.
func (a *authorization) writeLogin(w http.ResponseWriter, status int, username string, problem error) int {
	if e, ok := errors.AsType[*pods.Error](problem); ok && e.Kind == pods.KindExhausted {
		w.Header().Set("Retry-After", rest.RetryAfter(max(e.RetryAfter, time.Second)))
	}
	texts := map[string]string{
		"problem": shown(problem), "username": username, "tenant": a.tenant.ID, "about": a.tenant.ID,
		"client": a.client.title(), "owner": a.client.owner.name(), "host": a.callback.Host, // where the browser returns to
		"first": "autofocus", "then": "",
	}
	if a.tenant.Description != "" {
		texts["about"] += " · " + a.tenant.Description
	}
	if username != "" {
		texts["first"], texts["then"] = "", "autofocus"
	}
	return writePage(w, status, loginPage.Fill(texts))
}

// writeRefusal shows why nobody can log in, and returns status and reason.
func writeRefusal(w http.ResponseWriter, status int, reason error) (int, error) {
	return writePage(w, status, refusalPage.Fill(map[string]string{"problem": shown(reason)})), reason
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

func writePage(w http.ResponseWriter, status int, body []byte) int {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Frame-Options", "DENY")
	header.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer, with which browsers send no origin with the form.
	header.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only when the browser is gone
	return status
}
