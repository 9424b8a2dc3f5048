package traefik

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/pods"
)

// visitor comes to pods through Traefik.
type visitor struct {
	t           *testing.T
	program     *program
	certificate *certificate
}

// ask returns the answer to a request to a pod's host.
func (v visitor) ask(method, host, path string, header map[string]string) (*http.Response, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, "https://"+host+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	for name, value := range header {
		req.Header[name] = []string{value} // in the very spelling
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: v.certificate.pool, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, v.program.secure)
		},
	}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, host, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(body)
}

// reach returns what a pod has seen of a request.
func (v visitor) reach(host, path string, header map[string]string) seen {
	v.t.Helper()
	resp, body := v.ask(http.MethodGet, host, path, header)
	var got seen
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK {
		v.t.Fatalf("%s answers %s %s", host, resp.Status, body)
	}
	return got
}

func (v visitor) wantStatus(host, path string, header map[string]string, status int) string {
	v.t.Helper()
	resp, body := v.ask(http.MethodGet, host, path, header)
	if resp.StatusCode != status {
		v.t.Errorf("%s%s answers %s %s, want %d", host, path, resp.Status, body, status)
	}
	return body
}

// TestTraefik goes from no pod to one and to some of each kind.
func TestTraefik(t *testing.T) {
	s, certificate := startService(t), newCertificate(t)
	v := visitor{t: t, program: startTraefik(t, s.url+"/traefik-config", certificate), certificate: certificate}

	s.set(t)
	eventually(t, "the page for an address without a pod", func() bool {
		resp, body := v.ask(http.MethodGet, "none."+domain, "/", map[string]string{"Accept": "text/html"})
		return resp.StatusCode == http.StatusNotFound && strings.Contains(body, "No pod here")
	})
	plain, err := http.DefaultTransport.RoundTrip(newRequest(t, "http://"+v.program.plain+"/"))
	if err != nil || !strings.HasPrefix(plain.Header.Get("Location"), "https://") {
		t.Errorf("without TLS: %v, %v", plain, err)
	}

	web := newPod("web", pods.StatusAvailable, map[string]pods.Networking{
		"default": entry(pods.ProtocolHTTP, startBackend(t, "web")), "admin": entry(pods.ProtocolHTTP, startBackend(t, "admin")),
	})
	s.set(t, web)
	v.waitFor("web." + domain)
	got := v.reach("web."+domain, "/a/b?c=d", map[string]string{
		"X-Tapis-Token": "good", "X_tapis_token": "good", "X-Tapis_token": "good", "Cookie": "own=1",
	})
	if got.Pod != "web" || got.Path != "/a/b?c=d" || got.Host != "web."+domain || got.Header.Get("Cookie") != "own=1" {
		t.Errorf("the pod has seen %+v", got)
	}
	if tokens := got.spelt("X-Tapis-Token"); len(tokens) > 0 {
		t.Errorf("the pod has seen the token: %v", got.Header)
	}
	if got := v.reach("web-admin."+domain, "/", nil); got.Pod != "admin" {
		t.Errorf("the pod's other entry leads to %s", got.Pod)
	}

	s.set(t, append(v.mixedPods(), web)...)
	v.waitFor("last." + domain)
	for name, check := range map[string]func(visitor){
		"One": visitor.checkWeb, "Login": visitor.checkLogin, "CORS": visitor.checkCORS, "Addresses": visitor.checkAddresses,
		"Pages": visitor.checkPages, "TCP": visitor.checkTCP, "Postgres": visitor.checkPostgres, "Hostile": visitor.checkHostile,
		"TLS": visitor.checkTLS, "Hosts": visitor.checkHosts, "Forwarded": visitor.checkForwarded, "Identity": visitor.checkIdentity,
		"Paths": visitor.checkPaths, "Redirects": visitor.checkRedirects,
		"Returns": func(v visitor) { v.checkReturns(s.url) }, "States": func(v visitor) { v.checkStates(s.url) },
	} {
		t.Run(name, func(t *testing.T) { v := v; v.t = t; check(v) })
	}
	if log := v.program.log.String(); strings.Contains(log, "c=d") || strings.Contains(log, "a-secret") {
		t.Errorf("Traefik logs queries or headers:\n%s", log)
	}
	if log := v.program.log.String(); strings.Contains(log, `"level":"error"`) {
		t.Errorf("Traefik does not like its configuration:\n%s", log)
	}

	s.set(t)
	eventually(t, "pods that have gone are not found", func() bool {
		resp, _ := v.ask(http.MethodGet, "web."+domain, "/", nil)
		return resp.StatusCode == http.StatusNotFound
	})
}

func newRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// waitFor waits until a host is routed.
func (v visitor) waitFor(host string) {
	v.t.Helper()
	eventually(v.t, host+" is routed", func() bool {
		resp, _ := v.ask(http.MethodGet, host, "/", nil)
		return resp.StatusCode == http.StatusOK
	})
}

// mixedPods returns pods of each kind, the one called last among them.
func (v visitor) mixedPods() []pods.Pod {
	t := v.t
	port := startBackend(t, "login")
	httpPod := func(id string, change ...func(*pods.Networking)) pods.Pod {
		return newPod(id, pods.StatusAvailable, only(entry(pods.ProtocolHTTP, port, change...)))
	}
	hostile := httpPod("hostile", func(n *pods.Networking) { n.CORSAllowOrigins = []string{"https://\u009f`) || Host(`web." + domain} })
	odd := httpPod("odd", withLogin("X.Odd~Name", "yes", "~", "1e3", "X-Remote-User"), func(n *pods.Networking) {
		n.CORSAllowOrigins = []string{`"}}}]*&!|>%@`, "null", "~", "{{.}}", "yes"}
		n.CORSAllowHeaders = []string{"X-`|'*"}
	})
	return []pods.Pod{
		httpPod("login", withLogin("X-Remote-User", "X-Group")),
		httpPod("cors", withLogin(), func(n *pods.Networking) {
			n.CORSAllowOrigins, n.CORSAllowMethods = []string{"https://ui.example.org"}, []string{"GET", "PUT"}
			n.CORSAllowHeaders, n.CORSAllowCredentials = []string{"X-Own"}, true
		}),
		httpPod("inside", func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.0/8", "127.0.0.1"} }),
		httpPod("outside", func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.0/8"} }),
		httpPod("local", func(n *pods.Networking) { n.Protocol = pods.ProtocolLocalOnly }),
		newPod("ended", pods.StatusComplete, only(entry(pods.ProtocolHTTP, port))),
		newPod("graph", pods.StatusAvailable, tcpEntry(pods.ProtocolTCP, startEcho(t, nil))),
		newPod("db", pods.StatusAvailable, tcpEntry(pods.ProtocolPostgres, startEcho(t, v.certificate))),
		httpPod("own", withLogin("X-Visitor")), httpPod("other", withLogin("X-Visitor")),
		hostile, odd, httpPod("last"),
	}
}

func tcpEntry(protocol string, port int) map[string]pods.Networking {
	return only(entry(protocol, port))
}

func (v visitor) checkWeb() {
	if got := v.reach("web."+domain, "/v3/pods", nil); got.Pod != "web" || got.Path != "/v3/pods" {
		v.t.Errorf("a path of the API on a pod's host leads to %+v", got)
	}
}

func (v visitor) checkLogin() {
	t, host := v.t, "login."+domain
	got := v.reach(host, "/", map[string]string{
		"Cookie": "own=1; X-Tapis-Token=good; theirs=2", "X-Remote-User": "admin", "X_remote_user": "admin", "X-Remote_user": "admin",
		"X-Group": "admins", "X_group": "admins", "X-Forwarded-Host": "web." + domain,
	})
	if diff := cmp.Diff([]string{"alice of login at " + host}, got.spelt("X-Remote-User")); diff != "" {
		t.Errorf("X-Remote-User (-want +got):\n%s", diff)
	}
	for _, name := range []string{"X-Group", "X-Not-Configured", "X-Tapis-Token"} {
		if values := got.spelt(name); len(values) > 0 {
			t.Errorf("the pod has seen %s: %v", name, values)
		}
	}
	if cookies := strings.Join(got.Header["Cookie"], "; "); cookies != "own=1; theirs=2" {
		t.Errorf("the pod has seen the cookies %q", cookies)
	}
	got = v.reach(host, "/", map[string]string{"X-Tapis-Token": "good"})
	if len(got.spelt("X-Tapis-Token")) > 0 || len(got.Header["Cookie"]) > 0 {
		t.Errorf("a program that sends its token shows the pod %v", got.Header)
	}
	v.wantStatus(host, "/", map[string]string{"X-Tapis-Token": "other"}, http.StatusForbidden)
	v.wantStatus(host, "/?a-secret=1", nil, http.StatusFound)
	v.wantStatus(host, "/", map[string]string{"X_tapis_token": "good"}, http.StatusFound)
}

func (v visitor) checkCORS() {
	t, host := v.t, "cors."+domain
	asks := map[string]string{
		"Origin": "https://ui.example.org", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-own",
	}
	resp, _ := v.ask(http.MethodOptions, host, "/", asks)
	want := map[string]string{
		"Access-Control-Allow-Origin": "https://ui.example.org", "Access-Control-Allow-Methods": "GET,PUT",
		"Access-Control-Allow-Headers": "X-Own", "Access-Control-Allow-Credentials": "true", "Access-Control-Max-Age": "100",
	}
	for name, value := range want {
		if got := resp.Header.Get(name); got != value {
			t.Errorf("the preflight gets %s %q, want %q", name, got, value)
		}
	}
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the preflight gets %s", resp.Status)
	}
	asks["Origin"] = "https://evil.example.org"
	if resp, _ := v.ask(http.MethodOptions, host, "/", asks); resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("another origin is allowed")
	}
	v.wantStatus(host, "/", map[string]string{"Origin": "https://ui.example.org"}, http.StatusFound)
}

