package proxy

import (
	"net/http"
	"net/http/httputil"
	"strings"

	"github.com/pods-service/pods/shared/login"
)

// rewrite turns a visitor's request into the one that the pod gets: sent to
// the pod's address, with the visitor's Host, path and query as they are.
// ReverseProxy has removed the hop-by-hop headers before.
func (h *Handler) rewrite(pr *httputil.ProxyRequest) {
	x := exchangeOf(pr.In)
	pr.Out.URL.Scheme = "http"
	pr.Out.URL.Host = x.route.Target
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery // the pod reads it in its own way
	removeReserved(pr.Out.Header)
	removeReserved(pr.Out.Trailer)
	if x.body != nil {
		x.body.trailers = pr.Out.Trailer
	}
	login.RemoveCookies(pr.Out.Header)
	x.identify(pr.Out)
	pr.SetXForwarded()
	if !strings.EqualFold(pr.Out.Header.Get("Upgrade"), "websocket") || !pr.In.ProtoAtLeast(1, 1) {
		// Any other protocol, HTTP/2 above all, would be a tunnel past
		// everything the gateway checks. HTTP/1.0 has no upgrades.
		pr.Out.Header.Del("Upgrade")
		pr.Out.Header.Del("Connection")
	}
}

// removeReserved removes the headers that only the gateway may set, in every
// spelling: many servers take an underscore for a hyphen. Those that say how
// long a body is are among them; the transport writes the ones that count.
func removeReserved(header http.Header) {
	for name := range header {
		if mayBeReserved(name) && isReserved(strings.ReplaceAll(strings.ToLower(name), "_", "-")) {
			delete(header, name)
		}
	}
}

// mayBeReserved sorts out nearly all headers without a copy of their names.
func mayBeReserved(name string) bool {
	switch name[0] | 0x20 {
	case 'f', 'x':
		return true
	}
	return strings.Contains(name, "_")
}

func isReserved(name string) bool {
	switch name {
	case "forwarded", "x-real-ip", "x-tapis-token", "content-length", "transfer-encoding":
		return true
	}
	return strings.HasPrefix(name, "x-forwarded-")
}

// modifyResponse keeps a pod from setting the platform's cookies, and from saying
// who may read its answers where its entry does.
func modifyResponse(response *http.Response) error {
	replaceCORS(response)
	lines := response.Header["Set-Cookie"]
	if len(lines) == 0 {
		return nil
	}
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		if !login.IsCookie(line) {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		response.Header.Del("Set-Cookie")
	} else {
		response.Header["Set-Cookie"] = kept
	}
	return nil
}
