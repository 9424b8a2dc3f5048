package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pods-service/pods/functions/api/server"
)

// TestVisitorLogsInAtTheIssuer goes through the page of the development issuer,
// where podsd and the local deployment have visitors log in.
func TestVisitorLogsInAtTheIssuer(t *testing.T) {
	t.Parallel()

	s := serveLoginSite(t, func(s *loginSite, parts *server.Parts) {
		parts.Issuer, parts.Service = s.tokens, developmentService
	})
	s.pod("web", "bob")
	s.pod("app", "bob")
	bob := s.visitor()
	bob.want("https://web.pods.localhost/page", 200, "to go on to <strong>Pod web</strong>")
	bob.enter("bob", "wrong", 401, "The user name or the password is wrong")
	bob.enter("bob", "bob", 200, "web /page")
	bob.want("https://web.pods.localhost/other", 200, "web /other")

	alice := s.visitor()
	alice.want("https://app.pods.localhost/", 200, "<strong>Pod app</strong>")
	alice.enter("alice", "alice", 403, "alice of tenant dev is authenticated but not in")
}

// enter sends the form of the login page that the last visit led to.
func (v *visitor) enter(user, password string, status int, text string) {
	v.site.t.Helper()
	page := v.hop("/v3/oauth2/authorize?")
	form := url.Values{"username": {user}, "password": {password}}
	r, err := http.NewRequestWithContext(v.site.t.Context(), http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		v.site.t.Fatal(err)
	}
	r.Header = http.Header{
		"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"},
		"Content-Type": {"application/x-www-form-urlencoded"},
	}
	answer, err := v.client.Do(r)
	if err != nil {
		v.site.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		v.site.t.Fatal(err)
	}
	if answer.StatusCode != status || !strings.Contains(string(body), text) {
		v.site.t.Errorf("the login of %s ends with %d, want %d with %q: %.300s", user, answer.StatusCode, status, text, body)
	}
}