func (v visitor) checkAddresses() {
	v.reach("inside."+domain, "/", nil)
	v.wantStatus("outside."+domain, "/", nil, http.StatusForbidden)
	v.wantStatus("outside."+domain, "/", map[string]string{"X-Forwarded-For": "10.0.0.1", "X-Real-Ip": "10.0.0.1"}, http.StatusForbidden)
	v.wantStatus("local."+domain, "/", nil, http.StatusNotFound)
}

func (v visitor) checkPages() {
	html := map[string]string{"Accept": "text/html"}
	if body := v.wantStatus("ended."+domain, "/a?b=c", html, http.StatusServiceUnavailable); !strings.Contains(body, "Finished · ended."+domain) {
		v.t.Errorf("the page of a pod that has ended:\n%s", body)
	}
	if resp, _ := v.ask(http.MethodPost, "ended."+domain, "/", nil); resp.StatusCode != http.StatusServiceUnavailable {
		v.t.Errorf("another method gets %s", resp.Status)
	}
}

// checkHostile looks at what bad values do: their entry is not there, and odd
// ones that can be rendered change nothing else.
func (v visitor) checkHostile() {
	v.wantStatus("hostile."+domain, "/", nil, http.StatusNotFound)
	got := v.reach("odd."+domain, "/", map[string]string{"X-Tapis-Token": "good", "X.odd~name": "mine", "Yes": "mine"})
	if len(got.Header.Values("X-Remote-User")) != 1 || len(got.Header["X.odd~name"])+len(got.Header["Yes"]) > 0 {
		v.t.Errorf("the pod has seen %v", got.Header)
	}
}

func (v visitor) checkTLS() {
	conn, err := tls.Dial("tcp", v.program.secure, &tls.Config{
		RootCAs: v.certificate.pool, ServerName: "web." + domain, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	})
	if err == nil {
		_ = conn.Close()
		v.t.Error("TLS 1.1 is taken")
	}
}

func (v visitor) checkTCP() {
	conn, err := tls.Dial("tcp", v.program.secure, v.clientTLS("graph"))
	if err != nil {
		v.t.Fatal(err)
	}
	echo(v.t, conn)
}

// checkPostgres asks for TLS as clients of Postgres do; it reaches the pod.
func (v visitor) checkPostgres() {
	conn, err := net.Dial("tcp", v.program.secure)
	if err != nil {
		v.t.Fatal(err)
	}
	answer := make([]byte, 1)
	if _, err := conn.Write(sslRequest); err != nil {
		v.t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != 'S' {
		v.t.Fatalf("the request for TLS is answered %q, %v", answer, err)
	}
	echo(v.t, tls.Client(conn, v.clientTLS("db")))
}

func (v visitor) clientTLS(id string) *tls.Config {
	return &tls.Config{RootCAs: v.certificate.pool, ServerName: id + "." + domain, MinVersion: tls.VersionTLS12}
}

// sslRequest is what a client of Postgres sends first.
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

// echo sends a line and closes conn when it has come back.
func echo(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "hello\n" {
		t.Errorf("back comes %q, %v", line, err)
	}
}

// startEcho starts a program that sends back what it gets, and returns its
// port. With a certificate it takes connections as Postgres does.
func startEcho(t *testing.T, certificate *certificate) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if certificate != nil {
					conn = acceptPostgres(conn, certificate)
				}
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func acceptPostgres(conn net.Conn, certificate *certificate) net.Conn {
	request := make([]byte, len(sslRequest))
	if _, err := io.ReadFull(conn, request); err == nil && string(request) == string(sslRequest) {
		_, _ = conn.Write([]byte{'S'})
	}
	return tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate.pair}, MinVersion: tls.VersionTLS12})
}
