package issuer_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
)

func TestNewRefusesOtherThanLoopback(t *testing.T) {
	t.Parallel()

	tests := map[string]bool{
		"127.0.0.1:8080":          true,
		"127.8.9.1:0":             true,
		"localhost:8080":          true,
		"LocalHost:8080":          true,
		"[::1]:8080":              true,
		"[::ffff:127.0.0.1]:8080": true,
		":8080":                   false,
		"":                        false,
		"0.0.0.0:8080":            false,
		"[::]:8080":               false,
		"192.168.1.20:8080":       false,
		"10.0.0.1:8080":           false,
		"127.0.0.1.nip.io:8080":   false,
		"localhost.example.org:1": false,
		"1.127.0.0:8080":          false,
		"127.0.0.1":               false,
	}
	for addr, want := range tests {
		t.Run(addr, func(t *testing.T) {
			t.Parallel()

			config := development(t, "127.0.0.1:8080")
			config.ListenAddr = addr
			if _, err := issuer.New(config); (err == nil) != want {
				t.Errorf("New on %q: %v, want success = %t", addr, err, want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()

	notAFolder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notAFolder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(*issuer.Config){
		"NoTenants":    func(c *issuer.Config) { c.Tenants = nil },
		"NoKeyDir":     func(c *issuer.Config) { c.KeyDir = "" },
		"KeyDirIsFile": func(c *issuer.Config) { c.KeyDir = notAFolder },
		"NoSite":       func(c *issuer.Config) { c.SiteID = "" },
		"TenantIsPath": func(c *issuer.Config) { c.Tenants[0].ID = "../dev" },
		"NoTenantID":   func(c *issuer.Config) { c.Tenants[0].ID = "" },
		"SameTenant":   func(c *issuer.Config) { c.Tenants[1].ID = "dev" },
		"SameAddress":  func(c *issuer.Config) { c.Tenants[1].BaseURL = "http://localhost:8080/" },
		"NoAddress":    func(c *issuer.Config) { c.Tenants[0].BaseURL = "" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			config := development(t, "127.0.0.1:8080")
			change(&config)
			if _, err := issuer.New(config); err == nil {
				t.Error("New succeeded")
			}
		})
	}
}

func TestDevelopmentNeedsAPort(t *testing.T) {
	t.Parallel()

	if _, err := issuer.Development("localhost", "keys"); err == nil {
		t.Error("Development without a port succeeded")
	}
}

// TestKeysOutliveARestart also starts two issuers at once on an empty folder.
func TestKeysOutliveARestart(t *testing.T) {
	t.Parallel()

	config := development(t, "127.0.0.1:8080")
	config.Tenants = config.Tenants[:1]
	config.KeyDir = filepath.Join(t.TempDir(), "state", "keys")
	var both sync.WaitGroup
	issuers := make([]*issuer.Issuer, 2)
	for n := range issuers {
		both.Go(func() {
			made, err := issuer.New(config)
			if err != nil {
				t.Errorf("issuer.New: %v", err)
				return
			}
			issuers[n] = made
		})
	}
	both.Wait()
	if t.Failed() {
		return
	}
	var issued tokens
	(&server{Issuer: issuers[0]}).record(t, "", login("alice").body).decode(t, &issued)
	for _, made := range append(issuers, newIssuer(t, config)) {
		registry, err := auth.NewRegistry(t.Context(), made.Tenants(), auth.RegistryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := auth.NewAuthenticator(registry, "dev").Verify(t.Context(), issued.Access.Token); err != nil {
			t.Errorf("token of another process: %v", err)
		}
	}

	path := filepath.Join(config.KeyDir, "dev.pem")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v; want mode 0600", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(config.KeyDir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := issuer.New(config); err == nil || !strings.Contains(err.Error(), "others can read") {
		t.Errorf("New with a key that others can read: %v", err)
	}
	if err := os.WriteFile(path, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := issuer.New(config); err == nil || !strings.Contains(err.Error(), "not PEM") {
		t.Errorf("New with a broken key: %v", err)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	base, base2 := "http://localhost:"+s.port, "http://127.0.0.1:"+s.port
	own := "http://dev.localhost:" + s.port
	tenant := func(id, description, address string) map[string]any {
		return map[string]any{
			"tenant_id": id, "site_id": "dev", "base_url": address, "description": description,
			"token_service": address + "/v3/tokens", "security_kernel": address + "/v3/security",
			"authenticator": address + "/v3/oauth2", "owner": "admin", "admin_user": "admin", "status": "ACTIVE",
		}
	}
	site := func(address string) map[string]any {
		return map[string]any{
			"site_id": "dev", "base_url": address, "primary": true, "site_admin_tenant_id": "dev",
			"services":                 []any{"authenticator", "pods", "tenants", "tokens"},
			"tenant_base_url_template": "http://${tenant_id}.localhost:" + s.port,
		}
	}
	dev, dev2 := tenant("dev", "Development tenant", base), tenant("dev2", "Second development tenant", base2)
	tests := map[string]struct {
		path, host string
		want       any
	}{
		"Sites":           {"/v3/sites", "", []any{site(base)}},
		"Site":            {"/v3/sites/dev", "", site(base)},
		"Tenants":         {"/v3/tenants", "localhost:" + s.port, []any{dev, dev2}},
		"TenantsUnknown":  {"/v3/tenants", "localhost:1", []any{dev, dev2}},
		"TenantsAtOther":  {"/v3/tenants", "dev.localhost:" + s.port, []any{tenant("dev", "Development tenant", own), dev2}},
		"Tenant":          {"/v3/tenants/dev2", "", dev2},
		"SiteAtOther":     {"/v3/sites/dev", "dev.localhost:" + s.port, site(own)},
		"TenantAtAnother": {"/v3/tenants/dev", "dev2.localhost:" + s.port, dev},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			answer := s.do(t, call{path: tc.path, host: tc.host})
			var got any
			answer.decode(t, &got)
			takeKeys(t, got)
			if diff := cmp.Diff(tc.want, got); diff != "" || answer.code != http.StatusOK {
				t.Errorf("%d, result (-want +got):\n%s", answer.code, diff)
			}
		})
	}
}

// takeKeys removes the public key of every tenant in value, after a look at it.
func takeKeys(t *testing.T, value any) {
	t.Helper()
	if list, ok := value.([]any); ok {
		for _, item := range list {
			takeKeys(t, item)
		}
	}
	object, _ := value.(map[string]any)
	if _, isTenant := object["tenant_id"]; !isTenant {
		return
	}
	text, _ := object["public_key"].(string)
	if _, err := auth.ParsePublicKey(text); err != nil {
		t.Errorf("public_key of %v: %v", object["tenant_id"], err)
	}
	delete(object, "public_key")
}

func TestUsers(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	host := "localhost:" + s.port
	inDev := login("alice")
	inDev.host = host
	token := s.tokens(t, inDev).Access.Token
	tests := map[string]struct {
		path, host, token string
		code              int
		want              any // result, or the message of an error
	}{
		"UserInfo": {"/v3/oauth2/userinfo", host, token, 200, map[string]any{
			"username": "alice", "email": "alice@example.org", "name": "Alice Adams",
		}},
		"OwnProfile": {"/v3/oauth2/profiles/alice", host, token, 200, map[string]any{
			"username": "alice", "email": "alice@example.org", "given_name": "Alice", "last_name": "Adams",
			"dn": "cn=alice,ou=people,dc=dev,dc=localhost", "create_time": nil,
		}},
		"OthersProfile": {"/v3/oauth2/profiles/bob", host, token, 200, map[string]any{
			"username": "bob", "email": "bob@example.org", "given_name": "Bob", "last_name": "Brown",
			"dn": "cn=bob,ou=people,dc=dev,dc=localhost", "create_time": nil,
		}},
		"NoSuchUser":       {"/v3/oauth2/profiles/mallory", host, token, 404, "Profile with identifier username: 'mallory' not found"},
		"UserInfoNoToken":  {"/v3/oauth2/userinfo", host, "", 401, "No access token found in the request."},
		"ProfileNoToken":   {"/v3/oauth2/profiles/bob", host, "", 401, "No access token found in the request."},
		"UserInfoBadToken": {"/v3/oauth2/userinfo", host, "x", 401, "Could not parse the Tapis access token."},
		"OtherTenant":      {"/v3/oauth2/userinfo", "127.0.0.1:" + s.port, token, 403, "The tenant_id claim in the token, dev does not match the URL tenant, dev2."},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			answer := s.do(t, call{path: tc.path, host: tc.host, token: tc.token})
			got := answer.Message
			if tc.code == http.StatusOK {
				answer.decode(t, &got)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || answer.code != tc.code {
				t.Errorf("%d, want %d (-want +got):\n%s", answer.code, tc.code, diff)
			}
		})
	}
}

func TestOtherRequests(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	tests := map[string]struct {
		call call
		code int
	}{
		"UnknownPath":   {call{path: "/v3/oauth2/nothing"}, 404},
		"NoVersion":     {call{path: "/tenants"}, 404},
		"UnknownSite":   {call{path: "/v3/sites/nope"}, 404},
		"UnknownTenant": {call{path: "/v3/tenants/nope"}, 404},
		"WrongMethod":   {call{path: "/v3/oauth2/tokens"}, 405},
		"ForeignName":   {call{path: "/v3/tenants", host: "rebind.example.org:" + s.port}, 403},
		"ForeignLogin":  {call{method: http.MethodPost, path: "/v3/oauth2/tokens", contentType: asJSON, body: login("admin").body, host: "rebind.example.org"}, 403},
		"ForeignIP":     {call{path: "/v3/tenants", host: "192.168.1.20"}, 403},
		"LoopbackIPv6":  {call{path: "/v3/tenants", host: "[::1]:1"}, 200},
		"BareLoopback":  {call{path: "/v3/tenants", host: "[::1]"}, 200},
		"Localhost":     {call{path: "/v3/tenants", host: "any.localhost"}, 200},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			answer := s.do(t, tc.call)
			if answer.code != tc.code {
				t.Errorf("%d %s, want %d", answer.code, answer.text(), tc.code)
			}
			if got := answer.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q, want no-store", got)
			}
		})
	}
}

