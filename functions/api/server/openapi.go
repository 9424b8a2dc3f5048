package server

import (
	"embed"
	"net/http"

	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"

	"github.com/pods-service/pods/shared/openapi"
	"github.com/pods-service/pods/shared/rest"
)

// docsFiles are the page that shows the API's description, and what starts it.
//
//go:embed docs/index.html docs/start.js
var docsFiles embed.FS

// docsPolicy lets the page load nothing from elsewhere. The viewer sets styles
// on its elements and has images in its style sheet.
const docsPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

// describe has mux serve the API's description, as JSON and as a page. It is
// open and its answers have no envelope, hence it is not in the route table.
func describe(mux *http.ServeMux) {
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", rest.ContentType)
		_, _ = w.Write(openapi.JSON()) // fails only when the client is gone
	})
	mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		http.ServeFileFS(w, r, docsFiles, "docs/index.html")
	})
	mux.HandleFunc("GET /docs/start.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, docsFiles, "docs/start.js")
	})
	// What the page loads is named as from "/docs", with or without "/v3".
	mux.HandleFunc("GET /docs/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "../docs")
		w.WriteHeader(http.StatusFound)
	})
	mux.Handle("GET /docs/", http.StripPrefix("/docs/", statigz.FileServer(static.FS)))
}
