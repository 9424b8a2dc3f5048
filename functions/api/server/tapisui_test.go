package server_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/client"
)

// These tests hold what TapisUI, the web interface that users of the API know,
// takes for granted.

// fieldsOf decodes an object of an answer.
func fieldsOf(t *testing.T, raw json.RawMessage) map[string]json.RawMessage {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatalf("%s is no object: %v", raw, err)
	}
	return fields
}

// Its forms send numbers as text, and empty texts for what was not filled in.
func TestInterfaceSendsTextForNumbers(t *testing.T) {
	t.Parallel()
	s := newService(t)
	token := s.as("alice").Token()
	created := s.call("POST", "/v3/pods", token, `{"pod_id":"form","image":"nginx","time_to_stop_default":"3600",
		"resources":{"cpu_request":"","cpu_limit":"3000","mem_request":"","mem_limit":"","gpus":""},
		"networking":{"default":{"protocol":"http","port":"8080","cors_max_age":""}}}`)
	pod := client.Pod{}
	if err := json.Unmarshal(created.envelope["result"], &pod); err != nil || created.status != 200 {
		t.Fatalf("created = %d %s, %v", created.status, created.envelope["message"], err)
	}
	if pod.TimeToStopDefault != 3600 || *pod.Resources.CPULimit != 3000 || *pod.Resources.CPURequest != 250 || pod.Networking["default"].Port != 8080 {
		t.Errorf("read as %+v", pod)
	}
}

// It sends networking and resources back whole, as they were answered, with
// what only the service sets.
func TestInterfaceSendsBackWhatItGot(t *testing.T) {
	t.Parallel()
	s := newService(t)
	token := s.as("alice").Token()
	created := s.call("POST", "/v3/pods", token, `{"pod_id":"echo","image":"nginx","networking":{"default":{"port":8080}},"resources":{"gpus":0,
		"cpu_request":250,"cpu_limit":2000,"mem_request":256,"mem_limit":3072}}`)
	fields := fieldsOf(t, created.envelope["result"])
	body, err := json.Marshal(map[string]json.RawMessage{"networking": fields["networking"], "resources": fields["resources"], "volume_mounts": fields["volume_mounts"]})
	if err != nil {
		t.Fatal(err)
	}
	first := s.call("PUT", "/v3/pods/echo", token, string(body)) // notes that the user has set volume_mounts
	again := s.call("PUT", "/v3/pods/echo", token, string(body))
	if first.status != 200 || again.status != 200 || !strings.Contains(again.messages()[0], "made no changes to pod") {
		t.Errorf("sent back = %d %s, then %d %s", first.status, first.envelope["message"], again.status, again.envelope["message"])
	}
}

// It knows mounts keyed by path alone, and drops the mount path of others.
func TestInterfaceMounts(t *testing.T) {
	t.Parallel()
	s := newService(t)
	token := s.as("alice").Token()
	for id, mounts := range map[string]string{"bypath": `{"/data":{"type":"pvc"}}`, "byid": `{"data":{"type":"pvc","mount_path":"/srv"}}`} {
		created := s.call("POST", "/v3/pods", token, `{"pod_id":"`+id+`","image":"nginx","volume_mounts":`+mounts+`}`)
		got := fieldsOf(t, fieldsOf(t, created.envelope["result"])["volume_mounts"])
		if want := slices.Collect(maps.Keys(fieldsOf(t, json.RawMessage(mounts)))); !slices.Equal(slices.Collect(maps.Keys(got)), want) {
			t.Errorf("%s was sent, %v came back", mounts, got)
		}
	}
	updated := s.call("PUT", "/v3/pods/byid", token, `{"description":"x","volume_mounts":{"data":{"type":"pvc","sub_path":""}}}`)
	if !strings.Contains(string(updated.envelope["result"]), `"mount_path":"/srv"`) {
		t.Errorf("without a mount path it is now %s", fieldsOf(t, updated.envelope["result"])["volume_mounts"])
	}
}

