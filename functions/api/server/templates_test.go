package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/podstest"
)

func TestTemplateThroughTheAPI(t *testing.T) {
	t.Parallel()
	clock := podstest.NewClock()
	s := newService(t, podstest.WithClock(clock))
	ctx := t.Context()
	alice := s.as("alice")

	var template client.Template
	body := map[string]any{"template_id": "app", "description": "An app", "metatags": []string{"web"}}
	if err := alice.Do(ctx, "POST", "/v3/pods/templates", body, &template); err != nil {
		t.Fatal(err)
	}
	if template.TemplateID != "app" || template.TenantID != "dev" || !slices.Equal(template.Permissions, []string{"alice:ADMIN"}) {
		t.Errorf("added %+v", template)
	}
	wantStatus(t, s.as("bob").Do(ctx, "POST", "/v3/pods/templates", body, nil), 409, "Duplicate key found")
	same := s.call("PUT", "/v3/pods/templates/app", alice.Token(), `{"description":"An app"}`)
	if same.status != 200 || string(same.envelope["status"]) != `"error"` || !strings.Contains(same.messages()[0], "made no changes to template") {
		t.Errorf("no change = %d %v", same.status, same.envelope)
	}
	clock.Advance(time.Minute)
	var updated client.Template
	if err := alice.Do(ctx, "PUT", "/v3/pods/templates/app", map[string]any{"archive_message": "old"}, &updated); err != nil {
		t.Fatal(err)
	}
	if updated.ArchiveMessage != "old" || updated.Description != "An app" || !updated.UpdateTS.After(template.UpdateTS.Time) {
		t.Errorf("updated to %+v", updated)
	}

	var tag client.TemplateTag
	err := alice.Do(ctx, "POST", "/v3/pods/templates/app/tags", map[string]any{
		"pod_definition": map[string]any{"template": "postgres", "description": "mine", "image": nil, "networking": map[string]any{}},
		"commit_message": "first", "tag": "1.0",
	}, &tag)
	if err != nil {
		t.Fatal(err)
	}
	if *tag.PodDefinition.Template != "postgres:latest@2026-01-02-03:04:05" || tag.PodDefinition.Image != nil || tag.AddedBy != "alice" {
		t.Errorf("tag %+v builds on %q, want what postgres means now", tag, *tag.PodDefinition.Template)
	}
	if !regexp.MustCompile(`^1\.0@\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d$`).MatchString(tag.TagTimestamp) {
		t.Errorf("timestamp %q", tag.TagTimestamp)
	}
	again := map[string]any{"pod_definition": map[string]any{"image": "nginx"}, "commit_message": "again", "tag": "1.0"}
	wantStatus(t, alice.Do(ctx, "POST", "/v3/pods/templates/app/tags", again, nil), 409, "Try again")
	clock.Advance(time.Second)
	if err := alice.Do(ctx, "POST", "/v3/pods/templates/app/tags", again, nil); err != nil {
		t.Fatal(err)
	}

	// A tag is found by its name and by its timestamp, raw and percent-encoded.
	for path, want := range map[string]int{
		"1.0": 2, tag.TagTimestamp: 1, url.PathEscape(tag.TagTimestamp): 1, strings.ReplaceAll(url.QueryEscape(tag.TagTimestamp), "+", "%20"): 1,
		"2.0": 0, "1.0@2020-01-01-00:00:00": 0,
	} {
		var found []client.TemplateTag
		if err := alice.Do(ctx, "GET", "/v3/pods/templates/app/tags/"+path, nil, &found); err != nil || len(found) != want {
			t.Errorf("tag %s gives %d (%v), want %d", path, len(found), err, want)
		}
	}

	// A pod of the first version stays with it until it is told to take the newest.
	pod, err := alice.CreatePod(ctx, map[string]any{"pod_id": "mine", "template": "app:" + tag.TagTimestamp})
	if err != nil || pod.Template != "app:"+tag.TagTimestamp {
		t.Fatalf("created from %q, %v", pod.Template, err)
	}
	var restarted client.Pod
	if err := alice.Do(ctx, "GET", "/v3/pods/mine/restart", nil, &restarted); err != nil || restarted.Template != pod.Template {
		t.Errorf("a restart moved the pod to %s (%v)", restarted.Template, err)
	}
	err = alice.Do(ctx, "GET", "/v3/pods/mine/restart?grab_latest_template_tag=true", nil, &restarted)
	if err != nil || restarted.Template == pod.Template || !strings.HasPrefix(restarted.Template, "app:1.0@") {
		t.Errorf("a restart with the newest tag is at %s (%v)", restarted.Template, err)
	}

	wantStatus(t, alice.Do(ctx, "DELETE", "/v3/pods/templates/app/tags/1.0", nil, nil), 400, "tag@timestamp")
	inUse := "/v3/pods/templates/app/tags/" + strings.TrimPrefix(restarted.Template, "app:")
	wantStatus(t, alice.Do(ctx, "DELETE", inUse, nil, nil), 409, "force=true")
	if err := alice.Do(ctx, "DELETE", inUse+"?force=true", nil, nil); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, alice.Do(ctx, "GET", "/v3/pods/mine/derived", nil, nil), 400, "Template tag not found")
	if err := alice.Do(ctx, "DELETE", "/v3/pods/templates/app", nil, nil); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, alice.Do(ctx, "GET", "/v3/pods/mine/derived", nil, nil), 400, "Template not found")
	if _, err := alice.Pod(ctx, "mine"); err != nil {
		t.Errorf("a pod whose template is gone cannot be read: %v", err)
	}
}

