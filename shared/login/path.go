package login

import (
	"net/http"
	"strings"

	"github.com/pods-service/pods/shared/pods"
)

// The paths at a pod's host that the login keeps for itself.
const (
	ownPaths   = "/.pods/"
	finishPath = ownPaths + "login"
	logoutPath = ownPaths + "logout"
)

// maxReturn bounds a return path in bytes: it travels in URLs.
const maxReturn = 1024

// isReturn reports whether target is a path, with or without a query, that
// leads to the host it is opened at and to no other: one slash at its start, no
// backslash, which browsers take for a slash, and visible ASCII alone, because
// browsers drop some control characters. The login's own paths are no place to
// return to.
func isReturn(target string) bool {
	if len(target) > maxReturn || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") ||
		strings.HasPrefix(target, ownPaths) {
		return false
	}
	return !strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' })
}

// returnOf returns where a visitor comes back to: what they asked for, if that
// was a page, or the path that the entry names.
func (v Visit) returnOf() string {
	if v.Method == http.MethodGet && isNavigation(v.Header) && isReturn(v.Target) {
		return v.Target
	}
	return configuredReturn(v.Entry.Networking)
}

func configuredReturn(networking *pods.Networking) string {
	if isReturn(networking.TapisAuthReturnPath) {
		return networking.TapisAuthReturnPath
	}
	return "/"
}

// isNavigation reports whether a browser asks for a page to show, rather than a
// program or a page's script for data.
func isNavigation(header http.Header) bool {
	return strings.EqualFold(header.Get("Sec-Fetch-Mode"), "navigate") && takesHTML(header)
}

func takesHTML(header http.Header) bool {
	for _, line := range header.Values("Accept") {
		if strings.Contains(strings.ToLower(line), "text/html") {
			return true
		}
	}
	return false
}
