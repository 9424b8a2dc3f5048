package issuer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const clientsPath = "/v3/oauth2/clients"

func (s *server) client(t testing.TB, token, method, id, body string) envelope {
	t.Helper()
	c := call{method: method, path: clientsPath + id, host: "localhost:" + s.port, token: token, contentType: asJSON, body: body}
	return s.do(t, c)
}

func TestClientLife(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	token := s.tokenOf(t, "alice")
	want := map[string]string{
		"client_id": "app", "client_key": "key", "callback_url": "https://app.example.org/cb", "display_name": "App",
		"description": "An app", "owner": "alice", "tenant_id": "dev",
	}
	check := func(step string, answer envelope) {
		t.Helper()
		got := map[string]string{}
		answer.decode(t, &got)
		if diff := cmp.Diff(want, got); diff != "" || answer.code != http.StatusOK {
			t.Errorf("%s: %d (-want +got):\n%s", step, answer.code, diff)
		}
	}
	check("create", s.client(t, token, http.MethodPost, "",
		`{"client_id":"app","client_key":"key","callback_url":"https://app.example.org/cb","display_name":"App","description":"An app","more":1}`))
	check("get", s.client(t, token, http.MethodGet, "/app", ""))
	want["callback_url"], want["client_key"] = "http://localhost:9/cb", "new"
	check("update", s.client(t, token, http.MethodPut, "/app", `{"client_id":"app","callback_url":"http://localhost:9/cb","client_key":"new"}`))
	check("get", s.client(t, token, http.MethodGet, "/app", ""))

	var list []map[string]string
	s.client(t, token, http.MethodGet, "", "").decode(t, &list)
	if diff := cmp.Diff([]map[string]string{want}, list); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	withClient := login("alice")
	withClient.client, withClient.key, withClient.host = "app", "new", "localhost:"+s.port
	s.tokens(t, withClient)

	if answer := s.client(t, token, http.MethodDelete, "/app", ""); answer.code != http.StatusOK || string(answer.Result) != `""` {
		t.Errorf("delete: %d %s", answer.code, answer.Result)
	}
	if answer := s.do(t, withClient); answer.code != http.StatusUnauthorized {
		t.Errorf("a client that was deleted: %d", answer.code)
	}
	if answer := s.client(t, token, http.MethodGet, "/app", ""); answer.code != http.StatusNotFound {
		t.Errorf("get after delete: %d", answer.code)
	}
}

func TestClientGetsIDAndKey(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	token := s.tokenOf(t, "alice")
	got := map[string]string{}
	s.client(t, token, http.MethodPost, "", `{}`).decode(t, &got)
	if len(got["client_id"]) < 20 || len(got["client_key"]) < 20 || got["client_id"] == got["client_key"] || got["display_name"] != got["client_id"] {
		t.Errorf("client %v, want a random id and key and a name", got)
	}
}

func TestClientRefused(t *testing.T) {
	t.Parallel()

	const (
		badURL = "body, callback_url: callback_url must be an absolute http or https URL of at most 2000 bytes, without a user"
		badID  = "body, client_id: client_id must be 1 to 200 letters, digits, dots, hyphens and underscores, the first one a letter or digit"
	)
	callbackURL := func(address string) string { return fmt.Sprintf(`{"callback_url":%q}`, address) }
	tests := map[string]struct {
		body string
		code int
		text string
	}{
		"Taken":        {`{"client_id":"pods-dev"}`, 400, "This change would violate uniqueness constraints: there is a client pods-dev already."},
		"Colon":        {`{"client_id":"a:b"}`, 400, badID},
		"LongID":       {`{"client_id":"` + strings.Repeat("a", 201) + `"}`, 400, badID},
		"KeyEscaped":   {`{"client_key":"a+b"}`, 400, "body, client_key: client_key must be 1 to 200 letters, digits, dots, hyphens, underscores and tildes"},
		"Relative":     {callbackURL("/callback"), 400, badURL},
		"NoHost":       {callbackURL("https:///callback"), 400, badURL},
		"Script":       {callbackURL("javascript:alert(1)"), 400, badURL},
		"OtherScheme":  {callbackURL("ftp://localhost/"), 400, badURL},
		"User":         {callbackURL("https://user@app.example.org/"), 400, badURL},
		"LineBreak":    {callbackURL("https://app.example.org/\r\nx"), 400, badURL},
		"Long":         {callbackURL("https://app.example.org/" + strings.Repeat("a", 2000)), 400, badURL},
		"Fragment":     {callbackURL("https://app.example.org/#x"), 400, "body, callback_url: callback_url must have no fragment"},
		"NoFragment":   {callbackURL("https://app.example.org/#"), 400, "body, callback_url: callback_url must have no fragment"},
		"PlainHTTP":    {callbackURL("http://app.example.org/"), 400, "body, callback_url: callback_url must begin with https:// unless its host is this machine, as localhost is"},
		"HiddenInName": {`{"display_name":"a\u202eb"}`, 400, "body, display_name: display_name must be at most 100 characters that can be seen"},
		"LongText":     {`{"description":"` + strings.Repeat("ü", 501) + `"}`, 400, "body, description: description must be at most 500 characters that can be seen"},
		"Number":       {`{"client_id":1}`, 400, "body: expected a JSON object of strings"},
		"Null":         {`null`, 400, "body: expected a JSON object of strings"},
		"Reserved":     {`{"client_id":"PODS-SERVICE-x-default"}`, 403, "Only the service pods can register the client PODS-SERVICE-x-default. Take another client_id."},
		"ReservedToo":  {`{"client_id":"pods-service-x"}`, 403, "Only the service pods can register the client pods-service-x. Take another client_id."},
	}
	s := newServer(t)
	token := s.tokenOf(t, "alice")
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if answer := s.client(t, token, http.MethodPost, "", tc.body); answer.code != tc.code || answer.text() != tc.text {
				t.Errorf("%d %q, want %d %q", answer.code, answer.text(), tc.code, tc.text)
			}
		})
	}
}

