package templates_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

// FuzzDerive merges any pod that the API takes with any two templates that it
// takes. The merge must leave its inputs alone, let the user win, and be the
// same however often it is made.
func FuzzDerive(f *testing.F) {
	const base = `{"image":"base:1","command":["base"],"environment_variables":{"A":"base","B":"base"},
		"networking":{"default":{"port":80},"bolt":{"protocol":"tcp","port":7687}},"resources":{"cpu_limit":4000},
		"volume_mounts":{"/data":{"type":"pvc"},"/logs":{"type":"pvc"}},"time_to_stop_default":-1}`
	const app = `{"description":"app","arguments":["x"],"environment_variables":{"B":"app"},"resources":{"mem_limit":2048},"time_to_stop_instance":300}`
	for _, body := range []string{
		`{"pod_id":"docpod","template":"app"}`,
		`{"pod_id":"docpod","template":"base","image":"mine","environment_variables":{"B":"pod","C":"pod"}}`,
		`{"pod_id":"docpod","template":"app:latest","networking":{"default":{"protocol":"local_only"}},"volume_mounts":{"/data":null}}`,
		`{"pod_id":"docpod","template":"app","environment_variables":{"_TAPIS_INTERNAL_USE_TEMPLATE_ENVS":"False","_TAPIS_INTERNAL_USE_TEMPLATE_VOLUMES":"False"}}`,
		`{"pod_id":"docpod","template":"app","command":null,"resources":{"gpus":1,"cpu_limit":""},"compute_queue":"default"}`,
		`{"pod_id":"docpod","image":"alone"}`,
	} {
		f.Add(body, base, app)
		f.Add(body, `{"image":"x"}`, `{}`)
	}
	rules := pods.NewRules()
	f.Fuzz(func(t *testing.T, body, base, app string) {
		pod, ok := podOf(body, rules)
		below, err1 := document.Definition([]byte(base), rules)
		above, err2 := document.Definition([]byte(app), rules)
		if !ok || err1 != nil || err2 != nil {
			return
		}
		below.Template, above.Template = pods.Optional[string]{}, pods.Some("base")
		tags := []templates.Tag{tag("base:latest"+stamp, below), tag("app:latest"+stamp, above)}
		d := deriver(t, tags...)
		before := snapshot(t, pod, tags)
		derived, err := d.Derive(t.Context(), pod)
		if err != nil {
			if pods.KindOf(err) != pods.KindInvalid {
				t.Fatalf("Derive: %v, want invalid", err)
			}
			return
		}
		checkUserWins(t, pod, derived)
		checkParts(t, pod, derived.Pod, below, above)
		networking, err := d.Networking(t.Context(), pod)
		if diff := cmp.Diff(derived.Pod.Networking, networking); err != nil || diff != "" {
			t.Errorf("Networking differs from that of Derive (%v):\n%s", err, diff)
		}
		again, err := d.Derive(t.Context(), derived.Pod)
		// A mount that the user has taken away is gone, and so not taken away again.
		ignored := cmpopts.IgnoreFields(pods.Spec{}, "VolumeMounts")
		if diff := cmp.Diff(derived.Pod, again.Pod, ignored); err != nil || diff != "" {
			t.Errorf("merging a merged pod changes it (%v):\n%s", err, diff)
		}
		spoil(derived.Pod)
		if diff := cmp.Diff(before, snapshot(t, pod, tags)); diff != "" {
			t.Errorf("the merge, or a change of its result, reaches what was merged:\n%s", diff)
		}
	})
}

// podOf returns the pod that a body asks for, false for one that is refused.
func podOf(body string, rules pods.Rules) (pods.Pod, bool) {
	patch, err := document.Pod([]byte(body))
	if err != nil {
		return pods.Pod{}, false
	}
	pod, err := pods.New(pods.Caller{TenantID: "dev", SiteID: "local"}, pods.Tenant{PodsDomain: "pods.localhost"}, patch, rules, "u", time.Unix(0, 0))
	return pod, err == nil
}

func snapshot(t *testing.T, pod pods.Pod, tags []templates.Tag) string {
	t.Helper()
	text, err := json.Marshal([]any{pod, tags})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// checkUserWins: what the user has set is what comes out, and an image of the
// user's own gets none of a template's privileges.
func checkUserWins(t *testing.T, pod pods.Pod, derived templates.Derived) {
	t.Helper()
	got := derived.Pod
	for field, isSame := range map[string]bool{
		"description": got.Description == pod.Description, "compute_queue": got.ComputeQueue == pod.ComputeQueue,
		"command": slices.Equal(got.Command, pod.Command), "arguments": slices.Equal(got.Arguments, pod.Arguments),
		"time_to_stop_default": got.TimeToStopDefault == pod.TimeToStopDefault,
	} {
		if pod.HasModified(field) && !isSame {
			t.Errorf("a template replaces the %s that the user has set", field)
		}
	}
	if pod.HasModified("image") && pod.Image != "" && (got.Image != pod.Image || derived.Profile != templates.ProfileRestricted) {
		t.Errorf("image %q with profile %s, want the user's %q, restricted", got.Image, derived.Profile, pod.Image)
	}
	for name, value := range pod.EnvironmentVariables {
		if got.EnvironmentVariables[name] != value {
			t.Errorf("variable %q is %q, want the user's %q", name, got.EnvironmentVariables[name], value)
		}
	}
	for _, key := range pods.ResourceKeys {
		want, have := *pod.Resources.Field(key), *got.Resources.Field(key)
		if have == nil || pod.HasModified("resources."+string(key)) && *have != *want {
			t.Errorf("resource %s is lost or not the user's", key)
		}
	}
}

// checkParts: nothing comes out that nobody has put in, and hosts are the pod's
// own whatever a template says.
func checkParts(t *testing.T, pod, got pods.Pod, definitions ...pods.Patch) {
	t.Helper()
	for name := range got.EnvironmentVariables {
		_, known := pod.EnvironmentVariables[name]
		for _, d := range definitions {
			_, set := d.EnvironmentVariables.Value[name]
			known = known || set
		}
		if !known {
			t.Errorf("variable %q is nobody's", name)
		}
	}
	for key, mount := range got.VolumeMounts {
		_, own := pod.VolumeMounts[key]
		if mount == nil && pod.Template != "" || !own && pod.Template == "" {
			t.Errorf("mount %q is %v", key, mount)
		}
	}
	if len(got.Networking) == 0 && len(pod.Networking) > 0 {
		t.Error("all ports are lost")
	}
	for key, entry := range got.Networking {
		want := ""
		if entry.Protocol != pods.ProtocolLocalOnly {
			want = pods.Host(pod.ID, key, "pods.localhost")
		}
		if entry.URL != want {
			t.Errorf("entry %q has the host %q, want %q", key, entry.URL, want)
		}
	}
}

// spoil changes what a merged pod holds, as a caller may who was given it.
func spoil(pod pods.Pod) {
	if pod.Template == "" {
		return // returned as it was
	}
	for name := range pod.EnvironmentVariables {
		pod.EnvironmentVariables[name] = "spoilt"
	}
	for key := range pod.VolumeMounts {
		delete(pod.VolumeMounts, key)
	}
	for key, entry := range pod.Networking {
		entry.TapisAuthResponseHeaders["spoilt"] = "spoilt"
		for i := range entry.TapisAuthAllowedUsers {
			entry.TapisAuthAllowedUsers[i] = "spoilt"
		}
		delete(pod.Networking, key)
	}
}