func TestTemplateRefusals(t *testing.T) {
	t.Parallel()
	s := newService(t)
	token := s.as("alice").Token()
	s.addTemplate(s.as("alice"), "mine", `{"image":"nginx"}`)
	s.addTemplate(s.as("bob"), "bobs", `{"image":"nginx"}`)
	tag := func(definition string) string {
		return `{"pod_definition":` + definition + `,"commit_message":"x","tag":"new"}`
	}

	tests := map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"NoID":            {"POST", "", `{}`, 400, "template_id is required"},
		"BadID":           {"POST", "", `{"template_id":"My-App"}`, 400, "template_id must be lowercase alphanumeric"},
		"Tags":            {"POST", "", `{"template_id":"tags"}`, 400, "must not be 'tags'"},
		"Unknown":         {"POST", "", `{"template_id":"app","colour":1}`, 400, "colour is not a known field"},
		"LongDescription": {"POST", "", `{"template_id":"app","description":"` + strings.Repeat("x", 1601) + `"}`, 400, "description field must be less than"},
		"Umlaut":          {"PUT", "/mine", `{"archive_message":"ä"}`, 400, "may only contain ASCII characters"},
		"Metatags":        {"PUT", "/mine", `{"metatags":"web"}`, 400, "metatags must be a list of strings"},
		"RenamesTemplate": {"PUT", "/mine", `{"template_id":"other"}`, 400, "template_id is not a known field"},
		"NoDefinition":    {"POST", "/mine/tags", `{"commit_message":"x"}`, 400, "pod_definition is required"},
		"NoMessage":       {"POST", "/mine/tags", `{"pod_definition":{}}`, 400, "commit_message is required"},
		"BadTag":          {"POST", "/mine/tags", `{"pod_definition":{},"commit_message":"x","tag":"a b"}`, 400, "tag must hold"},
		"BadDefinition":   {"POST", "/mine/tags", tag(`{"resources":{"cpu_limit":1}}`), 400, "resources.cpu_x out of bounds"},
		"NoPodID":         {"POST", "/mine/tags", tag(`{"pod_id":"abc"}`), 400, "pod_id is not a known field"},
		"NestedMissing":   {"POST", "/mine/tags", tag(`{"template":"nothing"}`), 400, "Template not found"},
		"NestedTag":       {"POST", "/mine/tags", tag(`{"template":"mine:none"}`), 400, "Template tag not found"},
		"NestedHidden":    {"POST", "/mine/tags", tag(`{"template":"bobs"}`), 400, "Template not found: 'bobs'"},
		"NestedReference": {"POST", "/mine/tags", tag(`{"template":"mine@2026-01-02-03:04:05"}`), 400, "User specified @timestamp without :tag"},
		"HiddenFirst":     {"POST", "/bobs/tags", `{`, 404, "not found"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := s.call(tc.method, "/v3/pods/templates"+tc.path, token, tc.body)
			if got.status != tc.status || !strings.Contains(strings.Join(got.messages(), "\n"), tc.want) {
				t.Errorf("status %d, message %s; want %d with %q", got.status, got.envelope["message"], tc.status, tc.want)
			}
		})
	}
}