// TestClientOfAnother covers users, services and tenants, none of which can see
// or change what another has.
func TestClientOfAnother(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	alice := s.tokenOf(t, "alice")
	service := call{
		method: http.MethodPost, path: "/v3/tokens", contentType: asJSON, client: "pods", key: "pods",
		body: strings.Replace(wholeServiceRequest, "files", "pods", 1),
	}
	pods := s.tokens(t, service).Access.Token
	inDev2 := login("alice")
	inDev2.host = "127.0.0.1:" + s.port
	type caller struct{ token, host, user string }
	do := func(by caller, method, id, body string) envelope {
		r := call{method: method, path: clientsPath + id, host: by.host, token: by.token, contentType: asJSON, body: body}
		if by.user != "" {
			r.header = http.Header{"X-Tapis-Tenant": {"dev"}, "X-Tapis-User": {by.user}}
		}
		return s.do(t, r)
	}
	host := "localhost:" + s.port
	asAlice, asPods := caller{alice, host, ""}, caller{pods, host, "alice"}
	if answer := do(asAlice, http.MethodPost, "", `{"client_id":"app"}`); answer.code != http.StatusOK {
		t.Fatalf("alice: %d %s", answer.code, answer.text())
	}
	answer := do(asPods, http.MethodPost, "", `{"client_id":"PODS-SERVICE-db-default"}`)
	if !strings.Contains(string(answer.Result), `"owner":"pods"`) {
		t.Fatalf("pods: %d %s %s", answer.code, answer.text(), answer.Result)
	}
	answer = do(asPods, http.MethodPost, "", `{"client_id":"PODS-SERVICE-db-default"}`)
	if answer.code != http.StatusBadRequest || !strings.Contains(answer.text(), "This change would violate uniqueness constraints") {
		t.Errorf("the same again: %d %s", answer.code, answer.text())
	}
	if answer := do(caller{pods, host, "bob"}, http.MethodPut, "/PODS-SERVICE-db-default", `{"display_name":"x"}`); answer.code != http.StatusOK {
		t.Errorf("the service for another user: %d %s", answer.code, answer.text())
	}

	tests := map[string]struct {
		by caller
		id string
	}{
		"OtherUser":     {caller{s.tokenOf(t, "bob"), host, ""}, "app"},
		"OtherTenant":   {caller{s.tokens(t, inDev2).Access.Token, inDev2.host, ""}, "app"},
		"Service":       {asPods, "app"},
		"UserOfService": {asAlice, "PODS-SERVICE-db-default"},
		"Configured":    {asAlice, "pods-dev"},
		"NotThere":      {asAlice, "nothing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			want := fmt.Sprintf("Client with identifier client_id: '%s' not found", tc.id)
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
				if answer := do(tc.by, method, "/"+tc.id, `{"callback_url":"https://evil.example.org/"}`); answer.code != http.StatusNotFound || answer.text() != want {
					t.Errorf("%s: %d %q, want 404 %q", method, answer.code, answer.text(), want)
				}
			}
			var list []struct {
				ID string `json:"client_id"`
			}
			do(tc.by, http.MethodGet, "", "").decode(t, &list)
			for _, listed := range list {
				if listed.ID == tc.id {
					t.Errorf("%s is listed", tc.id)
				}
			}
		})
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if answer := do(caller{"", host, ""}, method, "", `{}`); answer.code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", method, answer.code)
		}
	}
	if answer := do(asAlice, http.MethodPut, "/app", `{"client_id":"app2"}`); answer.code != http.StatusBadRequest {
		t.Errorf("another client_id: %d %s", answer.code, answer.text())
	}
	if answer := do(asAlice, http.MethodPut, "/app", `{"client_key":""}`); answer.code != http.StatusBadRequest {
		t.Errorf("no client_key: %d %s", answer.code, answer.text())
	}
}

func TestClientsAreBounded(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	alice, bob := s.tokenOf(t, "alice"), s.tokenOf(t, "bob")
	var last map[string]string
	for n := range 50 {
		answer := s.client(t, alice, http.MethodPost, "", `{}`)
		if answer.code != http.StatusOK {
			t.Fatalf("client %d: %d %s", n, answer.code, answer.text())
		}
		if err := json.Unmarshal(answer.Result, &last); err != nil {
			t.Fatal(err)
		}
	}
	if answer := s.client(t, alice, http.MethodPost, "", `{}`); answer.code != http.StatusTooManyRequests || !strings.Contains(answer.text(), "Delete one first.") {
		t.Errorf("one client more: %d %s", answer.code, answer.text())
	}
	if answer := s.client(t, bob, http.MethodPost, "", `{}`); answer.code != http.StatusOK {
		t.Errorf("another user: %d %s", answer.code, answer.text())
	}
	s.client(t, alice, http.MethodDelete, "/"+last["client_id"], "")
	if answer := s.client(t, alice, http.MethodPost, "", `{}`); answer.code != http.StatusOK {
		t.Errorf("once one is gone: %d %s", answer.code, answer.text())
	}
}
