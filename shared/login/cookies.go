package login

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/pods-service/pods/shared/auth"
)

// RemoveCookies removes the platform's cookies, the token and those of the
// login, from the Cookie headers and leaves every other byte of them alone.
func RemoveCookies(header http.Header) {
	lines := header["Cookie"]
	kept := lines[:0]
	for _, line := range lines {
		if line = withoutOurs(line); line != "" {
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

func withoutOurs(line string) string {
	if !mayHoldOurs(line) {
		return line
	}
	var kept []string
	for pair := range strings.SplitSeq(line, ";") {
		if !IsCookie(pair) {
			kept = append(kept, pair)
		}
	}
	return textproto.TrimString(strings.Join(kept, ";"))
}

// mayHoldOurs is a cheap test that says no for nearly every line.
func mayHoldOurs(line string) bool {
	const shortest = len("pods")
	for i := range len(line) - shortest + 1 {
		switch line[i] | 0x20 {
		case 'p':
			if strings.EqualFold(line[i:i+shortest], "pods") {
				return true
			}
		case 't':
			if i+len("tapis") <= len(line) && strings.EqualFold(line[i:i+len("tapis")], "tapis") {
				return true
			}
		}
	}
	return false
}

// IsCookie reports whether "name=value", which may be followed by attributes, is
// a cookie of the platform's, in any spelling.
func IsCookie(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	name = textproto.TrimString(name)
	return sameName(name, auth.HeaderToken) || sameName(name, cookieSession) || sameName(name, cookieNonce)
}

// cookies returns the values of every cookie that is called exactly so.
func cookies(header http.Header, name string) []string {
	var values []string
	for _, line := range header["Cookie"] {
		if !strings.Contains(line, name) {
			continue
		}
		for pair := range strings.SplitSeq(line, ";") {
			if found, value, _ := strings.Cut(textproto.TrimString(pair), "="); found == name {
				values = append(values, value)
			}
		}
	}
	return values
}

// onlyCookie returns the value of a cookie, empty when it is not there or there
// twice: somebody else than the login has set one of them then.
func onlyCookie(header http.Header, name string) string {
	if values := cookies(header, name); len(values) == 1 {
		return values[0]
	}
	return ""
}
