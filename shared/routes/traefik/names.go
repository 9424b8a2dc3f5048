package traefik

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

const (
	// platformToken is the header with a user's token. It is for the platform
	// and never reaches a pod.
	platformToken = "X-Tapis-Token" //nolint:gosec // a name, not a token

	// maxTokenLength bounds names of headers and methods. Traefik reads the
	// document as YAML, in which a key has at most 1,024 bytes.
	maxTokenLength = 256
	// maxSeparators bounds the hyphens of a header whose other spellings are
	// removed: there are two to the power of it.
	maxSeparators = 8
)

// Headers by which proxies say where a request has come from. Servers that take
// an underscore for a hyphen would read a visitor's own words in them.
var (
	// traefikHeaders are those of Traefik itself. It removes or replaces what
	// visitors send under these names, and passes on what they send under names
	// that only look alike.
	traefikHeaders = []string{
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Method", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Proto",
		"X-Forwarded-Server", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info", "X-Forwarded-Uri", "X-Real-Ip",
	}
	// foreignHeaders are those of other proxies, which are not there to set
	// them, and the platform's token. Nobody may.
	foreignHeaders = []string{
		"Forwarded", "X-Forwarded-Access-Token", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username",
		"X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-User", platformToken,
	}
)

// reservedHeaders returns the headers that no visitor's request brings to a pod,
// each with no value, as Traefik has those that it is to remove.
func reservedHeaders() (removed map[string]string, err error) {
	removed = map[string]string{}
	for _, name := range traefikHeaders {
		err = errors.Join(err, addSpellings(removed, name, false))
	}
	for _, name := range foreignHeaders {
		err = errors.Join(err, addSpellings(removed, name, true))
	}
	return removed, err
}

// isLabel reports whether text can be a part of a name in the document.
func isLabel(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

// isToken reports whether text is a name as HTTP has them (RFC 9110 section
// 5.6.2).
func isToken(text string) bool {
	return text != "" && len(text) <= maxTokenLength && !strings.ContainsFunc(text, func(r rune) bool {
		isLetter := r|0x20 >= 'a' && r|0x20 <= 'z'
		return !isLetter && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// isOrigin reports whether text can be sent as an origin: printable ASCII in
// one word. Anything else might make the document one that Traefik cannot read.
func isOrigin(text string) bool {
	return text != "" && len(text) <= maxTokenLength && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~' || r == ','
	})
}

func isPlatformToken(header string) bool {
	return strings.EqualFold(strings.ReplaceAll(header, "_", "-"), platformToken)
}

func sameHeader(header string) func(string) bool {
	return func(other string) bool { return strings.EqualFold(header, other) }
}

// addSpellings adds to removed the spellings of header with an underscore for a
// hyphen or the other way round, at any of its places; header itself only where
// own is set. They are in the form that requests have in Traefik, which spares
// it the work for each of them.
//
// Errors: for a header with too many of them.
func addSpellings(removed map[string]string, header string, own bool) error {
	var places []int
	for i := range len(header) {
		if header[i] == '-' || header[i] == '_' {
			places = append(places, i)
		}
	}
	if len(places) > maxSeparators {
		return fmt.Errorf("header %q has more than %d hyphens", header, maxSeparators)
	}
	spelling := []byte(header)
	for choice := range 1 << len(places) {
		for i, place := range places {
			spelling[place] = "-_"[choice>>i&1]
		}
		if own || string(spelling) != header {
			removed[http.CanonicalHeaderKey(string(spelling))] = ""
		}
	}
	return nil
}