// It sends query parameters of later versions of the API.
func TestInterfaceParameters(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice := s.as("alice")
	s.addTemplate(alice, "app", `{"image":"nginx"}`)
	if got := s.call("POST", "/v3/pods", alice.Token(), `{"pod_id":"abc","template":"app"}`); got.status != 200 {
		t.Fatalf("created = %d %s", got.status, got.envelope["message"])
	}
	for _, request := range []string{
		"GET /v3/pods?derived_lite=true",
		"GET /v3/pods/abc?derived_lite=false&include_configs=true",
		"GET /v3/pods/abc/derived?resolve_secrets=&include_configs=false",
		"GET /v3/pods/abc/restart?grab_latest_template_tag=true",
		"GET /v3/pods/templates/tags?full=true",
		"GET /v3/pods/templates/app/tags?full=true&include_configs=false&include_dependencies=true",
		"GET /v3/pods/abc/stop?force=true",
		"DELETE /v3/pods/abc?force=true",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := s.call(method, path, alice.Token(), ""); got.status != 200 {
			t.Errorf("%s = %d %s", request, got.status, got.envelope["message"])
		}
	}
}

// It reads five keys of every answer, errors too, and calls from pages of other
// origins.
func TestInterfaceAnswers(t *testing.T) {
	t.Parallel()
	s := newService(t)
	token := s.as("alice").Token()
	want := []string{"message", "metadata", "result", "status", "version"}
	for _, path := range []string{"/v3/pods", "/v3/pods/none", "/v3/systems", "/v3/jobs/list", "/v3/tenants", "/healthcheck"} {
		req := s.request("GET", path, token, "")
		req.Header.Set("Origin", "https://console.example.org")
		got := s.send(req)
		if keys := slices.Sorted(maps.Keys(got.envelope)); !slices.Equal(keys, want) {
			t.Errorf("%s answers with %v", path, keys)
		}
		if got.header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("%s cannot be read from another origin", path)
		}
	}
	preflight := s.request(http.MethodOptions, "/v3/pods/abc", "", "")
	preflight.Header.Set("Origin", "https://console.example.org")
	preflight.Header.Set("Access-Control-Request-Method", "PUT")
	got := s.send(preflight)
	for _, header := range []string{"X-Tapis-Token", "X-Pods-Admin", "Content-Type"} {
		if !strings.Contains(got.header.Get("Access-Control-Allow-Headers"), header) {
			t.Errorf("a page may not send %s", header)
		}
	}
	if got.header.Get("Access-Control-Max-Age") != "600" {
		t.Errorf("a preflight is kept for %q seconds", got.header.Get("Access-Control-Max-Age"))
	}
}

// It logs out unless the host of its base URL holds the tenant, reads the user
// out of the token, and takes the time of its end with an offset.
func TestInterfaceLogin(t *testing.T) {
	t.Parallel()
	s := newService(t)
	at := func(req *http.Request) answer { // a browser finds dev.localhost by itself
		req.Host = strings.Replace(req.URL.Host, "localhost", "dev.localhost", 1)
		return s.send(req)
	}
	login := at(s.request("POST", "/v3/oauth2/tokens", "", `{"username":"alice","password":"alice","grant_type":"password"}`))
	var result struct {
		AccessToken struct {
			AccessToken string `json:"access_token"`
			ExpiresAt   string `json:"expires_at"`
		} `json:"access_token"`
	}
	if err := json.Unmarshal(login.envelope["result"], &result); err != nil || login.status > 201 {
		t.Fatalf("login = %d %s, %v", login.status, login.envelope["message"], err)
	}
	if _, err := time.Parse(time.RFC3339Nano, result.AccessToken.ExpiresAt); err != nil || !strings.HasSuffix(result.AccessToken.ExpiresAt, "+00:00") {
		t.Errorf("expires_at %q has no offset (%v)", result.AccessToken.ExpiresAt, err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(result.AccessToken.AccessToken, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	for claim, want := range map[string]string{"sub": `"alice@dev"`, "tapis/username": `"alice"`, "tapis/tenant_id": `"dev"`} {
		if got := string(fieldsOf(t, payload)[claim]); got != want {
			t.Errorf("claim %s is %s, want %s", claim, got, want)
		}
	}
	if got := at(s.request("GET", "/v3/pods", result.AccessToken.AccessToken, "")); got.status != 200 {
		t.Errorf("at the tenant's own address = %d %s", got.status, got.envelope["message"])
	}
}
