package issuer_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/shared/pods"
)

const (
	callback = "https://app.example.org/callback?from=login"
	verifier = "a-verifier-of-at-least-forty-three-characters-0123"
)

// withApp adds the client app, with a callback, and the client other.
func withApp(t testing.TB, s *server) *server {
	t.Helper()
	token := s.tokenOf(t, "bob")
	for _, body := range []string{
		`{"client_id":"app","client_key":"app","callback_url":"` + callback + `","display_name":"Bob's <App>"}`,
		`{"client_id":"other","client_key":"other","callback_url":"` + callback + `"}`,
		`{"client_id":"nowhere","client_key":"nowhere"}`,
	} {
		answer := s.do(t, call{method: http.MethodPost, path: "/v3/oauth2/clients", host: "localhost:" + s.port, token: token, contentType: asJSON, body: body})
		if answer.code != http.StatusOK {
			t.Fatalf("create client: %d %s", answer.code, answer.text())
		}
	}
	return s
}

func challenge() string {
	digest := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// authorizeURL returns the address of the login with changes, pairs of a name
// and a value; "-" takes the parameter out.
func authorizeURL(changes ...string) string {
	query := url.Values{
		"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"a b&c"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"},
	}
	for n := 0; n+1 < len(changes); n += 2 {
		query.Set(changes[n], changes[n+1])
		if changes[n+1] == "-" {
			query.Del(changes[n])
		}
	}
	return "/v3/oauth2/authorize?" + query.Encode()
}

// visit makes a request as a browser does, and does not follow redirects.
func (s *server) visit(t testing.TB, method, path, form string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.addr+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "localhost:" + s.port
	if method == http.MethodPost {
		r.Header.Set("Content-Type", asForm)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// returned logs alice in and returns what the callback gets.
func (s *server) returned(t testing.TB, path string) url.Values {
	t.Helper()
	response, body := s.visit(t, http.MethodPost, path, "username=alice&password=alice", nil)
	if response.StatusCode != http.StatusSeeOther {
		t.Fatalf("login: %d %s", response.StatusCode, body)
	}
	location := response.Header.Get("Location")
	if !strings.HasPrefix(location, callback+"&") {
		t.Fatalf("redirect to %q, want the callback", location)
	}
	target, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	return target.Query()
}

func (s *server) codeCall(client, code, codeVerifier string) call {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}}
	if codeVerifier != "" {
		form.Set("code_verifier", codeVerifier)
	}
	return call{
		method: http.MethodPost, path: "/v3/oauth2/tokens", host: "localhost:" + s.port, contentType: asForm, body: form.Encode(),
		client: client, key: client,
	}
}

func TestLoginByBrowser(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ path, verifier, state string }{
		"PKCE":           {authorizeURL(), verifier, "a b&c"},
		"NoPKCE":         {authorizeURL("code_challenge", "-", "code_challenge_method", "-"), "", "a b&c"},
		"NoState":        {authorizeURL("state", "-"), verifier, ""},
		"MoreParameters": {authorizeURL("scope", "openid"), verifier, "a b&c"},
	}
	s := withApp(t, newServer(t))
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if response, body := s.visit(t, http.MethodGet, tc.path, "", nil); response.StatusCode != http.StatusOK {
				t.Fatalf("page: %d %s", response.StatusCode, body)
			}
			answer := s.returned(t, tc.path)
			if answer.Get("state") != tc.state || answer.Get("from") != "login" || answer.Has("error") {
				t.Errorf("callback gets %v, want state %q", answer, tc.state)
			}
			got := s.tokens(t, s.codeCall("app", answer.Get("code"), tc.verifier))
			claims, err := s.authenticator(t).Verify(t.Context(), got.Access.Token)
			if err != nil || claims.Username != "alice" || claims.TenantID != "dev" {
				t.Errorf("claims %+v, %v", claims, err)
			}
			if got.Refresh == nil {
				t.Fatal("no refresh token")
			}
			refresh := s.codeCall("app", "", "")
			refresh.body = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh.Token}}.Encode()
			s.tokens(t, refresh)
			if again := s.do(t, s.codeCall("app", answer.Get("code"), tc.verifier)); again.code != http.StatusUnauthorized {
				t.Errorf("the same code again: %d", again.code)
			}
		})
	}
}

