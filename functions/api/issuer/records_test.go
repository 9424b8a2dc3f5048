package issuer_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/podstest"
)

// ask sends a request to an instance and returns its answer.
func ask(made *issuer.Issuer, method, path, contentType, body string, with func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost:8080"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if with != nil {
		with(r)
	}
	w := httptest.NewRecorder()
	made.ServeHTTP(w, r)
	return w
}

// TestInstancesShareLogins: a client is registered at one instance, its user logs
// in at another, and the code is good once, whichever instance is asked.
func TestInstancesShareLogins(t *testing.T) {
	t.Parallel()

	prefix := podstest.Prefix(t)
	var instances [2]*issuer.Issuer
	for n := range instances {
		config := development(t, "localhost:8080")
		config.Records = openRecords(t, podstest.RedisURL(t), prefix)
		instances[n] = newIssuer(t, config)
	}
	one, two := instances[0], instances[1]

	var login struct{ Result tokens }
	w := ask(one, http.MethodPost, "/v3/oauth2/tokens", asForm, "grant_type=password&username=bob&password=bob", nil)
	if err := json.Unmarshal(w.Body.Bytes(), &login); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	asBob := func(r *http.Request) { r.Header.Set("X-Tapis-Token", login.Result.Access.Token) }
	asApp := func(r *http.Request) { r.SetBasicAuth("app", "app") }
	app := `{"client_id":"app","client_key":"app","callback_url":"` + callback + `"}`
	if w := ask(one, http.MethodPost, "/v3/oauth2/clients", asJSON, app, asBob); w.Code != http.StatusOK {
		t.Fatalf("register: %d %s", w.Code, w.Body)
	}
	if w := ask(two, http.MethodPost, "/v3/oauth2/clients", asJSON, app, asBob); w.Code != http.StatusBadRequest {
		t.Errorf("register again: %d %s", w.Code, w.Body)
	}
	w = ask(two, http.MethodPost, authorizeURL(), asForm, "username=alice&password=alice", nil)
	target, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusSeeOther {
		t.Fatalf("log in: %d %s", w.Code, w.Body)
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {target.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}.Encode()
	if w := ask(one, http.MethodPost, "/v3/oauth2/tokens", asForm, form, asApp); w.Code != http.StatusOK {
		t.Errorf("exchange: %d %s", w.Code, w.Body)
	}
	for _, instance := range instances {
		if w := ask(instance, http.MethodPost, "/v3/oauth2/tokens", asForm, form, asApp); w.Code != http.StatusUnauthorized {
			t.Errorf("exchange again: %d %s", w.Code, w.Body)
		}
	}
}

// openRecords returns the records of one instance in a Redis.
func openRecords(t *testing.T, url, prefix string) *cache.Cache {
	t.Helper()
	records, err := cache.Open(cache.Options{URL: url, Prefix: prefix, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = records.Close() })
	return records
}

// TestRecordsOutOfReach: what needs none goes on, and the rest says that it is
// not the client's fault.
func TestRecordsOutOfReach(t *testing.T) {
	t.Parallel()

	config := development(t, "localhost:8080")
	config.Tenants[0].Clients[0].CallbackURL = callback
	config.Records = openRecords(t, "unix://"+filepath.Join(t.TempDir(), "none.sock"), "")
	made := newIssuer(t, config)
	w := ask(made, http.MethodPost, "/v3/oauth2/tokens", asForm, "grant_type=password&username=bob&password=bob", nil)
	var login struct{ Result tokens }
	if err := json.Unmarshal(w.Body.Bytes(), &login); err != nil || w.Code != http.StatusOK {
		t.Fatalf("a password: %d %s", w.Code, w.Body)
	}
	asBob := func(r *http.Request) { r.Header.Set("X-Tapis-Token", login.Result.Access.Token) }
	asClient := func(id string) func(*http.Request) { return func(r *http.Request) { r.SetBasicAuth(id, id) } }
	const code = "grant_type=authorization_code&code=x&redirect_uri=y"
	tests := map[string]struct {
		method, path, contentType, body string
		with                            func(*http.Request)
		code                            int
	}{
		"KnownClient":   {"POST", "/v3/oauth2/tokens", asForm, "grant_type=password&username=bob&password=bob", asClient("pods-dev"), 200},
		"OtherClient":   {"POST", "/v3/oauth2/tokens", asForm, "grant_type=password&username=bob&password=bob", asClient("app"), 503},
		"Code":          {"POST", "/v3/oauth2/tokens", asForm, code, asClient("pods-dev"), 503},
		"Page":          {"GET", authorizeURL(), "", "", nil, 503},
		"PageOfKnown":   {"GET", authorizeURL("client_id", "pods-dev"), "", "", nil, 200},
		"LogIn":         {"POST", authorizeURL("client_id", "pods-dev"), asForm, "username=alice&password=alice", nil, 503},
		"Register":      {"POST", "/v3/oauth2/clients", asJSON, `{}`, asBob, 503},
		"RegisterKnown": {"POST", "/v3/oauth2/clients", asJSON, `{"client_id":"pods-dev"}`, asBob, 400},
		"List":          {"GET", "/v3/oauth2/clients", "", "", asBob, 503},
		"Get":           {"GET", "/v3/oauth2/clients/app", "", "", asBob, 503},
		"Change":        {"PUT", "/v3/oauth2/clients/app", asJSON, `{}`, asBob, 503},
		"Delete":        {"DELETE", "/v3/oauth2/clients/app", "", "", asBob, 503},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if w := ask(made, tc.method, tc.path, tc.contentType, tc.body, tc.with); w.Code != tc.code {
				t.Errorf("%d %s, want %d", w.Code, w.Body, tc.code)
			}
		})
	}
}
