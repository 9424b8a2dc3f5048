package web

import (
	_ "embed" // the page
	"fmt"
	"html"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// pageHTML has placeholders in braces. html/template would make the image half
// as large again, for four values.
//
//go:embed page.html
var pageHTML string

// page serves GET /: a page for browsers, plain text for everything else.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if !acceptsHTML(r.Header.Values("Accept")) {
		plain(w, http.StatusOK, fmt.Sprintf("Hello from pod %s!\n\n"+
			"This is hello %s. Try /headers, /stream, /bytes?n=1024, /status/418, /healthz,\n"+
			"POST /echo or a WebSocket at /ws.\n", s.options.PodID, s.options.Version))
		return
	}
	text := strings.NewReplacer(
		"{pod}", html.EscapeString(s.options.PodID),
		"{version}", html.EscapeString(s.options.Version),
		"{host}", html.EscapeString(r.Host),
		"{proto}", html.EscapeString(r.Proto),
	).Replace(pageHTML)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text)) // fails only when the client is gone
}

// acceptsHTML reports whether an Accept header names HTML. "*/*" alone does
// not: that is what command line clients send.
func acceptsHTML(accept []string) bool {
	for _, item := range strings.Split(strings.Join(accept, ","), ",") {
		mediaType, parameters, err := mime.ParseMediaType(item)
		if err != nil || (mediaType != "text/html" && mediaType != "application/xhtml+xml") {
			continue
		}
		quality, err := strconv.ParseFloat(parameters["q"], 64)
		if err != nil || quality > 0 { // no q means 1
			return true
		}
	}
	return false
}
