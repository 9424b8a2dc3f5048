package traefik

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// raw sends text as it is over TLS, on a connection for serverName, and returns
// the answer.
func (v visitor) raw(serverName, text string) (*http.Response, string) {
	v.t.Helper()
	conn, err := net.Dial("tcp", v.program.secure)
	if err != nil {
		v.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(limit))
	// Without a name there is nothing to hold the certificate against.
	secure := tls.Client(conn, &tls.Config{RootCAs: v.certificate.pool, ServerName: serverName, InsecureSkipVerify: serverName == ""})
	return send(v.t, secure, text)
}

func send(t *testing.T, conn net.Conn, text string) (*http.Response, string) {
	t.Helper()
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return resp, string(body)
}

// seenIn returns what a pod says that it has seen.
func seenIn(t *testing.T, resp *http.Response, body string) seen {
	t.Helper()
	var got seen
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the answer is %s %s", resp.Status, body)
	}
	return got
}

// checkHosts names hosts in ways that could be taken for another. Traefik goes
// by the Host of the request, and so do the lists and the logins that apply to
// it, whatever host the handshake has named; the gateway refuses when they
// differ.
func (v visitor) checkHosts() {
	const web = "web." + domain
	for name, tc := range map[string]struct {
		serverName, host string
		status           int
		pod              string
	}{
		"Plain":        {web, "Host: web.pods.localhost\n", 200, "web"},
		"UpperCase":    {"WEB.pods.localhost", "Host: WEB.Pods.LocalHost\n", 200, "web"},
		"Dot":          {web, "Host: web.pods.localhost.\n", 200, "web"},
		"Port":         {web, "Host: web.pods.localhost:99\n", 200, "web"},
		"DotAndPort":   {web, "Host: web.pods.localhost.:99\n", 200, "web"},
		"OtherEntry":   {web, "Host: web-admin.pods.localhost\n", 200, "admin"},
		"NoServerName": {"", "Host: web.pods.localhost\n", 200, "web"},
		"Prefix":       {web, "Host: xweb.pods.localhost\n", 404, ""},
		"Suffix":       {web, "Host: web.pods.localhost.evil.example\n", 404, ""},
		"Below":        {web, "Host: x.web.pods.localhost\n", 404, ""},
		"Address":      {web, "Host: 127.0.0.1\n", 404, ""},
		"IPv6":         {web, "Host: [::1]:8081\n", 404, ""},
		"User":         {web, "Host: x@web.pods.localhost\n", 400, ""},
		"Path":         {web, "Host: web.pods.localhost/x\n", 400, ""},
		"List":         {web, "Host: x, web.pods.localhost\n", 400, ""},
		"Underscore":   {web, "Host: w_eb.pods.localhost\n", 404, ""},
		"Empty":        {web, "Host: \n", 404, ""},
		"None":         {web, "", 400, ""},
		"Two":          {web, "Host: web.pods.localhost\nHost: last.pods.localhost\n", 400, ""},
		"LoginBehind":  {web, "Host: login.pods.localhost\n", 302, ""},
		"ListBehind":   {web, "Host: outside.pods.localhost\n", 403, ""},
		"LocalBehind":  {web, "Host: local.pods.localhost\n", 404, ""},
		"Forwarded":    {web, "Host: none.pods.localhost\nX-Forwarded-Host: web.pods.localhost\n", 404, ""},
	} {
		resp, body := v.raw(tc.serverName, "GET / HTTP/1.1\n"+tc.host+"Connection: close\n\n")
		var got seen
		_ = json.Unmarshal([]byte(body), &got) // pages are no pod's answer
		if resp.StatusCode != tc.status || got.Pod != tc.pod {
			v.t.Errorf("%s: %s by the pod %q, want %d by %q: %.200s", name, resp.Status, got.Pod, tc.status, tc.pod, body)
		}
	}
}

// forged are headers by which proxies and logins say where a request has come
// from. None of what the visitor has put there reaches a pod, in any spelling.
var forged = []string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Uri",
	"X-Forwarded-Method", "X-Forwarded-Prefix", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info", "X-Forwarded-User",
	"X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token", "X-Forwarded-Scheme", "X-Forwarded-Ssl",
	"X-Real-Ip", "X-Tapis-Token",
}

// spellings are ways to write name that a server may take for it.
func spellings(name string) []string {
	first, last := strings.Index(name, "-"), strings.LastIndex(name, "-")
	if first < 0 {
		return []string{name, strings.ToUpper(name)}
	}
	return []string{
		name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ToLower(strings.ReplaceAll(name, "-", "_")),
		name[:first] + "_" + name[first+1:], name[:last] + "_" + name[last+1:],
	}
}

func (v visitor) checkForwarded() {
	var lines strings.Builder
	for _, name := range forged {
		for _, spelling := range spellings(name) {
			lines.WriteString(spelling + ": evil\n")
		}
	}
	for _, host := range []string{"web." + domain, "login." + domain} {
		for _, connection := range []string{"close", "close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Real-Ip"} {
			resp, body := v.raw(host, "GET / HTTP/1.1\nHost: "+host+"\nCookie: X-Tapis-Token=good\nX-Own: kept\nConnection: "+connection+"\n"+lines.String()+"\n")
			got := seenIn(v.t, resp, body)
			for name, values := range got.Header {
				if slices.Contains(values, "evil") {
					v.t.Errorf("%s with Connection: %s: the pod has seen %s: %q", host, connection, name, values)
				}
			}
			for name, want := range map[string]string{
				"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": host, "X-Forwarded-Proto": "https", "X-Real-Ip": "127.0.0.1", "X-Own": "kept",
			} {
				if diff := cmp.Diff([]string{want}, got.spelt(name)); diff != "" {
					v.t.Errorf("%s with Connection: %s: %s (-want +got):\n%s", host, connection, name, diff)
				}
			}
		}
	}
}

