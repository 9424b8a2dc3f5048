package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page and its style
	"encoding/base64"

	"github.com/pods-service/pods/shared/markup"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// contentSecurityPolicy allows the page its own style sheet and nothing else.
// Framing is left open: interfaces show pods in frames.
var contentSecurityPolicy = "default-src 'none'; style-src 'sha256-" + digest(pageCSS) + "'; base-uri 'none'; form-action 'none'"

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func writeHTML(body *bytes.Buffer, page Page, host string) {
	texts := map[string]string{"title": page.Title, "heading": page.Title, "state": page.State, "text": page.Text, "host": host}
	if host != "" {
		texts["heading"] += " · " + host
	}
	if page.Refresh {
		texts["every"] = seconds(page.Retry)
	}
	body.Write(markup.Page{HTML: pageHTML, Style: pageCSS}.Fill(texts))
}
