package proxy

import (
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strings"
)

// platformToken is the name of the header and of the cookie in which a client
// sends its token to the platform.
const platformToken = "X-Tapis-Token" //nolint:gosec // a name, not a token

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
	removePlatformCookie(pr.Out.Header)
	pr.SetXForwarded()
	if !strings.EqualFold(pr.Out.Header.Get("Upgrade"), "websocket") {
		// Any other protocol, HTTP/2 above all, would be a tunnel past
		// everything the gateway checks.
		pr.Out.Header.Del("Upgrade")
		pr.Out.Header.Del("Connection")
	}
}

// removeReserved removes the headers that only the gateway may set, in every
// spelling: many servers take an underscore for a hyphen.
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
	return false
}

func isReserved(name string) bool {
	switch name {
	case "forwarded", "x-real-ip", "x-tapis-token":
		return true
	}
	return strings.HasPrefix(name, "x-forwarded-")
}

// removePlatformCookie removes the platform's token from the Cookie headers
// and leaves every other byte of them alone.
func removePlatformCookie(header http.Header) {
	lines := header["Cookie"]
	kept := lines[:0]
	for _, line := range lines {
		if line = withoutPlatformCookie(line); line != "" {
			kept = append(kept, line)
		}
	}
	switch {
	case len(lines) == 0:
	case len(kept) == 0:
		delete(header, "Cookie")
	default:
		header["Cookie"] = kept
	}
}

func withoutPlatformCookie(line string) string {
	if !containsToken(line) {
		return line
	}
	var kept []string
	for pair := range strings.SplitSeq(line, ";") {
		if !isPlatformCookie(pair) {
			kept = append(kept, pair)
		}
	}
	return textproto.TrimString(strings.Join(kept, ";"))
}

// containsToken is a cheap test that says no for nearly every line.
func containsToken(line string) bool {
	for i := range len(line) - len("tapis") + 1 {
		if strings.EqualFold(line[i:i+len("tapis")], "tapis") {
			return true
		}
	}
	return false
}

// isPlatformCookie reports whether "name=value" is the platform's token, in
// any spelling.
func isPlatformCookie(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	name = strings.ReplaceAll(textproto.TrimString(name), "_", "-")
	return strings.EqualFold(name, platformToken)
}

// modifyResponse keeps a pod from setting the platform's cookie, and from saying
// who may read its answers where its entry does.
func modifyResponse(response *http.Response) error {
	replaceCORS(response)
	lines := response.Header["Set-Cookie"]
	if len(lines) == 0 {
		return nil
	}
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		if !isPlatformCookie(line) {
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
