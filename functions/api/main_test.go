package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/podstest/functiontest"
	"github.com/pods-service/pods/shared/ratelimit"
)

const announced = "dev.localhost:8080"

// newSettings are those of a deployment on one machine.
func newSettings(t *testing.T, broker *podstest.Broker) settings {
	t.Helper()
	dir := t.TempDir()
	config, err := issuer.Development(announced, dir)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := issuer.New(config)
	if err != nil {
		t.Fatal(err)
	}
	tenants, err := tokens.Tenants().Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	content, err := auth.EncodeTenants(tenants)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	return settings{
		Process: functiontest.Process(), Storage: functiontest.Storage(t),
		Encryption: function.Encryption{KeyFile: functiontest.SecretFile(t, podstest.Key[:])},
		Tenancy:    function.Tenancy{TenantsFile: functiontest.SecretFile(t, content)},
		Sink:       function.Sink{URL: broker.URL},
		Cluster:    function.Cluster{Kubeconfig: functiontest.NewKubernetes(t).Kubeconfig, Namespace: "pods"},
		Choices:    server.Choices{CORSOrigins: []string{"*"}},
		Login:      function.Login{LoginKeyFile: functiontest.SecretFile(t, bytes.Repeat([]byte{1}, 32))},
		Service:    function.Service{ServiceName: "pods", ServiceKeyFile: functiontest.SecretFile(t, []byte("pods"))},
		SiteID:     "dev", Admins: []string{"dev/admin"}, GatewayPort: "8443",
		DevelopmentIssuer: announced, IssuerKeys: dir, CADir: dir,
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()

	ctx := t.Context()
	broker := podstest.NewBroker(t)
	api := functiontest.Serve(t, build, newSettings(t, broker))
	if status := api.Status("/healthz"); status != http.StatusOK {
		t.Errorf("GET /healthz = %d", status)
	}
	// The names in the announced address lead here, as they do to the ingress.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(api.URL(""), "http://"))
	}
	t.Cleanup(transport.CloseIdleConnections)
	visitor := &http.Client{Transport: transport}
	alice := client.New("http://"+announced, visitor)
	if err := alice.Login(ctx, "alice", "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.CreatePod(ctx, map[string]any{"pod_id": "docpod", "image": "dev.local/hello:1"}); err != nil {
		t.Fatal(err)
	}
	if event := broker.Wait(t, events.TypePodRequested); event.Subject() != "dev/docpod" {
		t.Errorf("the broker took an event about %s", event.Subject())
	}
	if _, err := alice.DeadLetters(ctx, 10); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("dead letters for alice = %v, want 403", err)
	}
	admin := client.New("http://"+announced, visitor)
	if err := admin.Login(ctx, "admin", "admin"); err != nil {
		t.Fatal(err)
	}
	if letters, err := admin.DeadLetters(ctx, 10); err != nil || len(letters) != 0 {
		t.Errorf("dead letters for admin = %v, %v", letters, err)
	}
	stranger := client.New("http://dev2.localhost:8080", visitor).WithToken(alice.Token())
	if _, err := stranger.Pods(ctx); err == nil || !strings.Contains(err.Error(), "does not match the URL tenant") {
		t.Errorf("alice of dev at dev2's address = %v", err)
	}
	answer, err := visitor.Get("http://" + announced + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || string(text) != "certificate" {
		t.Errorf("ca.pem = %q, %v", text, err)
	}
}

// TestCommitsAreSentBeforeTheEnd: SIGTERM right after an answer loses nothing.
func TestCommitsAreSentBeforeTheEnd(t *testing.T) {
	t.Parallel()

	broker := podstest.NewBroker(t)
	api := functiontest.Serve(t, build, newSettings(t, broker))
	alice := client.New(api.URL(""), http.DefaultClient)
	if err := alice.Login(t.Context(), "alice", "alice"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"aaa", "bbb", "ccc"} {
		if _, err := alice.CreatePod(t.Context(), map[string]any{"pod_id": id, "image": "dev.local/hello:1"}); err != nil {
			t.Fatal(err)
		}
	}
	api.Terminate()
	if taken := broker.Taken(); len(taken) != 3 {
		t.Errorf("the broker took %d events, want 3", len(taken))
	}
}