func TestLoginPage(t *testing.T) {
	t.Parallel()

	s := withApp(t, newServer(t))
	response, body := s.visit(t, http.MethodGet, authorizeURL(), "", nil)
	for _, want := range []string{
		"dev · Development tenant", "Bob&#39;s &lt;App&gt;", "<dd>app.example.org</dd>", "<dd>bob</dd>",
		`<label for="username">`, `<label for="password">`, `<form method="post">`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, `role="alert"`) || strings.Count(body, " autofocus") != 1 {
		t.Errorf("page with a script, a problem, or not one field to begin with:\n%s", body)
	}
	style := strings.TrimSuffix(strings.SplitAfterN(body, "<style>", 2)[1], "\n")
	digest := sha256.Sum256([]byte(style[:strings.Index(style, "</style>")]))
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Frame-Options": "DENY",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) +
			"'; base-uri 'none'; frame-ancestors 'none'",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestLoginShownAgain covers what a person can do wrong in the form.
func TestLoginShownAgain(t *testing.T) {
	t.Parallel()

	const wrong = "The user name or the password is wrong. Try again."
	asText := http.Header{"Content-Type": {"text/plain"}}
	tests := map[string]struct {
		form   string
		header http.Header
		code   int
		text   string
	}{
		"WrongPassword": {"username=alice&password=bob", nil, 401, wrong},
		"UnknownUser":   {"username=%22%3Ex&password=x", nil, 401, wrong},
		"NoPassword":    {"username=alice&password=", nil, 400, "Enter your user name and your password."},
		"Nothing":       {"", nil, 400, "Enter your user name and your password."},
		"TwoUsers":      {"username=alice&username=bob&password=bob", nil, 400, "The form did not come as the page sends it. Try again."},
		"NoForm":        {`{"username":"alice","password":"alice"}`, asText, 400, "The form did not come as the page sends it. Try again."},
		"Large":         {"username=" + strings.Repeat("x", 16<<10), nil, 413, "larger than the 16 KiB"},
	}
	s := withApp(t, newServer(t))
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			response, body := s.visit(t, http.MethodPost, authorizeURL(), tc.form, tc.header)
			if response.StatusCode != tc.code || response.Header.Get("Location") != "" {
				t.Errorf("%d to %q, want %d", response.StatusCode, response.Header.Get("Location"), tc.code)
			}
			if !strings.Contains(body, `role="alert" id="problem">`) || !strings.Contains(body, tc.text) || !strings.Contains(body, "<form") {
				t.Errorf("page lacks %q or the form:\n%s", tc.text, body)
			}
			if strings.Contains(body, `value="">x"`) {
				t.Error("the user name is markup")
			}
			if response.Header.Get("Content-Security-Policy") == "" {
				t.Error("no Content-Security-Policy")
			}
		})
	}
}

