package traefik

import (
	"fmt"
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
// own is set.
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
			removed[string(spelling)] = ""
		}
	}
	return nil
}
