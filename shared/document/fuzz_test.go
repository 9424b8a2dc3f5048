package document_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/pods"
)

// settable are the fields of a pod as the API shows it that an update takes.
var settable = []string{
	"image", "template", "description", "command", "arguments", "environment_variables", "volume_mounts",
	"time_to_stop_default", "time_to_stop_instance", "networking", "resources", "compute_queue", "status_requested",
}

// FuzzPod reads any body: a pod comes of it or a list of what is wrong. Sent
// back as it is shown, as web interfaces do, a pod stays as it is.
func FuzzPod(f *testing.F) {
	for _, body := range []string{
		`{"pod_id":"docpod","template":"postgres"}`,
		`{"pod_id":"db1","image":"x","networking":{"default":{"port":"5000","url":"x"}},"resources":{"gpus":""}}`,
		`{"pod_id":"db1","image":"x","volume_mounts":{"/data":null,"vol":{"type":"pvc"},"/x":{"type":"pvc","read_only":"true","sub_path":"a"}}}`,
		`{"pod_id":"db1","image":"x","networking":{"web":{"protocol":"TCP","port":1e2,"ip_allow_list":["10.0.0.0/8"]},
			"adm":{"tapis_auth":true,"tapis_auth_response_headers":{"X-User":"a"},"cors_allow_methods":["GET"],"cors_max_age":"5","tapis_ui_uri":"/a"}}}`,
		`{"pod_id":"db1","image":"x","command":[],"arguments":["a"],"environment_variables":{"A":"<<TAPIS_pod_id>>"},
			"time_to_stop_default":-1,"time_to_stop_instance":null,"compute_queue":"default","status_requested":"off"}`,
		`{"pod_id":"db1","image":"x","resources":{"cpu_request":"250","cpu_limit":250.0,"mem_limit":null}}`,
		`{"command":["a",null]}`, `{"pod_id":"db1","pod_id":"db2","image":"\ud800"}`, `[]`, `null`, `{"networking":{"":{}}}`, "\xff",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		pod, err := create(string(body))
		if err != nil {
			wantInvalid(t, err)
			return
		}
		if pod.ID == "" {
			t.Fatal("a pod without id was made")
		}
		shown, err := json.Marshal(client.FromPod(pod))
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(shown, &fields); err != nil {
			t.Fatal(err)
		}
		sent := map[string]json.RawMessage{}
		for _, name := range settable {
			sent[name] = fields[name]
		}
		update, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		patch, err := document.Pod(update)
		if err != nil {
			t.Fatalf("%s cannot be sent back: %v", update, err)
		}
		same, err := pod.Update(pods.Caller{Username: "alice"}, tenant, patch, pods.NewRules())
		if err != nil {
			t.Fatalf("%s cannot be sent back: %v", update, err)
		}
		if differences := pods.Diff(pod.Spec, same.Spec); len(differences) > 0 {
			t.Errorf("sent back, it changes: %v", differences)
		}
	})
}

// FuzzDefinition reads any pod definition of a template, JSON or YAML, twice:
// the second time must give what the first did, and never more than the rules
// allow.
func FuzzDefinition(f *testing.F) {
	for _, definition := range []string{
		`{"image":"base:1","command":["a"],"networking":{"default":{"port":80}},"resources":{"cpu_limit":4000}}`,
		"image: a\nenvironment_variables: {A: \"1\"}\nvolume_mounts:\n  /data: {type: pvc}\n", "a: &a [*a]", "? {}\n: 1", "image: !!binary eA==",
		"command: [a, b]\ntemplate: base:1@2026-01-02-03:04:05", "", "null", "- 1", "\t", "{image: ''}", "x: &x {a: 1}\ny: {<<: *x}",
	} {
		f.Add([]byte(definition))
	}
	rules := pods.NewRules()
	f.Fuzz(func(t *testing.T, definition []byte) {
		patch, err := document.Definition(definition, rules)
		if err != nil {
			wantInvalid(t, err)
			return
		}
		if err := rules.CheckDefinition(patch); err != nil {
			t.Errorf("a definition is taken that the rules refuse: %v", err)
		}
		again, err := document.Definition(definition, rules)
		if err != nil || !reflect.DeepEqual(patch, again) {
			t.Errorf("read again it is another: %+v and %+v, %v", patch, again, err)
		}
	})
}

// FuzzBodies gives every body to everything that reads one.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		`{"user":"bob","level":"READ"}`, `{"template_id":"tem","description":"d","metatags":["a"]}`, `{"tag":"1","commit_message":"m","pod_definition":{"image":"a"}}`,
		`{"image":"a:1","tenants":["dev"],"description":""}`, `[{"image":"a"},{}]`, `{"images":[{"image":"a"}]}`,
		`{"command":["ls","-l"],"total_timeout":5}`, `{"commands":[["ls"],["pwd"]],"fail_on_non_success":"true"}`, `{}`, `[]`, `null`, `{"":null}`, `{"user":"\u0000"}`,
	} {
		f.Add([]byte(body))
	}
	rules := pods.NewRules()
	readers := map[string]func([]byte) error{
		"Permission":         func(b []byte) error { _, _, err := document.Permission(b); return err },
		"ExecCommands":       func(b []byte) error { _, err := document.ExecCommands(b); return err },
		"NewTemplate":        func(b []byte) error { _, err := document.NewTemplate(b); return err },
		"TemplateTag":        func(b []byte) error { _, err := document.TemplateTag(b, rules); return err },
		"TemplateTagFromPod": func(b []byte) error { _, err := document.TemplateTagFromPod(b); return err },
		"NewImage":           func(b []byte) error { _, _, err := document.NewImage(b); return err },
		"NewImages":          func(b []byte) error { _, err := document.NewImages(b); return err },
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, read := range readers {
			err := read(body)
			if err != nil {
				wantInvalid(t, err)
			}
			if again := read(body); (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
				t.Errorf("%s says %v and then %v", name, err, again)
			}
		}
	})
}

// wantInvalid: a body is at fault or is not, and the user is told why.
func wantInvalid(t *testing.T, err error) {
	t.Helper()
	if pods.KindOf(err) != pods.KindInvalid || err.Error() == "" {
		t.Errorf("%v (%s), want invalid and why", err, pods.KindOf(err))
	}
}
