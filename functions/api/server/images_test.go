package server_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/client"
)

func imageNames(t *testing.T, a answer) []string {
	t.Helper()
	var list []client.Image
	if err := json.Unmarshal(a.envelope["result"], &list); err != nil {
		t.Fatalf("images %s: %v", a.envelope["result"], err)
	}
	names := make([]string, len(list))
	for i, image := range list {
		names[i] = image.Image
	}
	slices.Sort(names)
	return names
}

func TestImagesThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	admin, alice, foreign := s.as("admin"), s.as("alice"), s.at(s.otherTenant(), "alice")
	add := func(path, body string) answer { return s.asAdmin("POST", "/v3/pods/images"+path, admin.Token(), body) }

	got := add("", `{"image":"registry.example.org:5000/team/app:2","tenants":["dev"],"description":"the app"}`)
	if got.status != 200 || !strings.Contains(string(got.envelope["metadata"]), "removed tag from image, tag enforcement does not yet exist") {
		t.Errorf("added = %d %s with %s", got.status, got.envelope["message"], got.envelope["metadata"])
	}
	got = add("/bulk?skip_duplicates=true", `[{"image":"a/b"},{"image":"a/b:1"},{"image":"nginx"},{"image":"everywhere","tenants":["**"]},{"image":"notdev","tenants":["**","-dev"]}]`)
	if got.status != 200 || !strings.Contains(string(got.envelope["metadata"]), "skipped 2 duplicate image(s): a/b, nginx") {
		t.Errorf("bulk = %d %s with %s", got.status, got.envelope["message"], got.envelope["metadata"])
	}
	if names := imageNames(t, got); !slices.Equal(names, []string{"a/b", "everywhere", "notdev"}) {
		t.Errorf("bulk added %v", names)
	}
	if got := add("/bulk?skip_duplicates=true", `[{"image":"a/b"}]`); got.messages()[0] != "No images added - all images were duplicates." {
		t.Errorf("nothing but duplicates = %s", got.envelope["message"])
	}
	for _, body := range []string{`[{"image":"new"},{"image":"a/b"}]`, `[{"image":"new"},{"image":"new"}]`, `[{"image":"new"},{"image":"nginx"}]`} {
		got := add("/bulk", body)
		if got.status != 409 || !strings.Contains(got.messages()[0], `duplicate key value violates unique constraint "image_pkey"`) || !strings.Contains(got.messages()[0], "skip_duplicates=True") {
			t.Errorf("%s = %d %s", body, got.status, got.envelope["message"])
		}
	}

	// Who sees what, and may run it.
	if got := s.asAdmin("GET", "/v3/pods/images", alice.Token(), ""); got.status != 403 || !strings.Contains(got.messages()[0], "X-Pods-Admin header requires the PODS_ADMIN role.") {
		t.Errorf("a user in admin mode = %d %s", got.status, got.envelope["message"])
	}
	for who, tc := range map[string]struct {
		c    *client.Client
		want []string
	}{
		"alice":         {alice, []string{"a/b", "everywhere", "nginx", "notebook", "postgres", "registry.example.org:5000/team/app"}},
		"alice of dev2": {foreign, []string{"everywhere", "nginx", "notdev", "notebook", "postgres"}},
	} {
		base := s.url
		if tc.c == foreign {
			base = s.otherTenant()
		}
		at := *s
		at.url = base
		if names := imageNames(t, at.call("GET", "/v3/pods/images", tc.c.Token(), "")); !slices.Equal(names, tc.want) {
			t.Errorf("%s sees %v, want %v", who, names, tc.want)
		}
		for _, name := range []string{"a/b", "everywhere", "notdev", "registry.example.org:5000/team/app:9"} {
			_, err := tc.c.CreatePod(ctx, map[string]any{"pod_id": "try", "image": name, "status_requested": "OFF"})
			plain, _, _ := strings.Cut(name, ":9")
			if (err == nil) != slices.Contains(tc.want, plain) {
				t.Errorf("%s runs %s: %v", who, name, err)
			}
			if err == nil {
				_ = tc.c.DeletePod(ctx, "try")
			} else {
				wantStatus(t, err, 400, "Custom pod.image images must be in allowlist.")
			}
		}
	}
	everything := s.asAdmin("GET", "/v3/pods/images", admin.Token(), "")
	var metadata struct {
		AdminContext struct {
			AdminMode  bool     `json:"admin_mode"`
			Accessible []string `json:"user_accessible_images"`
		} `json:"admin_context"`
	}
	if err := json.Unmarshal(everything.envelope["metadata"], &metadata); err != nil || !metadata.AdminContext.AdminMode {
		t.Fatalf("metadata %s, %v", everything.envelope["metadata"], err)
	}
	if names := imageNames(t, everything); len(names) != 7 || !slices.Contains(metadata.AdminContext.Accessible, "a/b") {
		t.Errorf("a site admin sees %v, of which %v are accessible", names, metadata.AdminContext.Accessible)
	}

	// An id may have slashes, raw or percent-encoded, and any of its names.
	for _, id := range []string{"a/b", "a%2Fb", "docker.io/a/b", "docker.io%2Fa%2Fb", "a/b:1"} {
		var image client.Image
		if err := alice.Do(ctx, "GET", "/v3/pods/images/"+id, nil, &image); err != nil || image.Image != "a/b" {
			t.Errorf("get %s = %+v, %v", id, image, err)
		}
	}
	wantStatus(t, alice.Do(ctx, "GET", "/v3/pods/images/notdev", nil, nil), 404, "Image with id notdev not found")
	wantStatus(t, alice.Do(ctx, "GET", "/v3/pods/images/Bad Name", nil, nil), 404, "not found")
	if got := s.asAdmin("PUT", "/v3/pods/images/notdev", admin.Token(), `{"tenants":["**"]}`); got.status != 200 {
		t.Errorf("update = %d %s", got.status, got.envelope["message"])
	}
	if err := alice.Do(ctx, "GET", "/v3/pods/images/notdev", nil, nil); err != nil {
		t.Errorf("after the update: %v", err)
	}
	if got := s.asAdmin("DELETE", "/v3/pods/images/a%2Fb", admin.Token(), ""); got.status != 200 || string(got.envelope["result"]) != `"a/b"` {
		t.Errorf("delete = %d %s", got.status, got.envelope["result"])
	}
	if got := s.asAdmin("DELETE", "/v3/pods/images/a/b", admin.Token(), ""); got.status != 404 || !strings.HasSuffix(got.messages()[0], "not found - not deleted.") {
		t.Errorf("delete again = %d %s", got.status, got.envelope["message"])
	}
	if got := s.asAdmin("DELETE", "/v3/pods/images/nginx", admin.Token(), ""); got.status != 400 || !strings.Contains(got.messages()[0], "part of the service's configuration") {
		t.Errorf("delete of a configured image = %d %s", got.status, got.envelope["message"])
	}
}

