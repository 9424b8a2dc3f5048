package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"

	"github.com/pods-service/pods/shared/client"
)

// seen is what a pod says of a request that has reached it.
type seen struct {
	Host    string      `json:"host"`
	URI     string      `json:"request_uri"`
	Headers http.Header `json:"headers"`
}

// reach returns what the pod has seen of a request.
func (v visitor) reach(r request) seen {
	v.Helper()
	resp, body := v.ask(r)
	return v.seenOf(resp, body)
}

func (v visitor) seenOf(resp *http.Response, body string) seen {
	v.Helper()
	var got seen
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK {
		v.Fatalf("%s answers %s %s", resp.Request.URL.Host, resp.Status, body)
	}
	return got
}

func checkHTTP(v visitor) {
	resp, body := v.ask(get("web", "default", "/headers?a=%2Fb", "X-Tapis-Token", "secret", "X-Forwarded-For", "203.0.113.1"))
	got := v.seenOf(resp, body)
	if resp.Proto != "HTTP/2.0" || got.Host != v.host("web", "default") || got.URI != "/headers?a=%2Fb" {
		v.Errorf("by %s the pod has seen %+v", resp.Proto, got)
	}
	want := map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": got.Host, "X-Tapis-Token": ""}
	for name, value := range want {
		if found := strings.Join(got.Headers[name], ", "); found != value {
			v.Errorf("the pod has seen %s %q, want %q", name, found, value)
		}
	}
}

func checkUpload(v visitor) {
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	req, err := http.NewRequestWithContext(v.Context(), http.MethodPost, "https://"+v.host("web", "default")+"/echo", bytes.NewReader(sent))
	if err != nil {
		v.Fatal(err)
	}
	if resp, body := v.do(v.client(), req); resp.StatusCode != http.StatusOK || body != string(sent) {
		v.Errorf("of %d bytes %d come back, with %s", len(sent), len(body), resp.Status)
	}
}

func checkWebSocket(v visitor) {
	dialer := &http.Client{Transport: &http.Transport{TLSClientConfig: v.tls(""), DialContext: v.dial}}
	conn, _, err := websocket.Dial(v.Context(), "wss://"+v.host("web", "default")+"/ws", &websocket.DialOptions{HTTPClient: dialer})
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if err := conn.Write(v.Context(), websocket.MessageText, []byte("hello?")); err != nil {
		v.Fatal(err)
	}
	if _, data, err := conn.Read(v.Context()); err != nil || string(data) != "hello?" {
		v.Errorf("the WebSocket echoes %q, %v", data, err)
	}
}

func checkTwoEntries(v visitor) {
	answers(get("web", "default", "/"), http.StatusOK, "Hello from pod "+v.site.ids["web"]+"!")(v)
	answers(get("web", "second", "/"), http.StatusOK, "Hello from pod second!")(v)
}

func preflight(origin string) request {
	r := get("web", "login", "/headers", "Origin", origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "x-own")
	r.method = http.MethodOptions
	return r
}

// checkPreflight asks as a browser does before a request with a header of its
// own: without any login.
func checkPreflight(v visitor) {
	resp, body := v.ask(preflight("https://ui.example.org"))
	if resp.StatusCode >= http.StatusMultipleChoices {
		v.Errorf("the preflight gets %s %s", resp.Status, body)
	}
	allowed := func(name string) string { return strings.ToLower(resp.Header.Get("Access-Control-Allow-" + name)) }
	if allowed("Origin") != "https://ui.example.org" || !strings.Contains(allowed("Methods"), "put") ||
		!strings.Contains(allowed("Headers"), "x-own") || allowed("Credentials") != "true" {
		v.Errorf("the preflight gets %v", resp.Header)
	}
}

func checkPreflightOtherOrigin(v visitor) {
	if resp, _ := v.ask(preflight("https://evil.example.org")); resp.Header.Get("Access-Control-Allow-Origin") != "" {
		v.Errorf("another origin is let in: %v", resp.Header)
	}
}

// checkCORSBeforeLogin: a page can tell that its visitor has to log in.
func checkCORSBeforeLogin(v visitor) {
	resp, _ := v.ask(get("web", "login", "/headers", "Origin", "https://ui.example.org"))
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Access-Control-Allow-Origin") != "https://ui.example.org" {
		v.Errorf("without a login the answer is %s %v", resp.Status, resp.Header)
	}
}