// TestTemplateChain builds templates on templates until it is too much.
func TestTemplateChain(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice := s.as("alice")
	s.addTemplate(alice, "chain0", `{"image":"nginx"}`)
	for i := 1; i < 10; i++ {
		s.addTemplate(alice, fmt.Sprintf("chain%d", i), fmt.Sprintf(`{"template":"chain%d"}`, i-1))
	}
	if _, err := alice.CreatePod(t.Context(), map[string]any{"pod_id": "deep", "template": "chain9"}); err != nil {
		t.Errorf("a pod of ten templates: %v", err)
	}
	err := alice.Do(t.Context(), "POST", "/v3/pods/templates/chain0/tags",
		map[string]any{"pod_definition": map[string]string{"template": "chain9"}, "commit_message": "x", "tag": "eleven"}, nil)
	wantStatus(t, err, 400, "builds on more than 9 templates")
}

// TestTemplateSharing has a template seen by more and more users.
func TestTemplateSharing(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	alice, admin := s.as("alice"), s.as("admin")
	s.addTemplate(alice, "app", `{"image":"nginx"}`)
	others := map[string]*client.Client{"bob": s.as("bob"), "bob of dev2": s.at(s.otherTenant(), "bob")}
	see := func(c *client.Client) bool {
		var list []client.Template
		if err := c.Do(ctx, "GET", "/v3/pods/templates", nil, &list); err != nil {
			t.Fatal(err)
		}
		var all map[string]client.TemplateAndTags
		if err := c.Do(ctx, "GET", "/v3/pods/templates/tags", nil, &all); err != nil {
			t.Fatal(err)
		}
		isListed := slices.ContainsFunc(list, func(t client.Template) bool { return t.TemplateID == "app" })
		entry, isMapped := all["app"]
		if isListed != isMapped || isMapped && (len(entry.Tags) != 1 || entry.Tags[0].PodDefinition == nil) {
			t.Errorf("in the list %v, in the map %v with %d tags", isListed, isMapped, len(entry.Tags))
		}
		_, err := c.CreatePod(ctx, map[string]any{"pod_id": "try", "template": "app", "status_requested": "OFF"})
		if (err == nil) != isListed {
			t.Errorf("listed %v, but a pod of it: %v", isListed, err)
		}
		_ = c.DeletePod(ctx, "try")
		return isListed
	}
	set := func(c *client.Client, key, level string) error {
		return c.Do(ctx, "POST", "/v3/pods/templates/app/permissions", map[string]string{"user": key, "level": level}, nil)
	}
	steps := []struct {
		key  string
		want string
	}{{"", ""}, {"bob", "bob"}, {"TENANT", "bob"}, {"SITE", "bob, bob of dev2"}}
	for _, step := range steps {
		if step.key != "" {
			if err := set(alice, step.key, "READ"); err != nil {
				t.Fatal(err)
			}
		}
		var seen []string
		for name, c := range others {
			if see(c) {
				seen = append(seen, name)
			}
		}
		slices.Sort(seen)
		if got := strings.Join(seen, ", "); got != step.want {
			t.Errorf("with %q it is seen by %q, want %q", step.key, got, step.want)
		}
		if step.key != "" && step.key != "bob" {
			if err := alice.Do(ctx, "DELETE", "/v3/pods/templates/app/permissions/"+step.key, nil, nil); err != nil {
				t.Error(err)
			}
		}
	}
	wantStatus(t, set(alice, "tenant.dev2", "READ"), 403, "only site admins")
	wantStatus(t, set(alice, "**", "READ"), 403, "only site admins")
	if err := set(alice, "admin", "ADMIN"); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, set(admin, "**", "USER"), 400, "only support READ level")
	if err := set(admin, "tenant.dev2", "READ"); err != nil || !see(others["bob of dev2"]) {
		t.Errorf("shared with the tenant dev2 (%v), its users do not see it", err)
	}
	wantStatus(t, others["bob of dev2"].Do(ctx, "GET", "/v3/pods/templates/app/permissions", nil, nil), 403, "needs level USER")
	if got := s.call("GET", "/v3/pods/templates/app", others["bob"].Token(), ""); strings.Contains(string(got.envelope["result"]), "permissions") {
		t.Errorf("READ shows who else has access: %s", got.envelope["result"])
	}
	wantStatus(t, alice.Do(ctx, "DELETE", "/v3/pods/templates/app/permissions/nobody", nil, nil), 400, "No permission found for user")
}