// TestConfiguredNameIsAnswered covers an issuer behind a name of its own.
func TestConfiguredNameIsAnswered(t *testing.T) {
	t.Parallel()

	config := development(t, "127.0.0.1:8080")
	config.Tenants[1].AlternateURLs = []string{"http://dev2.example.org"}
	made := newIssuer(t, config)
	r := httptest.NewRequest(http.MethodGet, "http://dev2.example.org/v3/tenants", nil)
	w := httptest.NewRecorder()
	made.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTenantsForRegistry(t *testing.T) {
	t.Parallel()

	made := newIssuer(t, development(t, "127.0.0.1:8080"))
	list, err := made.Tenants().Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []pods.Tenant{
		{ID: "dev", SiteID: "dev", PodsDomain: "pods.localhost"},
		{ID: "dev2", SiteID: "dev", PodsDomain: "pods.dev2.localhost"},
	}
	var got []pods.Tenant
	for _, tenant := range list {
		got = append(got, tenant.Tenant)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tenants (-want +got):\n%s", diff)
	}
}

// TestNothingSecretIsLogged makes every kind of request with secrets in it.
func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()

	var log bytes.Buffer
	config := development(t, "127.0.0.1:8080")
	config.Tenants[0].Users[0].Password = "pass-secret"
	config.Tenants[0].Clients[0] = issuer.Client{ID: "key-secret", Key: "key-secret", CallbackURL: "https://app.example.org/secret"}
	config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := &server{Issuer: newIssuer(t, config)}
	var issued tokens
	s.record(t, "key-secret", `{"username":"alice","password":"pass-secret","grant_type":"password"}`).decode(t, &issued)
	for _, body := range []string{
		`{"username":"bob","password":"pass-secret","grant_type":"password"}`,
		`{"username":"bob","password":["pass-secret"],"grant_type":"password"}`,
		`{"password":"pass-secret"`,
		`{"grant_type":"pass-secret"}`,
		`{"grant_type":"refresh_token","refresh_token":"` + issued.Refresh.Token + `"}`,
		`{"grant_type":"refresh_token","refresh_token":"` + issued.Access.Token + `"}`,
		`{"grant_type":"refresh_token","refresh_token":"pass-secret"}`,
	} {
		s.record(t, "key-secret", body)
	}
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8080/v3/oauth2/userinfo", nil)
	r.Header.Set("X-Tapis-Token", issued.Access.Token+"x")
	s.ServeHTTP(httptest.NewRecorder(), r)
	if log.Len() == 0 {
		t.Error("nothing was logged at all")
	}
	for _, secret := range []string{"secret", issued.Access.Token[:40], issued.Refresh.Token[:40]} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, log.String())
		}
	}
}
