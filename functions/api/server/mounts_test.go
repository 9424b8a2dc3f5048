package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/volumes"
)

// addVolume adds the row of a volume of the tenant dev.
func (s *service) addVolume(id string, set permissions.Set) {
	s.t.Helper()
	work, err := s.store.CreateVolume(s.t.Context(), volumes.Volume{Base: volumes.Base{
		TenantID: "dev", SiteID: "dev", ID: id, SizeLimit: 1024, AddedBy: set[0].User, Permissions: set,
	}}, "worker", time.Minute)
	if err == nil {
		_, err = s.store.VolumeCreated(s.t.Context(), work, volumes.Usage{})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// share gives the users of a pod or volume these levels.
func share(users ...string) permissions.Set {
	levels := map[string]permissions.Level{"READ": permissions.Read, "USER": permissions.User, "ADMIN": permissions.Admin}
	var set permissions.Set
	for _, text := range users {
		user, level, _ := strings.Cut(text, ":")
		set = append(set, permissions.Entry{User: user, Level: levels[level]})
	}
	return set
}

// TestMountRights has users mount volumes of others. Each step goes on from what
// the one before has left.
func TestMountRights(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice, bob, admin := s.as("alice"), s.as("bob"), s.as("admin")
	s.addVolume("alices", share("alice:ADMIN", "bob:READ"))
	s.addVolume("bobs", share("bob:ADMIN"))
	s.addTemplate(alice, "withvolume", `{"image":"nginx","volume_mounts":{"/data":{"type":"tapisvolume","source_id":"alices","mounted_by":"alice"}}}`)

	const reads = `"volume_mounts":{"/data":{"type":"tapisvolume","source_id":"alices","read_only":true}}`
	steps := []struct {
		name, method, path, token, body string
		status                          int
		want                            string
	}{
		{"Owner", "POST", "/v3/pods", alice.Token(), `{"pod_id":"first","image":"nginx","volume_mounts":{"alices":{"type":"tapisvolume"}}}`, 200, ""},
		{"ReaderReads", "POST", "/v3/pods", bob.Token(), `{"pod_id":"second","image":"nginx",` + reads + `}`, 200, ""},
		{"ReaderWrites", "POST", "/v3/pods", bob.Token(), `{"pod_id":"third","image":"nginx","volume_mounts":{"alices":{"type":"tapisvolume"}}}`, 403, "user 'bob' needs level USER"},
		{"Stranger", "POST", "/v3/pods", alice.Token(), `{"pod_id":"third","image":"nginx","volume_mounts":{"bobs":{"type":"tapisvolume"}}}`, 400, "no volume 'bobs' that user 'alice' may use"},
		{"Missing", "POST", "/v3/pods", alice.Token(), `{"pod_id":"third","image":"nginx","volume_mounts":{"nothing":{"type":"tapisvolume"}}}`, 400, "no volume 'nothing' that user 'alice' may use"},
		{"NoSnapshot", "POST", "/v3/pods", alice.Token(), `{"pod_id":"third","image":"nginx","volume_mounts":{"alices":{"type":"tapissnapshot"}}}`, 400, "no snapshot 'alices'"},
		{"ShareTemplate", "POST", "/v3/pods/templates/withvolume/permissions", alice.Token(), `{"user":"bob","level":"READ"}`, 200, ""},
		{"TemplateByOwner", "POST", "/v3/pods", alice.Token(), `{"pod_id":"third","template":"withvolume"}`, 200, ""},
		{"TemplateByReader", "POST", "/v3/pods", bob.Token(), `{"pod_id":"fourth","template":"withvolume"}`, 403, "user 'bob' needs level USER"},
		{"TemplateWithOwnMount", "POST", "/v3/pods", bob.Token(), `{"pod_id":"fourth","template":"withvolume",` + reads + `}`, 200, ""},

		{"Share", "POST", "/v3/pods/first/permissions", alice.Token(), `{"user":"bob","level":"ADMIN"}`, 200, ""},
		{"UpdateOfElse", "PUT", "/v3/pods/first", bob.Token(), `{"description":"by bob","volume_mounts":{"alices":{"type":"tapisvolume"}}}`, 200, ""},
		{"UpdateOfMount", "PUT", "/v3/pods/first", bob.Token(), `{"volume_mounts":{"alices":{"type":"tapisvolume","sub_path":"more"}}}`, 403, "user 'bob' needs level USER"},
		{"UpdateOfForm", "PUT", "/v3/pods/first", bob.Token(), `{"volume_mounts":{"/x":{"type":"tapisvolume","source_id":"alices","mounted_by":"alice"}}}`, 403, "user 'bob' needs level USER"},
		{"UpdateOfTemplate", "PUT", "/v3/pods/first", bob.Token(), `{"template":"withvolume"}`, 403, "user 'bob' needs level USER"},
		{"RestartByOther", "GET", "/v3/pods/first/restart", bob.Token(), "", 200, ""},

		{"ShareTemplatePod", "POST", "/v3/pods/third/permissions", alice.Token(), `{"user":"bob","level":"ADMIN"}`, 200, ""},
		{"RestartOfTemplateMount", "GET", "/v3/pods/third/restart", bob.Token(), "", 403, "user 'bob' needs level USER"},
		{"WishOfTemplateMount", "PUT", "/v3/pods/third", bob.Token(), `{"status_requested":"RESTART"}`, 403, "user 'bob' needs level USER"},
		{"StopIsFree", "GET", "/v3/pods/third/stop", bob.Token(), "", 200, ""},
	}
	for _, step := range steps {
		got := s.call(step.method, step.path, step.token, step.body)
		if message := strings.Join(got.messages(), "\n"); got.status != step.status || !strings.Contains(message, step.want) {
			t.Errorf("%s: %d %s, want %d with %q", step.name, got.status, message, step.status, step.want)
		}
	}

	// The mode of an administrator ends with the request, a mount does not.
	got := s.asAdmin("POST", "/v3/pods", admin.Token(), `{"pod_id":"fifth","image":"nginx","volume_mounts":{"alices":{"type":"tapisvolume"}}}`)
	if got.status != http.StatusBadRequest {
		t.Errorf("an administrator mounts a volume of somebody else's: %d %v", got.status, got.messages())
	}
	if shown := string(s.call("GET", "/v3/pods/first", bob.Token(), "").envelope["result"]); strings.Contains(shown, "mounted_by") {
		t.Errorf("a mount by volume id tells who added it: %s", shown)
	}
	if shown := string(s.call("GET", "/v3/pods/second", bob.Token(), "").envelope["result"]); !strings.Contains(shown, `"mounted_by":"bob"`) {
		t.Errorf("a mount by path does not tell who added it: %s", shown)
	}
	for podID, want := range map[string]string{"first": "bob", "third": "alice"} {
		if pod, _, err := s.store.Pod(t.Context(), "dev", podID); err != nil || pod.StartedBy != want {
			t.Errorf("%s was started by %q, %v; want %q", podID, pod.StartedBy, err, want)
		}
	}
}
