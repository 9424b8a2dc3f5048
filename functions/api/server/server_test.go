package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/podstest/openapitest"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/routes/feed"
	"github.com/pods-service/pods/shared/storage"
	"github.com/pods-service/pods/shared/templates"
)

// noTail is a cluster that cannot be asked.
type noTail struct{}

func (noTail) ReadNew(context.Context, pods.Ref, string, pods.LogCursor, int) (string, error) {
	return "before it broke\n", errors.New("no cluster")
}

// service is an API on a real database with a real issuer, without a cluster.
type service struct {
	t       *testing.T
	url     string
	store   *postgres.Store
	files   *files.Store
	base    string // the folder of files
	objects *objects.Objects
}

func newService(t *testing.T, options ...podstest.Option) *service {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config, err := issuer.Development(listener.Addr().String(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	config.Logger = logger
	config.FailureDelay = 0
	tokens, err := issuer.New(config)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := auth.NewRegistry(t.Context(), tokens.Tenants(), auth.RegistryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	store := podstest.Store(t, options...)
	if err := store.Ship(t.Context(), shipped(t)); err != nil {
		t.Fatal(err)
	}
	allowlist, err := images.NewAllowlist(store, []string{"dev"}, "nginx", "postgres", "notebook")
	if err != nil {
		t.Fatal(err)
	}
	authenticator := auth.NewAuthenticator(registry, config.SiteID)
	visits, err := login.New(login.Options{
		Key: [login.KeySize]byte{1}, Tenants: registry, Tokens: authenticator, Permissions: store, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	deriver := templates.NewDeriver(store, store, func(string) string { return "pods.localhost" })
	base := t.TempDir()
	stored, err := files.Open(base, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	kept := objects.New(objects.Options{Store: store, Files: stored, Deriver: deriver, Logger: logger})
	api := server.New(server.Config{
		Objects: kept, Files: stored, SnapshotInterval: 10 * time.Minute,
		TenantAt: registry.TenantByHost, Login: visits,
		Store: store, Tail: noTail{}, Runner: hostRunner{}, Rules: pods.NewRules(), Now: time.Now, Logger: logger,
		Deriver:   deriver,
		Allowlist: allowlist, Mounts: storage.Mounts{Source: storage.Source{HostPath: "/srv/pods"}, Objects: store, Files: stored},
		Tenant: func(id string) pods.Tenant {
			tenant, _ := registry.Tenant(id)
			return tenant.Tenant
		},
		Link:       func(n pods.Networking) string { return "https://" + n.URL },
		Checks:     map[string]func(context.Context) error{"redis": func(context.Context) error { return errors.New("down") }},
		RouteTable: storedRoutes{feed.Merged{Store: store, Deriver: deriver}}, Traefik: newRenderer(t), TraefikFrom: loopback,
	})
	admins, err := config.Admins()
	if err != nil {
		t.Fatal(err)
	}
	handler := api.Handler(rest.Config{
		Authenticator: authenticator, Admins: admins, Logger: logger, Version: "1.2.3", Timeout: 30 * time.Second,
	}, []string{"*"}, map[string]http.Handler{"/v3/oauth2/": tokens, "/v3/tenants": tokens})
	running := httptest.NewUnstartedServer(openapitest.Check(t, handler))
	_ = running.Listener.Close()
	running.Listener = listener
	running.Start()
	t.Cleanup(running.Close)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return &service{t: t, files: stored, base: base, objects: kept, url: "http://localhost:" + port, store: store}
}

// shipped are the templates that the service of the tests comes with.
func shipped(t *testing.T) []templates.Tag {
	t.Helper()
	entry := pods.NewNetworking()
	entry.Protocol, entry.Port = pods.ProtocolPostgres, 5432
	definitions := map[string]pods.Patch{
		"postgres": {
			Image: pods.Some("postgres:16"), Networking: pods.Some(map[string]pods.Networking{"postgres": entry}),
			Resources:            pods.Some(pods.Resources{CPULimit: new(int64(1000))}),
			EnvironmentVariables: pods.Some(map[string]string{"PASSWORD": "<<TAPIS_user_password>>"}),
		},
		"jupyterlab": {Image: pods.Some("notebook")},
	}
	var tags []templates.Tag
	for id, definition := range definitions {
		reference, err := templates.Parse(id + ":latest@2026-01-02-03:04:05")
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, templates.Tag{
			Template: templates.Template{
				ID: id, Profile: templates.ProfileRoot,
				Permissions: permissions.Set{{User: permissions.KeyEverybody, Level: permissions.Read}},
			},
			Reference: reference, Definition: definition, AddedBy: "system",
		})
	}
	return tags
}

// as returns a client logged in as user; tenant dev is reached by localhost,
// dev2 by 127.0.0.1.
func (s *service) as(user string) *client.Client {
	s.t.Helper()
	return s.at(s.url, user)
}

func (s *service) at(url, user string) *client.Client {
	s.t.Helper()
	c := client.New(url, http.DefaultClient)
	if err := c.Login(s.t.Context(), user, user); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *service) otherTenant() string { return strings.Replace(s.url, "localhost", "127.0.0.1", 1) }

// addTemplate makes a template of a user with the tag latest.
func (s *service) addTemplate(c *client.Client, id, definition string) {
	s.t.Helper()
	body := map[string]any{"pod_definition": json.RawMessage(definition), "commit_message": "first"}
	err := errors.Join(
		c.Do(s.t.Context(), "POST", "/v3/pods/templates", map[string]string{"template_id": id}, nil),
		c.Do(s.t.Context(), "POST", "/v3/pods/templates/"+id+"/tags", body, nil))
	if err != nil {
		s.t.Fatal(err)
	}
}

// answer is what came back, undecoded where tests look at the form.
type answer struct {
	status   int
	header   http.Header
	envelope map[string]json.RawMessage
}

func (a answer) messages() []string {
	var list []string
	if json.Unmarshal(a.envelope["message"], &list) == nil {
		return list
	}
	var one string
	_ = json.Unmarshal(a.envelope["message"], &one)
	return []string{one}
}

// call sends a request as it is, with token unless empty.
func (s *service) call(method, path, token, body string) answer {
	s.t.Helper()
	return s.send(s.request(method, path, token, body))
}

// asAdmin sends a request in admin mode.
func (s *service) asAdmin(method, path, token, body string) answer {
	s.t.Helper()
	req := s.request(method, path, token, body)
	req.Header.Set("X-Pods-Admin", "true")
	return s.send(req)
}

func (s *service) request(method, path, token, body string) *http.Request {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("X-Tapis-Token", token)
	}
	return req
}

func (s *service) send(req *http.Request) answer {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	if len(bytes.TrimSpace(data)) > 0 {
		if err := json.Unmarshal(data, &a.envelope); err != nil {
			s.t.Fatalf("%s %s answers %q: %v", req.Method, req.URL.Path, data, err)
		}
	}
	return a
}

func wantStatus(t *testing.T, err error, status int, message string) {
	t.Helper()
	failure, ok := errors.AsType[*client.Error](err)
	if !ok || failure.StatusCode != status || !strings.Contains(failure.Error(), message) {
		t.Errorf("got %v, want status %d with %q", err, status, message)
	}
}

func TestPodThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	alice := s.as("alice")

	pod, err := alice.CreatePod(ctx, map[string]any{"pod_id": "docpod", "template": "postgres", "description": "My example pod!"})
	if err != nil {
		t.Fatal(err)
	}
	if pod.Status != pods.StatusRequested || pod.Template != "postgres:latest@2026-01-02-03:04:05" || pod.CreationTS.IsZero() {
		t.Errorf("created %+v", pod)
	}
	got, err := alice.Pod(ctx, "docpod")
	if err != nil || got.Description != "My example pod!" {
		t.Errorf("get = %+v, %v", got, err)
	}
	list, err := alice.Pods(ctx)
	if err != nil || len(list) != 1 || list[0].PodID != "docpod" {
		t.Errorf("list = %v, %v", list, err)
	}
	credentials, err := alice.PodCredentials(ctx, "docpod")
	if err != nil || credentials.UserUsername != "docpod" || len(credentials.UserPassword) != 30 {
		t.Errorf("credentials of %s: %v", credentials.UserUsername, err)
	}
	if _, err := alice.StartPod(ctx, "docpod"); err == nil {
		t.Error("start of a pod that is not STOPPED succeeds")
	} else {
		wantStatus(t, err, 400, "Pod must be in 'STOPPED' status to run 'start_pod'")
	}
	stopped, err := alice.StopPod(ctx, "docpod")
	if err != nil || stopped.StatusRequested != pods.DesiredOff {
		t.Errorf("stop = %+v, %v", stopped, err)
	}
	restarted, err := alice.RestartPod(ctx, "docpod")
	if err != nil || restarted.StatusRequested != pods.DesiredRestart {
		t.Errorf("restart = %+v, %v", restarted, err)
	}
	logs, err := alice.PodLogs(ctx, "docpod")
	if err != nil || len(logs.ActionLogs) != 3 || !strings.HasSuffix(logs.ActionLogs[0], "Pod object created by 'alice'") ||
		!strings.HasSuffix(logs.ActionLogs[2], "'alice' ran restart_pod, set to RESTART") {
		t.Errorf("logs without a cluster = %+v, %v", logs, err)
	}
	partial := s.call("GET", "/v3/pods/docpod/logs", alice.Token(), "")
	if logs.Logs != "before it broke\n" || !strings.Contains(string(partial.envelope["metadata"]), "newest lines cannot be read") {
		t.Errorf("a log that breaks off = %q with %s", logs.Logs, partial.envelope["metadata"])
	}
	if err := alice.DeletePod(ctx, "docpod"); err != nil {
		t.Fatal(err)
	}
	_, err = alice.Pod(ctx, "docpod")
	wantStatus(t, err, 404, "Pod with identifier pod_id: 'docpod' not found")
	if _, err := alice.CreatePod(ctx, map[string]any{"pod_id": "docpod", "image": "nginx"}); err != nil {
		t.Errorf("create right after a delete: %v", err)
	}
}

func TestCreateRefusals(t *testing.T) {
	t.Parallel()
	s := newService(t)
	token := s.as("alice").Token()

	tests := map[string]struct {
		body   string
		status int
		want   string
		list   bool
	}{
		"Fields":          {`{"pod_id":"A","image":"nginx","description":"ä","colour":1}`, 400, "pod_id must be lowercase", true},
		"NotAllowed":      {`{"pod_id":"abc","image":"evil/nginx"}`, 400, "Custom pod.image images must be in allowlist.", true},
		"NoTemplate":      {`{"pod_id":"abc","template":"nothing"}`, 400, "Template not found", false},
		"NoTag":           {`{"pod_id":"abc","template":"postgres:99"}`, 400, "Template tag not found", false},
		"BadReference":    {`{"pod_id":"abc","template":"postgres@2026-01-02-03:04:05"}`, 400, "User specified @timestamp without :tag", false},
		"MergedOrder":     {`{"pod_id":"abc","template":"postgres","resources":{"cpu_request":1500}}`, 400, "resources.cpu_x found cpu_request(1500) > cpu_limit(1000)", true},
		"OwnImageOnTop":   {`{"pod_id":"abc","template":"postgres","image":"evil"}`, 400, "must be in allowlist", true},
		"TooManyMerged":   {`{"pod_id":"abc","template":"postgres","networking":{"aaa":{},"bbb":{},"ccc":{},"ddd":{}}}`, 400, "may only contain up to 4 stanzas", true},
		"Volume":          {`{"pod_id":"abc","image":"nginx","volume_mounts":{"vol":{"type":"tapisvolume"}}}`, 400, "there is no volume 'vol' that user 'alice' may use", false},
		"NotJSON":         {`{"pod_id":`, 400, "not valid JSON", true},
		"TooLarge":        {`{"pod_id":"abc","image":"nginx","description":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "larger than", false},
		"NULInEverything": {`{"pod_id":"abc","image":"nginx","arguments":["\u0000"]}`, 400, "NUL byte", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := s.call("POST", "/v3/pods", token, tc.body)
			if got.status != tc.status || !strings.Contains(strings.Join(got.messages(), "\n"), tc.want) {
				t.Errorf("status %d, message %s; want %d with %q", got.status, got.envelope["message"], tc.status, tc.want)
			}
			if isList := got.envelope["message"][0] == '['; isList != tc.list {
				t.Errorf("message %s: a list is %v, want %v", got.envelope["message"], isList, tc.list)
			}
			if string(got.envelope["result"]) != "null" || string(got.envelope["status"]) != `"error"` {
				t.Errorf("envelope %v", got.envelope)
			}
		})
	}
	t.Run("ContentType", func(t *testing.T) {
		t.Parallel()

		req, _ := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v3/pods", strings.NewReader(`{}`))
		req.Header.Set("X-Tapis-Token", token)
		if got := s.send(req); got.status != 400 || !strings.Contains(got.messages()[0], "Content-Type: application/json") {
			t.Errorf("without a content type: %d %s", got.status, got.envelope["message"])
		}
	})
	if _, err := s.as("alice").CreatePod(t.Context(), map[string]any{"pod_id": "taken", "image": "nginx"}); err != nil {
		t.Fatal(err)
	}
	if got := s.call("POST", "/pods", token, `{"pod_id":"taken","image":"nginx"}`); got.status != 409 || !strings.Contains(got.messages()[0], "Duplicate key found") {
		t.Errorf("a taken id: %d %s", got.status, got.envelope["message"])
	}
}

func TestCreateTellsMore(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice := s.as("alice")
	s.addTemplate(alice, "older", `{"template":"postgres","image":"nginx"}`)
	if err := alice.Do(t.Context(), "PUT", "/v3/pods/templates/older", map[string]string{"archive_message": "use postgres"}, nil); err != nil {
		t.Fatal(err)
	}
	got := s.call("POST", "/v3/pods", alice.Token(), `{"pod_id":"abc","template":"older"}`)
	metadata := string(got.envelope["metadata"])
	if !strings.Contains(metadata, "use postgres") || !strings.Contains(metadata, "https://abc-postgres.pods.localhost") {
		t.Errorf("metadata %s, want the archive message and the address", metadata)
	}
	if got.header.Get("Content-Type") != "application/json" {
		t.Errorf("content type %q: clients compare it whole", got.header.Get("Content-Type"))
	}
	if !strings.Contains(string(got.envelope["result"]), `"environment_variables":{}`) || !strings.Contains(string(got.envelope["result"]), `"volume_mounts":{}`) {
		t.Errorf("maps may not be null: %s", got.envelope["result"])
	}
}

func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	dev, dev2 := s.as("alice"), s.at(s.otherTenant(), "alice")

	for _, c := range []*client.Client{dev, dev2} {
		if _, err := c.CreatePod(ctx, map[string]any{"pod_id": "same", "image": "nginx"}); err != nil {
			t.Fatalf("the same id in two tenants: %v", err)
		}
	}
	pod, err := dev2.Pod(ctx, "same")
	if err != nil || pod.Networking["default"].URL != "same.pods.dev2.localhost" {
		t.Errorf("dev2's pod is at %q (%v), want its own domain", pod.Networking["default"].URL, err)
	}
	if err := dev.DeletePod(ctx, "same"); err != nil {
		t.Fatal(err)
	}
	if _, err := dev2.Pod(ctx, "same"); err != nil {
		t.Errorf("a delete in one tenant reached the other: %v", err)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	alice := s.as("alice")
	if _, err := alice.CreatePod(ctx, map[string]any{"pod_id": "abc", "image": "nginx", "environment_variables": map[string]string{"KEY": "hidden-value"}}); err != nil {
		t.Fatal(err)
	}

	updated, err := alice.UpdatePod(ctx, "abc", map[string]any{
		"resources": map[string]any{"mem_limit": "4096"}, "environment_variables": map[string]string{"KEY": "other-value"},
	})
	if err != nil || *updated.Resources.MemLimit != 4096 || *updated.Resources.CPULimit != 2000 {
		t.Errorf("update = %+v, %v", updated.Resources, err)
	}
	logs, err := alice.PodLogs(ctx, "abc")
	if err != nil {
		t.Fatal(err)
	}
	line := logs.ActionLogs[len(logs.ActionLogs)-1]
	if !strings.Contains(line, "'alice' updated pod: resources.mem_limit: 3072→4096") || strings.Contains(line, "-value") {
		t.Errorf("action line %q, want the leaf and no environment value", line)
	}
	same := s.call("PUT", "/v3/pods/abc", alice.Token(), `{"resources":{"mem_limit":4096}}`)
	if same.status != 200 || string(same.envelope["status"]) != `"error"` ||
		same.messages()[0] != "Incoming data made no changes to pod. Is incoming data equal to current data?" || !strings.Contains(string(same.envelope["result"]), `"pod_id":"abc"`) {
		t.Errorf("no change = %d %v", same.status, same.envelope)
	}
	_, err = alice.UpdatePod(ctx, "abc", map[string]any{"image": "evil"})
	wantStatus(t, err, 400, "must be in allowlist")
	_, err = alice.UpdatePod(ctx, "abc", map[string]any{"pod_id": "other"})
	wantStatus(t, err, 400, "pod_id cannot be changed")
	off, err := alice.UpdatePod(ctx, "abc", map[string]any{"status_requested": "off"})
	if err != nil || off.StatusRequested != pods.DesiredOff {
		t.Errorf("status_requested off = %s, %v", off.StatusRequested, err)
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	alice := s.as("alice")
	if _, err := alice.CreatePod(ctx, map[string]any{"pod_id": "abc", "image": "nginx"}); err != nil {
		t.Fatal(err)
	}
	var got client.Permissions
	if err := alice.Do(ctx, "POST", "/v3/pods/abc/permissions", map[string]string{"user": "bob", "level": "ADMIN"}, &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Permissions, []string{"alice:ADMIN", "bob:ADMIN"}) {
		t.Errorf("permissions = %v", got.Permissions)
	}
	if err := s.as("bob").Do(ctx, "DELETE", "/v3/pods/abc/permissions/alice", nil, &got); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, s.as("bob").Do(ctx, "DELETE", "/v3/pods/abc/permissions/bob", nil, nil), 400, "no ADMIN-capable user")
	wantStatus(t, s.as("bob").Do(ctx, "DELETE", "/v3/pods/abc/permissions/carol", nil, nil), 400, "No permission found for user")
	wantStatus(t, s.as("bob").Do(ctx, "POST", "/v3/pods/abc/permissions", map[string]string{"user": "carol", "level": "OWNER"}, nil), 400, "level must be in")
	wantStatus(t, s.as("bob").Do(ctx, "POST", "/v3/pods/abc/permissions", map[string]string{"level": "READ"}, nil), 400, "user is required")
	wantStatus(t, alice.Do(ctx, "GET", "/v3/pods/abc/permissions", nil, nil), 404, "not found")
}

func TestRequestsThatMatchNothing(t *testing.T) {
	t.Parallel()
	s := newService(t)

	if got := s.call("GET", "/v3/nothing/here", "", ""); got.status != 404 || !strings.Contains(got.messages()[0], "does not match any Pods API route") {
		t.Errorf("unknown path = %d %s", got.status, got.envelope["message"])
	}
	if got := s.call("PATCH", "/v3/pods", "", ""); got.status != 405 || !strings.Contains(got.header.Get("Allow"), "POST") {
		t.Errorf("unknown method = %d, allow %q", got.status, got.header.Get("Allow"))
	}
	if got := s.call("OPTIONS", "/v3/pods", "", ""); got.status != 204 {
		t.Errorf("OPTIONS = %d", got.status)
	}
	if got := s.call("GET", "/healthcheck", "", ""); got.status != 200 || string(got.envelope["result"]) != `"I promise I'm healthy."` ||
		string(got.envelope["metadata"]) != `{"postgres":"ok","redis":"unavailable"}` {
		t.Errorf("healthcheck = %d %v", got.status, got.envelope)
	}
	list := s.call("GET", "//v3//pods", s.as("alice").Token(), "")
	if list.status != 200 {
		t.Errorf("repeated slashes = %d, want the collapsed path", list.status)
	}
}
