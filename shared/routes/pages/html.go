package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page and its style
	"encoding/base64"
	"html/template"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// contentSecurityPolicy allows the page its own style sheet and nothing else.
// Framing is left open: interfaces show pods in frames.
var contentSecurityPolicy = "default-src 'none'; style-src 'sha256-" + digest(pageCSS) + "'; base-uri 'none'; form-action 'none'"

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

type pageData struct {
	Page
	Style template.CSS
	Host  string
	Every string // seconds between refreshes, or empty
}

func writeHTML(body *bytes.Buffer, page Page, host string) {
	data := pageData{Page: page, Style: template.CSS(pageCSS), Host: host} //nolint:gosec // our own style sheet
	if page.Refresh {
		data.Every = seconds(page.Retry)
	}
	_ = pageTemplate.Execute(body, data) // strings into memory: always succeeds
}