// TestLoginNeverRedirects covers requests that are not known to come from the
// application with the callback.
func TestLoginNeverRedirects(t *testing.T) {
	t.Parallel()

	at := func(name, value string) http.Header { return http.Header{name: {value}} }
	tests := map[string]struct {
		method, path string
		header       http.Header
		code         int
		text         string
	}{
		"NoClient":       {"", authorizeURL("client_id", "-"), nil, 400, "(client_id)"},
		"TwoClients":     {"", authorizeURL() + "&client_id=other", nil, 400, "(client_id)"},
		"UnknownClient":  {"", authorizeURL("client_id", "nobody"), nil, 400, "not known in the tenant dev"},
		"NoCallback":     {"", authorizeURL("redirect_uri", "-"), nil, 400, "(redirect_uri)"},
		"TwoCallbacks":   {"", authorizeURL() + "&redirect_uri=x", nil, 400, "(redirect_uri)"},
		"OtherCallback":  {"", authorizeURL("redirect_uri", "https://evil.example.org/callback?from=login"), nil, 400, "another address"},
		"LongerCallback": {"", authorizeURL("redirect_uri", callback+"&more"), nil, 400, "another address"},
		"ShorterPath":    {"", authorizeURL("redirect_uri", "https://app.example.org/callback"), nil, 400, "another address"},
		"CallbackInCaps": {"", authorizeURL("redirect_uri", strings.Replace(callback, "app", "APP", 1)), nil, 400, "another address"},
		"NoneRegistered": {"", authorizeURL("client_id", "nowhere"), nil, 400, "another address"},
		"BrokenQuery":    {"", "/v3/oauth2/authorize?client_id=%zz", nil, 400, "not well-formed"},
		"Delete":         {http.MethodDelete, authorizeURL(), nil, 405, "GET and POST only"},
		"CrossSite":      {http.MethodPost, authorizeURL(), at("Sec-Fetch-Site", "cross-site"), 403, "another site"},
		"SameSite":       {http.MethodPost, authorizeURL(), at("Sec-Fetch-Site", "same-site"), 403, "another site"},
		"OtherOrigin":    {http.MethodPost, authorizeURL(), http.Header{"Sec-Fetch-Site": nil, "Origin": {"https://evil.example.org"}}, 403, "another site"},
		"OpaqueOrigin":   {http.MethodPost, authorizeURL(), http.Header{"Sec-Fetch-Site": nil, "Origin": {"null"}}, 403, "another site"},
	}
	s := withApp(t, newServer(t))
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			methods := []string{http.MethodGet, http.MethodPost}
			if tc.method != "" {
				methods = []string{tc.method}
			}
			for _, method := range methods {
				response, body := s.visit(t, method, tc.path, "username=alice&password=alice", tc.header)
				if response.StatusCode != tc.code || response.Header.Get("Location") != "" {
					t.Errorf("%s: %d to %q, want %d", method, response.StatusCode, response.Header.Get("Location"), tc.code)
				}
				if !strings.Contains(body, tc.text) || strings.Contains(body, "<form") {
					t.Errorf("%s: page lacks %q or has a form:\n%s", method, tc.text, body)
				}
			}
		})
	}
}

// TestLoginRefusedToApplication covers what the application did wrong, which it
// learns at its callback.
func TestLoginRefusedToApplication(t *testing.T) {
	t.Parallel()

	tests := map[string]struct{ path, want string }{
		"NoType":         {authorizeURL("response_type", "-"), "invalid_request"},
		"Token":          {authorizeURL("response_type", "token"), "unsupported_response_type"},
		"Hybrid":         {authorizeURL("response_type", "code id_token"), "unsupported_response_type"},
		"TwoTypes":       {authorizeURL() + "&response_type=code", "invalid_request"},
		"Plain":          {authorizeURL("code_challenge_method", "plain"), "invalid_request"},
		"NoMethod":       {authorizeURL("code_challenge_method", "-"), "invalid_request"},
		"NoChallenge":    {authorizeURL("code_challenge", "-"), "invalid_request"},
		"ShortChallenge": {authorizeURL("code_challenge", "short"), "invalid_request"},
		"Padded":         {authorizeURL("code_challenge", challenge()+"="), "invalid_request"},
	}
	s := withApp(t, newServer(t))
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			answer := s.returned(t, tc.path)
			if answer.Get("error") != tc.want || answer.Get("state") != "a b&c" || answer.Get("error_description") == "" || answer.Has("code") {
				t.Errorf("callback gets %v, want error %s and the state", answer, tc.want)
			}
		})
	}
	if answer := s.returned(t, authorizeURL()+"&state=x"); answer.Get("error") != "invalid_request" || answer.Has("state") {
		t.Errorf("two states: callback gets %v", answer)
	}
}

