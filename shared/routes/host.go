package routes

import (
	"errors"
	"strings"
)

const (
	maxHostLength  = 253 // RFC 1035 section 2.3.4, written without the last dot
	maxLabelLength = 63
	maxPortLength  = 5
)

// ErrHost is the error of CanonicalHost.
var ErrHost = errors.New("not a host name")

// CanonicalHost returns the form in which hosts are compared of what a client
// sent as Host header, :authority or server name: lower case, without port and
// without the dot that ends an absolute name. A host already in that form is
// returned as it is, without allocation.
//
// It returns ErrHost for anything that is not letters, digits and hyphens in
// labels of at most 63 bytes, 253 in all, with at most one port behind: no
// user names, paths, IPv6 addresses, underscores, empty labels or non-ASCII.
func CanonicalHost(host string) (string, error) {
	name, port, hasPort := strings.Cut(host, ":")
	if hasPort && !isPort(port) {
		return "", ErrHost
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxHostLength {
		return "", ErrHost
	}
	for rest, more := name, true; more; {
		var label string
		label, rest, more = strings.Cut(rest, ".")
		if !isLabel(label) {
			return "", ErrHost
		}
	}
	return strings.ToLower(name), nil
}

func isPort(text string) bool {
	if text == "" || len(text) > maxPortLength {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

func isLabel(text string) bool {
	if text == "" || len(text) > maxLabelLength || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	for i := range len(text) {
		c := text[i]
		isLetter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !isLetter && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
