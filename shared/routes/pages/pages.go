// Package pages writes what a visitor sees when no pod answers: a small page
// for people, JSON for programs. Neither says more than the coarse state and
// the host that the visitor asked for.
package pages

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/pods-service/pods/shared/routes"
)

// Page is one answer of the gateway's own.
type Page struct {
	Status int    // HTTP status
	State  string // one word for programs
	Title  string
	Text   string
	// Retry is how long a client should wait before it asks again; whole
	// seconds, 0 means that waiting does not help.
	Retry time.Duration
	// Refresh makes the page ask again by itself after Retry.
	Refresh bool
}

// retryAfter is how long a client waits for a pod that is on its way.
const retryAfter = 5 * time.Second

// The answers that do not depend on a pod's state.
var (
	NotFound = Page{
		Status: http.StatusNotFound, State: "not_found", Title: "No pod here",
		Text: "There is no pod with this address. It may have been deleted, or the address may be misspelt.",
	}
	BadRequest = Page{
		Status: http.StatusBadRequest, State: "bad_request", Title: "Bad request",
		Text: "This request names no valid host or path, or its body is broken.",
	}
	MethodNotAllowed = Page{
		Status: http.StatusMethodNotAllowed, State: "method_not_allowed", Title: "Method not allowed",
		Text: "Requests of this method are not passed to pods.",
	}
	Restricted = Page{
		Status: http.StatusForbidden, State: "restricted", Title: "Access is restricted",
		Text: "This pod may be used by certain people or from certain addresses only, and you are not among them.",
	}
	Misdirected = Page{
		Status: http.StatusMisdirectedRequest, State: "misdirected", Title: "Misdirected request",
		Text: "The connection was made for another host than the one this request asks for.",
	}
	Loading = Page{
		Status: http.StatusServiceUnavailable, State: "loading", Title: "One moment",
		Text: "The gateway is starting and does not know the pods yet.", Retry: retryAfter, Refresh: true,
	}
	NotListening = Page{
		Status: http.StatusServiceUnavailable, State: string(routes.StateStarting), Title: "Starting",
		Text:  "The pod runs, but its program does not take connections yet. This page looks again by itself.",
		Retry: retryAfter, Refresh: true,
	}
	Unreachable = Page{
		Status: http.StatusBadGateway, State: "unreachable", Title: "Pod not reachable",
		Text: "The gateway could not connect to the pod.",
	}
	BadAnswer = Page{
		Status: http.StatusBadGateway, State: "bad_answer", Title: "No proper answer",
		Text: "The pod's program ended the connection or answered with something that is not HTTP.",
	}
	TooSlow = Page{
		Status: http.StatusGatewayTimeout, State: "timeout", Title: "No answer in time",
		Text: "The pod's program took the request and did not answer in time.",
	}
)

var states = map[routes.State]Page{
	routes.StateStarting: {
		Title: "Starting", Text: "The pod is on its way. This page looks again by itself.", Retry: retryAfter, Refresh: true,
	},
	routes.StateStopping: {
		Title: "Stopping", Text: "The pod is being stopped.", Retry: retryAfter, Refresh: true,
	},
	routes.StateStopped:  {Title: "Stopped", Text: "The pod is stopped. Its owner can start it again."},
	routes.StateError:    {Title: "Failed", Text: "The pod has failed. Its owner can see why and start it again."},
	routes.StateComplete: {Title: "Finished", Text: "The pod's program has ended, as it should."},
}

// ForState returns the page of a pod that is in state and therefore serves no
// requests.
func ForState(state routes.State) Page {
	page := states[state]
	page.Status, page.State = http.StatusServiceUnavailable, string(state)
	return page
}

// ForProtocol returns the page of a pod that does not speak HTTP: it is reached
// by protocol, over TLS, at address, a host with its port.
func ForProtocol(protocol, address string) Page {
	return Page{
		Status: http.StatusMisdirectedRequest, State: "other_protocol", Title: "Not a web address",
		Text: "This pod is reached by the protocol " + protocol + ", over TLS with the host name as server name (SNI), at " + address + ".",
	}
}

// Writer writes pages. It is safe for concurrent use.
type Writer struct {
	version string
}

// NewWriter returns a Writer that names version, that of the service, in its
// JSON answers.
func NewWriter(version string) *Writer { return &Writer{version: version} }

// Write answers r with page, in the form that r accepts. host is shown as it
// is and must be in the form that routes.CanonicalHost returns, or empty.
func (w *Writer) Write(rw http.ResponseWriter, r *http.Request, page Page, host string) {
	var body bytes.Buffer
	header := rw.Header()
	if prefersJSON(r.Header) {
		header.Set("Content-Type", "application/json")
		writeJSON(&body, page, host, w.version)
	} else {
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Security-Policy", contentSecurityPolicy)
		writeHTML(&body, page, host)
	}
	header.Set("Cache-Control", "no-store")
	header.Add("Vary", "Accept, Sec-Fetch-Mode")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Robots-Tag", "noindex")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	if page.Retry > 0 {
		header.Set("Retry-After", seconds(page.Retry))
	}
	if page.Status == http.StatusMethodNotAllowed {
		header.Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	}
	rw.WriteHeader(page.Status)
	if r.Method != http.MethodHead {
		_, _ = rw.Write(body.Bytes()) // fails only when the client is gone
	}
}

func seconds(d time.Duration) string {
	return strconv.Itoa(int(d / time.Second))
}