func TestShortLists(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice := s.as("alice")
	s.addTemplate(alice, "app", `{"template":"postgres"}`)
	for _, path := range []string{"/v3/pods/templates/app/tags?full=false", "/v3/pods/templates/tags?full=false", "/v3/pods/templates/app/tags/latest?full=false"} {
		if got := s.call("GET", path, alice.Token(), ""); got.status != 200 || strings.Contains(string(got.envelope["result"]), "pod_definition") {
			t.Errorf("%s = %d %s", path, got.status, got.envelope["result"])
		}
	}
	if got := s.call("GET", "/v3/pods/templates/app/tags?full=maybe", alice.Token(), ""); got.status != 400 {
		t.Errorf("full=maybe = %d", got.status)
	}
}

func TestSavePodAsTemplateTag(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	alice, bob := s.as("alice"), s.as("bob")
	s.addTemplate(bob, "bobs", `{"image":"nginx"}`)
	if err := alice.Do(ctx, "POST", "/v3/pods/templates", map[string]string{"template_id": "saved"}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := alice.CreatePod(ctx, map[string]any{
		"pod_id": "source", "template": "postgres", "status_requested": "OFF", "environment_variables": map[string]string{"A": "b"},
		"resources": map[string]any{"mem_limit": 2048}, "networking": map[string]any{"web": map[string]any{"port": 8080}},
	})
	if err != nil {
		t.Fatal(err)
	}
	save := func(pod, template string) (tag client.TemplateTag, err error) {
		body := map[string]string{"template_id": template, "commit_message": "from a pod", "tag": "v1"}
		return tag, alice.Do(ctx, "POST", "/v3/pods/"+pod+"/save_pod_as_template_tag", body, &tag)
	}
	tag, err := save("source", "saved")
	if err != nil {
		t.Fatal(err)
	}
	got := tag.PodDefinition
	if got.EnvironmentVariables["A"] != "b" || *got.Resources.MemLimit != 2048 || got.Resources.CPULimit != nil || got.Image != nil ||
		got.Networking["web"].Port != 8080 || got.Networking["web"].URL != "" || got.TimeToStopDefault != nil {
		t.Errorf("saved %+v, want what the user has set and no more", got)
	}
	copied, err := alice.CreatePod(ctx, map[string]any{"pod_id": "copy", "template": "saved:v1"})
	if err != nil {
		t.Fatal(err)
	}
	var derived client.Pod
	if err := alice.Do(ctx, "GET", "/v3/pods/copy/derived", nil, &derived); err != nil {
		t.Fatal(err)
	}
	if derived.Image != "postgres:16" || derived.Networking["web"].URL != "copy-web.pods.localhost" || derived.EnvironmentVariables["A"] != "b" {
		t.Errorf("a pod of the saved tag %s is %+v", copied.Template, derived)
	}
	_, err = save("source", "nothing")
	wantStatus(t, err, 404, "Template with identifier template_id: 'nothing' not found")
	_, err = save("source", "bobs")
	wantStatus(t, err, 404, "not found")
	_, err = save("nothing", "saved")
	wantStatus(t, err, 404, "Pod with identifier")
}

func TestDerivedPod(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	alice := s.as("alice")
	if _, err := alice.CreatePod(ctx, map[string]any{"pod_id": "docpod", "template": "postgres"}); err != nil {
		t.Fatal(err)
	}
	if err := alice.Do(ctx, "POST", "/v3/pods/docpod/permissions", map[string]string{"user": "bob", "level": "READ"}, nil); err != nil {
		t.Fatal(err)
	}
	credentials, err := alice.PodCredentials(ctx, "docpod")
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{"alice": credentials.UserPassword, "bob": "<<TAPIS_user_password>>"} {
		var derived client.Pod
		if err := s.as(user).Do(ctx, "GET", "/v3/pods/docpod/derived", nil, &derived); err != nil {
			t.Fatal(err)
		}
		if derived.Image != "postgres:16" || derived.EnvironmentVariables["PASSWORD"] != want {
			t.Errorf("%s sees image %s with another password than %s may see", user, derived.Image, user)
		}
	}
	for _, path := range []string{"/v3/pods?derived_lite=true", "/v3/pods?derived=true"} {
		var list []client.Pod
		if err := alice.Do(ctx, "GET", path, nil, &list); err != nil || len(list) != 1 || list[0].Image != "postgres:16" {
			t.Errorf("%s = %v, %v", path, list, err)
		}
	}
	var one client.Pod
	if err := alice.Do(ctx, "GET", "/v3/pods/docpod?derived_lite=true&include_configs=false&resolve_secrets=", nil, &one); err != nil || one.Image != "postgres:16" {
		t.Errorf("one pod derived = %+v, %v", one, err)
	}
	if got := s.call("GET", "/v3/pods/docpod?derived=perhaps", alice.Token(), ""); got.status != 400 {
		t.Errorf("derived=perhaps = %d", got.status)
	}
}

// TestDependents tells what is made of a tag, to those who may see it.
func TestDependents(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	alice, bob := s.as("alice"), s.as("bob")
	s.addTemplate(alice, "base", `{"image":"nginx"}`)
	if err := alice.Do(ctx, "POST", "/v3/pods/templates/base/permissions", map[string]string{"user": "TENANT", "level": "READ"}, nil); err != nil {
		t.Fatal(err)
	}
	s.addTemplate(bob, "bobs", `{"template":"base"}`)
	for user, c := range map[string]*client.Client{"alice": alice, "bob": bob} {
		if _, err := c.CreatePod(ctx, map[string]any{"pod_id": "of" + user, "template": "base"}); err != nil {
			t.Fatal(err)
		}
	}
	look := func(send func(method, path, token, body string) answer, token string) client.Dependents {
		got := send("GET", "/v3/pods/templates/base/tags?include_dependencies=true", token, "")
		var tags []client.TemplateTag
		if err := json.Unmarshal(got.envelope["result"], &tags); err != nil || len(tags) != 1 || tags[0].Dependents == nil {
			t.Fatalf("tags %s, %v", got.envelope["result"], err)
		}
		return *tags[0].Dependents
	}
	if got := look(s.call, alice.Token()); !slices.Equal(got.Pods, []string{"ofalice"}) || len(got.Tags) != 0 {
		t.Errorf("alice sees %+v, want her pod alone", got)
	}
	if got := look(s.asAdmin, s.as("admin").Token()); !slices.Equal(got.Pods, []string{"ofalice", "ofbob"}) || len(got.Tags) != 1 || !strings.HasPrefix(got.Tags[0], "bobs:latest@") {
		t.Errorf("a site admin in admin mode sees %+v, want everything", got)
	}
}