func TestCodeRefused(t *testing.T) {
	t.Parallel()

	const refused = "Invalid authorization code; no token was created. Log in again."
	withoutPKCE := authorizeURL("code_challenge", "-", "code_challenge_method", "-")
	keep := func(*call) {}
	tests := map[string]struct {
		path     string
		verifier string
		change   func(*call)
		after    time.Duration
		code     int
		text     string
	}{
		"OtherClient":   {authorizeURL(), verifier, func(c *call) { c.client, c.key = "other", "other" }, 0, 401, refused},
		"NoClient":      {authorizeURL(), verifier, func(c *call) { c.client = "" }, 0, 401, "The authorization_code grant needs a client's id and key as Basic credentials; no token was created."},
		"WrongKey":      {authorizeURL(), verifier, func(c *call) { c.key = "x" }, 0, 401, "Invalid client credentials; no token was created."},
		"OtherTenant":   {authorizeURL(), verifier, func(c *call) { c.host, c.client, c.key = "dev2.localhost:"+"0", "pods-dev", "pods-dev" }, 0, 401, refused},
		"OtherCallback": {authorizeURL(), verifier, func(c *call) { c.body = strings.Replace(c.body, "app.example.org", "evil.example.org", 1) }, 0, 401, refused},
		"NoCallback":    {authorizeURL(), verifier, func(c *call) { c.body = strings.Replace(c.body, "redirect_uri", "x", 1) }, 0, 400, "body, redirect_uri: redirect_uri is required"},
		"NoCode":        {authorizeURL(), verifier, func(c *call) { c.body = strings.Replace(c.body, "code=", "x=", 1) }, 0, 400, "body, code: code is required"},
		"NoVerifier":    {authorizeURL(), "", keep, 0, 401, refused},
		"WrongVerifier": {authorizeURL(), verifier + "x", keep, 0, 401, refused},
		"OnlyVerifier":  {withoutPKCE, verifier, keep, 0, 401, refused},
		"Late":          {withoutPKCE, "", keep, time.Minute, 401, refused},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := withApp(t, newServer(t))
			code := s.returned(t, tc.path).Get("code")
			s.clock.Advance(tc.after)
			c := s.codeCall("app", code, tc.verifier)
			tc.change(&c)
			c.host = strings.Replace(c.host, ":0", ":"+s.port, 1)
			answer := s.do(t, c)
			if answer.code != tc.code || answer.text() != tc.text {
				t.Errorf("%d %q, want %d %q", answer.code, answer.text(), tc.code, tc.text)
			}
			if answer.text() != refused {
				return
			}
			if again := s.do(t, s.codeCall("app", code, verifier)); again.code != http.StatusUnauthorized {
				t.Errorf("a code that was refused is good afterwards: %d", again.code)
			}
		})
	}
}

// TestCodeLastsForAMinute is the other side of a late code.
func TestCodeLastsForAMinute(t *testing.T) {
	t.Parallel()

	s := withApp(t, newServer(t))
	code := s.returned(t, authorizeURL()).Get("code")
	s.clock.Advance(time.Minute - time.Millisecond)
	s.tokens(t, s.codeCall("app", code, verifier))
}

func TestCodesAreBounded(t *testing.T) {
	t.Parallel()

	config := development(t, "127.0.0.1:8080")
	config.Tenants[0].Clients[0].CallbackURL = callback
	now := &clock{now: start}
	config.Now = now.Now
	made := newIssuer(t, config)
	logIn := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "http://localhost:8080"+authorizeURL("client_id", "pods-dev"), strings.NewReader("username=alice&password=alice"))
		r.Header.Set("Content-Type", asForm)
		w := httptest.NewRecorder()
		made.ServeHTTP(w, r)
		return w
	}
	for n := range 4096 {
		if w := logIn(); w.Code != http.StatusSeeOther {
			t.Fatalf("login %d: %d %s", n, w.Code, w.Body)
		}
	}
	if w := logIn(); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "Try again in a moment.") {
		t.Errorf("one login more: %d %s", w.Code, w.Body)
	}
	now.Advance(time.Minute)
	if w := logIn(); w.Code != http.StatusSeeOther {
		t.Errorf("once the codes have expired: %d %s", w.Code, w.Body)
	}
}

func TestConfiguredClientIsChecked(t *testing.T) {
	t.Parallel()

	config := development(t, "127.0.0.1:8080")
	config.Tenants[0].Clients = []issuer.Client{{ID: "app", Key: "app", CallbackURL: "http://app.example.org"}}
	if _, err := issuer.New(config); pods.KindOf(err) != pods.KindInvalid {
		t.Errorf("New with a callback without TLS: %v", err)
	}
}
