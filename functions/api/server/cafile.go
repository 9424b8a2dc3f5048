package server

import "net/http"

// CertificateFile serves the certificate of a development CA, for clients to
// trust, from the file at path.
func CertificateFile(path string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/x-pem-file")
		header.Set("Content-Disposition", `attachment; filename="pods-development-ca.pem"`)
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		http.ServeFile(w, r, path)
	})
}