// TestServiceActsForAUser goes from a service's credentials to a user's pods.
func TestServiceActsForAUser(t *testing.T) {
	t.Parallel()

	api := functiontest.Serve(t, build, newSettings(t, podstest.NewBroker(t)))
	call := func(method, path, body string, prepare func(*http.Request)) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, api.URL(path), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		prepare(request)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	tokenFor := func(site string) string {
		t.Helper()
		status, text := call(http.MethodPost, "/v3/tokens", `{"token_username": "files", "token_tenant_id": "dev",
			"account_type": "service", "target_site_id": "`+site+`"}`, func(r *http.Request) { r.SetBasicAuth("files", "files") })
		var answer struct {
			Result struct {
				AccessToken struct {
					AccessToken string `json:"access_token"`
				} `json:"access_token"`
			}
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK {
			t.Fatalf("POST /v3/tokens = %d %s, %v", status, text, err)
		}
		return answer.Result.AccessToken.AccessToken
	}
	alice := client.New(api.URL(""), http.DefaultClient)
	if err := alice.Login(t.Context(), "alice", "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.CreatePod(t.Context(), map[string]any{"pod_id": "docpod", "image": "dev.local/hello:1"}); err != nil {
		t.Fatal(err)
	}
	service := tokenFor("dev")
	tests := map[string]struct {
		token, tenant, user string
		status              int
		want                string
	}{
		"Owner":       {service, "dev", "alice", 200, `"docpod"`},
		"OtherUser":   {service, "dev", "bob", 404, "not found"},
		"OtherTenant": {service, "dev2", "alice", 404, "not found"},
		"NoUser":      {service, "dev", "", 401, "A service token needs one X-Tapis-Tenant and one X-Tapis-User header."},
		"NoTenant":    {service, "nope", "alice", 401, "unexpected tenant_id in X-Tapis-Tenant"},
		"OtherSite":   {tokenFor("there"), "dev", "alice", 401, `a service token for the site \"dev\" is needed`},
		"User":        {alice.Token(), "dev", "bob", 403, "cannot set OBO headers with a user token"},
	}
	for name, tc := range tests {
		status, text := call(http.MethodGet, "/v3/pods/docpod", "", func(r *http.Request) {
			r.Header.Set("X-Tapis-Token", tc.token)
			r.Header.Set("X-Tapis-Tenant", tc.tenant)
			if tc.user != "" {
				r.Header.Set("X-Tapis-User", tc.user)
			}
		})
		if status != tc.status || !strings.Contains(text, tc.want) {
			t.Errorf("%s: %d %s; want %d with %s", name, status, text, tc.status, tc.want)
		}
	}
}

// TestRates: a user above the rate is told when to come back, and nobody else is
// harmed.
func TestRates(t *testing.T) {
	t.Parallel()

	set := newSettings(t, podstest.NewBroker(t))
	set.Rates = ratelimit.Rates{User: 0.2, Tenant: 1000} // one at once
	api := functiontest.Serve(t, build, set)
	users := map[string]*client.Client{}
	for _, name := range []string{"alice", "bob"} {
		users[name] = client.New(api.URL(""), http.DefaultClient)
		if err := users[name].Login(t.Context(), name, name); err != nil {
			t.Fatal(err)
		}
		if _, err := users[name].Pods(t.Context()); err != nil {
			t.Fatalf("the first request of %s: %v", name, err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL("/v3/pods"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Tapis-Token", users["alice"].Token())
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(text), `"status":"error"`) {
		t.Errorf("the second request of alice: status %d, %s, %v", answer.StatusCode, text, err)
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 5 {
		t.Errorf("Retry-After %q, want 1 to 5", answer.Header.Get("Retry-After"))
	}
	for range 3 {
		if status := api.Status("/v3/healthcheck"); status != http.StatusOK {
			t.Errorf("GET /v3/healthcheck = %d", status)
		}
	}
}

func TestIssuerRefusesOtherAddresses(t *testing.T) {
	t.Parallel()

	set := newSettings(t, podstest.NewBroker(t))
	for _, address := range []string{"pods.example.org:443", "10.0.0.1:8080", "localhost"} {
		set.DevelopmentIssuer = address
		f, err := function.New("api", "", set.Process)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := build(t.Context(), f, set); err == nil {
			t.Errorf("%s is taken, where everybody could log in as anybody", address)
		}
		f.Close(t.Context())
	}
}