func TestImageRefusals(t *testing.T) {
	t.Parallel()
	s := newService(t)
	admin := s.as("admin").Token()
	for body, want := range map[string]string{
		`{}`:                              "image is required",
		`{"image":1}`:                     "image must be a string",
		`{"image":"Upper"}`:               "it must be lowercase",
		`{"image":"a:b:c"}`:               "is not the name of an image",
		`{"image":"a b"}`:                 "is not the name of an image",
		`{"image":"a","x":1}`:             "x is not a known field",
		`{"image":"a","tenants":["***"]}`: "tenants may only hold",
		`{"image":"a","description":"` + strings.Repeat("x", 255) + `"}`: "description field must be less than 255 characters",
		`[]`: "expected a JSON object",
	} {
		if got := s.asAdmin("POST", "/v3/pods/images", admin, body); got.status != 400 || !strings.Contains(strings.Join(got.messages(), "\n"), want) {
			t.Errorf("%s = %d %s, want %q", body, got.status, got.envelope["message"], want)
		}
	}
	for body, want := range map[string]string{`{}`: "expected a JSON array", `[1]`: "body, 0: expected a JSON object", `[{"image":"A"}]`: "body, 0, image"} {
		if got := s.asAdmin("POST", "/v3/pods/images/bulk", admin, body); got.status != 400 || !strings.Contains(strings.Join(got.messages(), "\n"), want) {
			t.Errorf("%s = %d %s, want %q", body, got.status, got.envelope["message"], want)
		}
	}
}

// TestAdminMode has a site admin see and do what only others may, and leave a
// trace of it.
func TestAdminMode(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	alice, admin := s.as("alice"), s.as("admin")
	for user, c := range map[string]*client.Client{"alice": alice, "admin": admin} {
		if _, err := c.CreatePod(ctx, map[string]any{"pod_id": user + "s", "image": "nginx"}); err != nil {
			t.Fatal(err)
		}
	}
	list := s.asAdmin("GET", "/v3/pods", admin.Token(), "")
	var pods []client.Pod
	if err := json.Unmarshal(list.envelope["result"], &pods); err != nil || len(pods) != 2 {
		t.Errorf("a site admin sees %d pods (%v), want 2", len(pods), err)
	}
	if !strings.Contains(string(list.envelope["metadata"]), `"user_accessible_ids":["admins"]`) {
		t.Errorf("metadata %s, want which are the admin's own", list.envelope["metadata"])
	}
	if got := s.asAdmin("GET", "/v3/pods/alices/stop", admin.Token(), ""); got.status != 200 {
		t.Errorf("stop = %d %s", got.status, got.envelope["message"])
	}
	logs, err := alice.PodLogs(ctx, "alices")
	if err != nil || !strings.HasSuffix(logs.ActionLogs[len(logs.ActionLogs)-1], ": ADMIN 'admin' ran stop_pod, set to OFF") {
		t.Errorf("the action log is %q, %v", logs.ActionLogs, err)
	}
}

func TestErrorHandler(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for status, want := range map[string]struct {
		status  int
		message string
	}{
		"404": {404, "not an Pods endpoint"}, "502": {502, "Timeout error waiting on Pods service response"},
		"503": {503, "Unable to parse Pods service response"}, "418": {418, "does not know how to fulfill the request"},
		"x": {400, "status must be an integer"}, "99": {400, "status must be an integer"}, "1000": {400, "status must be an integer"},
	} {
		got := s.call("GET", "/error-handler/"+status, "", "")
		if got.status != want.status || !strings.Contains(got.messages()[0], want.message) || string(got.envelope["status"]) != `"error"` {
			t.Errorf("%s = %d %s", status, got.status, got.envelope["message"])
		}
	}
}