// as returns the headers of a program that a user runs.
func (v visitor) as(user string) []string { return []string{"X-Tapis-Token", v.user(user).Token()} }

func (v visitor) user(name string) *client.Client {
	v.Helper()
	return shared.User(v.T, name)
}

func checkLoginByHeader(v visitor) {
	got := v.reach(get("web", "login", "/headers", append(v.as("bob"), "X-Visitor", "admin@dev", "Cookie", "own=1")...))
	if found := strings.Join(got.Headers["X-Visitor"], ", "); found != "bob@dev" || got.Headers["X-Tapis-Token"] != nil || got.Headers.Get("Cookie") != "own=1" {
		v.Errorf("the pod has seen %v", got.Headers)
	}
}

func checkNoLogin(v visitor) {
	resp, _ := v.ask(get("web", "login", "/headers"))
	to, err := url.Parse(resp.Header.Get("Location"))
	if resp.StatusCode != http.StatusFound || err != nil || "http://"+to.Host != shared.At().API {
		v.Errorf("without a login the answer is %s to %v, %v", resp.Status, to, err)
	}
}

func checkNotOnListByHeader(v visitor) {
	answers(get("web", "private", "/headers", v.as("bob")...), http.StatusForbidden, "authenticated but not in")(v)
	answers(get("web", "private", "/headers", v.as("alice")...), http.StatusOK, `"request_uri"`)(v)
}

// open opens an address as a browser does, or sends a form there.
func (v visitor) open(web *http.Client, method, address string, form url.Values) (*http.Response, string) {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	}
	return v.do(web, req)
}

// logIn visits an address of a pod, fills in the form of the login to which that
// leads, and returns the last answer.
func (v visitor) logIn(web *http.Client, address, user string) (*http.Response, string) {
	v.Helper()
	page, body := v.open(web, http.MethodGet, address, nil)
	at := page.Request.URL
	if at.Path != loginPath || !strings.Contains(body, `<form method="post">`) {
		v.Fatalf("the first visit leads to %s, which answers %s:\n%s", at.Path, page.Status, body)
	}
	return v.open(web, http.MethodPost, at.String(), url.Values{"username": {user}, "password": {user}})
}

// loginPath is where the tenant has its visitors log in.
const loginPath = "/v3/oauth2/authorize"

// checkLoginByBrowser logs in, comes again, logs out and is asked again.
func checkLoginByBrowser(v visitor) {
	web, origin := v.client(), "https://"+v.host("web", "login")
	page, body := v.logIn(web, origin+"/headers?a=1", "carol")
	got := v.seenOf(page, body)
	if got.Host != v.host("web", "login") || got.URI != "/headers?a=1" || strings.Join(got.Headers["X-Visitor"], ", ") != "carol@dev" {
		v.Errorf("after the login the pod sees %+v", got)
	}
	if cookie := got.Headers.Get("Cookie"); cookie != "" {
		v.Errorf("the pod sees cookies of the platform: %s", cookie)
	}
	if again, body := v.open(web, http.MethodGet, origin+"/headers", nil); again.StatusCode != http.StatusOK || !strings.Contains(body, "carol@dev") {
		v.Errorf("the next visit leads to %s, which answers %s %s", again.Request.URL.Path, again.Status, body)
	}
	if out, body := v.open(web, http.MethodPost, origin+"/.pods/logout", url.Values{}); !strings.Contains(body, "You are logged out of this pod.") {
		v.Errorf("logging out answers %s:\n%s", out.Status, body)
	}
	if after, body := v.open(web, http.MethodGet, origin+"/headers", nil); after.Request.URL.Path != loginPath {
		v.Errorf("after logging out %s answers %s %s", after.Request.URL.Path, after.Status, body)
	}
}

// checkNotOnListByBrowser: the visitor is told so at the end of the login, and
// is led to no other.
func checkNotOnListByBrowser(v visitor) {
	page, body := v.logIn(v.client(), "https://"+v.host("web", "private")+"/", "bob")
	if page.StatusCode != http.StatusForbidden || !strings.Contains(body, "authenticated but not in") {
		v.Errorf("%s answers %s:\n%s", page.Request.URL.Host, page.Status, body)
	}
}