// checkIdentity claims to be somebody else, in each spelling and by having the
// real name removed.
func (v visitor) checkIdentity() {
	const host = "login." + domain
	var lines strings.Builder
	for _, name := range []string{"X-Remote-User", "X-Group"} {
		for _, spelling := range spellings(name) {
			lines.WriteString(spelling + ": root\n" + spelling + ": admin\n")
		}
	}
	for _, connection := range []string{"close", "close, X-Remote-User, X-Group"} {
		for name, credential := range map[string]string{
			"Header": "X-Tapis-Token: good\nCookie: own=1\n", "Cookie": "Cookie: X-Tapis-Token=good; own=1\n",
			"Both": "X-Tapis-Token: good\nCookie: own=1; X-Tapis-Token=good\n",
		} {
			resp, body := v.raw(host, "GET / HTTP/1.1\nHost: "+host+"\nConnection: "+connection+"\n"+credential+lines.String()+"\n")
			got := seenIn(v.t, resp, body)
			if diff := cmp.Diff([]string{"alice of login at " + host}, got.spelt("X-Remote-User")); diff != "" {
				v.t.Errorf("%s with Connection: %s: X-Remote-User (-want +got):\n%s", name, connection, diff)
			}
			if groups := got.spelt("X-Group"); len(groups) > 0 {
				v.t.Errorf("%s with Connection: %s: the pod has seen X-Group %q", name, connection, groups)
			}
			if cookies := got.Header["Cookie"]; !slices.Equal(cookies, []string{"own=1"}) || strings.Contains(body, "good") {
				v.t.Errorf("%s with Connection: %s: the pod has seen %s", name, connection, body)
			}
		}
		resp, body := v.raw(host, "GET / HTTP/1.1\nHost: "+host+"\nConnection: "+connection+"\n"+lines.String()+"\n")
		if resp.StatusCode != http.StatusFound {
			v.t.Errorf("names without a login get %s %s", resp.Status, body)
		}
	}
}

// checkPaths writes paths in ways that could be taken for another.
func (v visitor) checkPaths() {
	const web = "web." + domain
	for path, want := range map[string]string{
		"/a%2Fb": "/a%2Fb", "/a%5Cb": "/a%5Cb", "/a%00b": "/a%00b", "/a;b?c=%2F&d=%zz": "/a;b?c=%2F&d=%zz", "/v3/pods/login/auth": "/v3/pods/login/auth",
		// Traefik brings paths into their normal form.
		"/%2e%2e%2fetc": "/..%2Fetc", "/%76%33/pods": "/v3/pods", "/a/../b": "/b", "/a/%2e%2e/%2e%2e/b": "/b", "//a": "/a", "/a/./b": "/a/b",
	} {
		resp, body := v.raw(web, "GET "+path+" HTTP/1.1\nHost: "+web+"\nConnection: close\n\n")
		if got := seenIn(v.t, resp, body); got.Pod != "web" || got.Path != want {
			v.t.Errorf("%s reaches %s as %s, want %s", path, got.Pod, got.Path, want)
		}
	}
	// At other hosts the API alone is there, and of it what begins with its path.
	for _, path := range []string{
		"/traefik-config", "//traefik-config", "/v3/traefik-config", "/v3/../traefik-config", "/v3/pods/../traefik-config", "/v3/pods/../../traefik-config",
		"/v3/pods/%2e%2e/%2e%2e/traefik-config", "/v3/pods/..%2f..%2ftraefik-config", "/v3/pods%2f..%2f..%2ftraefik-config", "/v3/pods/..%5c..%5ctraefik-config",
		"/v3/v3/pods/../traefik-config", "/v3%2f/traefik-config", "/.%2e/traefik-config", "/v3/pods/./../traefik-config;/v3/pods",
	} {
		for _, host := range []string{"none." + domain, "127.0.0.1"} {
			resp, body := v.raw(web, "GET "+path+" HTTP/1.1\nHost: "+host+"\nConnection: close\n\n")
			if resp.StatusCode < 300 || strings.Contains(body, "routers") {
				v.t.Errorf("%s at %s: %s %.200s", path, host, resp.Status, body)
			}
		}
	}
}

// checkRedirects comes without TLS: visitors are led to the host they have
// named and to no other.
func (v visitor) checkRedirects() {
	const host = "web." + domain
	for _, target := range []string{"//evil.example/", "///evil.example", "/\\evil.example/", "/%2f/evil.example", "/@evil.example", "/.evil.example"} {
		conn, err := net.Dial("tcp", v.program.plain)
		if err != nil {
			v.t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(limit))
		resp, _ := send(v.t, conn, "GET "+target+" HTTP/1.1\nHost: "+host+"\nX-Forwarded-Host: evil.example\nConnection: close\n\n")
		_ = conn.Close()
		to, err := resp.Location()
		if err != nil || to.Scheme != "https" || to.Hostname() != host {
			v.t.Errorf("%s leads to %v, %v", target, to, err)
		}
	}
}
