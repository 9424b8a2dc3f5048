package login

import (
	"net/http"
	"strings"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
)

// RemoveHeaders removes every copy of the entry's configured headers that a
// visitor may have sent, in every spelling: only the login may say who somebody
// is.
func RemoveHeaders(header http.Header, networking *pods.Networking) {
	for configured := range networking.TapisAuthResponseHeaders {
		if isOurs(configured) {
			continue // what the gateway needs or sets itself
		}
		for name := range header {
			if sameName(name, configured) {
				delete(header, name)
			}
		}
	}
}

// headersFor returns the entry's configured headers for a visitor who may pass.
func headersFor(networking *pods.Networking, who Visitor) http.Header {
	headers := make(http.Header, len(networking.TapisAuthResponseHeaders))
	for name, value := range networking.TapisAuthResponseHeaders {
		if !isOurs(name) {
			headers[http.CanonicalHeaderKey(name)] = []string{fill(value, who)}
		}
	}
	return headers
}

// fill puts a visitor in the place of the placeholders in a configured value.
// What it puts in is not looked at again. A Replacer would do the same in many
// times the time, as it is made anew for each visitor.
func fill(value string, who Visitor) string {
	filled := ""
	for {
		before, rest, found := strings.Cut(value, "<<")
		if filled += before; !found {
			return filled
		}
		name, after, isClosed := strings.Cut(rest, ">>")
		if !isClosed {
			name = ""
		}
		switch name {
		case "tapisusername":
			filled, value = filled+who.Username, after
		case "tapistenantid":
			filled, value = filled+who.TenantID, after
		case "tapissiteid":
			filled, value = filled+who.SiteID, after
		default:
			filled, value = filled+"<<", rest
		}
	}
}

// isOurs reports whether a header says how a request is framed and forwarded,
// or carries credentials. No configuration may set or remove it.
func isOurs(name string) bool {
	switch folded := fold(name); folded {
	case "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
		"content-length", "content-encoding", "content-type", "expect", "host", "cookie", "forwarded", "x-real-ip",
		"sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "sec-websocket-extensions":
		return true
	default:
		return strings.HasPrefix(folded, "x-forwarded-") || sameName(folded, auth.HeaderToken)
	}
}

// sameName reports whether a server could take one name for the other: servers
// that hand headers on as variables write every mark alike.
func sameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldByte(a[i]) != foldByte(b[i]) {
			return false
		}
	}
	return true
}

func fold(name string) string {
	folded := []byte(name)
	for i, c := range folded {
		folded[i] = foldByte(c)
	}
	return string(folded)
}

func foldByte(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return c
	}
	return '-'
}
