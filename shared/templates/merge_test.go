package templates_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

func tag(reference string, definition pods.Patch) templates.Tag {
	parsed, err := templates.Parse(reference)
	if err != nil {
		panic(err)
	}
	return templates.Tag{
		Template: templates.Template{
			ID: parsed.TemplateID, Profile: templates.ProfileRoot,
			Permissions: permissions.Set{{User: permissions.KeyEverybody, Level: permissions.Read}},
		},
		Reference: parsed, Definition: definition,
	}
}

func deriver(t *testing.T, tags ...templates.Tag) *templates.Deriver {
	t.Helper()
	catalog, err := templates.NewCatalog(tags)
	if err != nil {
		t.Fatal(err)
	}
	return templates.NewDeriver(catalog, catalog, func(string) string { return "pods.localhost" })
}

// newPod returns a pod as a user would make it with patch.
func newPod(t *testing.T, patch pods.Patch) pods.Pod {
	t.Helper()
	patch.ID = pods.Some("docpod")
	pod, err := pods.New(pods.Caller{TenantID: "dev", SiteID: "local"}, pods.Tenant{PodsDomain: "pods.localhost"}, patch, pods.NewRules(), "u", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

func entry(port int) pods.Networking {
	n := pods.NewNetworking()
	n.Port = port
	return n
}

const stamp = "@2026-01-02-03:04:05"

func TestDerivePriority(t *testing.T) {
	t.Parallel()

	d := deriver(t,
		tag("base:latest"+stamp, pods.Patch{
			Image: pods.Some("base:1"), Command: pods.Some([]string{"base"}), Description: pods.Some("base"),
			TimeToStopDefault:    pods.Some(int64(-1)),
			EnvironmentVariables: pods.Some(map[string]string{"A": "base", "B": "base", "C": "base"}),
			Resources:            pods.Some(pods.Resources{CPULimit: new(int64(4000)), MemLimit: new(int64(1024))}),
			Networking:           pods.Some(map[string]pods.Networking{"bolt": entry(7687), "default": entry(7474)}),
			VolumeMounts:         pods.Some(map[string]*pods.VolumeMount{"/data": {Type: "pvc"}, "/logs": {Type: "pvc"}}),
		}),
		tag("app:latest"+stamp, pods.Patch{
			Template: pods.Some("base"), Command: pods.Some([]string{"app"}),
			EnvironmentVariables: pods.Some(map[string]string{"B": "app", "C": "app"}),
			Resources:            pods.Some(pods.Resources{MemLimit: new(int64(2048))}),
		}))
	derived, err := d.Derive(t.Context(), newPod(t, pods.Patch{
		Template: pods.Some("app"), Description: pods.Some("mine"),
		EnvironmentVariables: pods.Some(map[string]string{"C": "pod"}),
		Resources:            pods.Some(pods.Resources{CPURequest: new(int64(500))}),
		VolumeMounts:         pods.Some(map[string]*pods.VolumeMount{"/logs": nil}),
	}))
	if err != nil {
		t.Fatal(err)
	}
	spec := derived.Pod.Spec
	if spec.Image != "base:1" || spec.Description != "mine" || spec.TimeToStopDefault != -1 {
		t.Errorf("image %q, description %q, time to stop %d", spec.Image, spec.Description, spec.TimeToStopDefault)
	}
	if diff := cmp.Diff([]string{"app"}, spec.Command); diff != "" {
		t.Errorf("command is not the closest template's:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"A": "base", "B": "app", "C": "pod"}, spec.EnvironmentVariables); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	r := spec.Resources
	if *r.CPURequest != 500 || *r.CPULimit != 4000 || *r.MemLimit != 2048 || *r.MemRequest != 256 {
		t.Errorf("resources are not merged key by key: %d %d %d %d", *r.CPURequest, *r.CPULimit, *r.MemRequest, *r.MemLimit)
	}
	if len(spec.VolumeMounts) != 1 || spec.VolumeMounts["/data"] == nil {
		t.Errorf("volume mounts %v, want /logs removed by null", spec.VolumeMounts)
	}
	if derived.Pod.Networking["default"].Port != 7474 || derived.Pod.Networking["bolt"].URL != "docpod-bolt.pods.localhost" {
		t.Errorf("networking %+v", derived.Pod.Networking)
	}
	if derived.Profile != templates.ProfileRoot {
		t.Errorf("profile %s, want that of the template with the image", derived.Profile)
	}
}

func TestDeriveNetworking(t *testing.T) {
	t.Parallel()

	withDefault := tag("web:latest"+stamp, pods.Patch{Image: pods.Some("i"), Networking: pods.Some(map[string]pods.Networking{"default": entry(80)})})
	withoutDefault := tag("database:latest"+stamp, pods.Patch{Image: pods.Some("i"), Networking: pods.Some(map[string]pods.Networking{"postgres": entry(5432)})})
	none := tag("bare:latest"+stamp, pods.Patch{Image: pods.Some("i")})
	own := pods.Some(map[string]pods.Networking{"default": entry(9000)})
	tests := map[string]struct {
		template string
		own      pods.Optional[map[string]pods.Networking]
		want     map[string]int
	}{
		"ImplicitGivesWay":    {"database", pods.Optional[map[string]pods.Networking]{}, map[string]int{"postgres": 5432}},
		"ImplicitOnSameKey":   {"web", pods.Optional[map[string]pods.Networking]{}, map[string]int{"default": 80}},
		"OwnReplacesEntry":    {"web", own, map[string]int{"default": 9000}},
		"OwnBesideTemplates":  {"database", own, map[string]int{"default": 9000, "postgres": 5432}},
		"ImplicitWhenNothing": {"bare", pods.Optional[map[string]pods.Networking]{}, map[string]int{"default": 5000}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			derived, err := deriver(t, withDefault, withoutDefault, none).Derive(t.Context(), newPod(t, pods.Patch{Template: pods.Some(tc.template), Networking: tc.own}))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for key, n := range derived.Pod.Networking {
				got[key] = n.Port
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeriveSwitches(t *testing.T) {
	t.Parallel()

	d := deriver(t, tag("base:latest"+stamp, pods.Patch{
		Image: pods.Some("i"), EnvironmentVariables: pods.Some(map[string]string{"A": "base"}),
		VolumeMounts: pods.Some(map[string]*pods.VolumeMount{"/data": {Type: "pvc"}}),
	}))
	for _, value := range []string{"False", "false", "True"} {
		derived, err := d.Derive(t.Context(), newPod(t, pods.Patch{Template: pods.Some("base"), EnvironmentVariables: pods.Some(map[string]string{
			"_TAPIS_INTERNAL_USE_TEMPLATE_ENVS": value, "_TAPIS_INTERNAL_USE_TEMPLATE_VOLUMES": value,
		})}))
		if err != nil {
			t.Fatal(err)
		}
		_, inherited := derived.Pod.EnvironmentVariables["A"]
		if want := value != "False"; inherited != want || (len(derived.Pod.VolumeMounts) == 1) != want {
			t.Errorf("%s: environment inherited %v, mounts %d, want inherited %v", value, inherited, len(derived.Pod.VolumeMounts), want)
		}
	}
}

// TestOwnImageIsNotRelaxed guards against borrowing a template's capabilities
// for an image it was not made for.
func TestOwnImageIsNotRelaxed(t *testing.T) {
	t.Parallel()

	d := deriver(t, tag("base:latest"+stamp, pods.Patch{Image: pods.Some("i")}))
	derived, err := d.Derive(t.Context(), newPod(t, pods.Patch{Template: pods.Some("base"), Image: pods.Some("mine")}))
	if err != nil {
		t.Fatal(err)
	}
	if derived.Pod.Image != "mine" || derived.Profile != templates.ProfileRestricted {
		t.Errorf("image %s with profile %s", derived.Pod.Image, derived.Profile)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()

	image := pods.Patch{Image: pods.Some("i")}
	nested := func(reference string) pods.Patch { return pods.Patch{Template: pods.Some(reference)} }
	tags := []templates.Tag{
		tag("neo:latest@2026-01-01-00:00:00", image), tag("neo:latest@2026-02-01-00:00:00", image), tag("neo:5@2026-01-01-00:00:00", image),
		tag("same:a"+stamp, nested("same:b")), tag("same:b"+stamp, image),
		tag("loop:latest"+stamp, nested("back")), tag("back:latest"+stamp, nested("loop:latest")),
		tag("dead:latest"+stamp, nested("gone")),
	}
	for i := range 12 {
		tags = append(tags, tag("deep:"+strings.Repeat("x", i+1)+stamp, nested("deep:"+strings.Repeat("x", i+2))))
	}
	d := deriver(t, tags...)
	tests := map[string]struct{ reference, want, problem string }{
		"Newest":           {reference: "neo", want: "neo:latest@2026-02-01-00:00:00"},
		"Tag":              {reference: "neo:5", want: "neo:5@2026-01-01-00:00:00"},
		"Exact":            {reference: "neo:latest@2026-01-01-00:00:00", want: "neo:latest@2026-01-01-00:00:00"},
		"SameTemplate":     {reference: "same:a", want: "same:a" + stamp},
		"NoTag":            {reference: "neo@2026-01-01-00:00:00", problem: "User specified @timestamp without :tag"},
		"ThreeParts":       {reference: "neo:a:b", problem: "Invalid template format"},
		"Upper":            {reference: "Neo", problem: "Invalid template format"},
		"BadTime":          {reference: "neo:5@yesterday", problem: "Invalid template format"},
		"UnknownTemplate":  {reference: "nothing", problem: "Template not found"},
		"UnknownTag":       {reference: "neo:6", problem: "Template tag not found"},
		"TagOfAnother":     {reference: "same:5", problem: "Template tag not found"},
		"UnknownTimestamp": {reference: "neo:5@2020-01-01-00:00:00", problem: "Template tag not found"},
		"Loop":             {reference: "loop", problem: "Infinite loop detected: template loop:latest"},
		"NestedGone":       {reference: "dead", problem: "Template not found"},
		"TooDeep":          {reference: "deep:x", problem: "builds on more than"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, _, err := d.Pin(t.Context(), pods.Caller{TenantID: "dev", Username: "bob"}, tc.reference)
			if tc.problem == "" {
				if err != nil || got != tc.want {
					t.Errorf("Pin(%s) = %q, %v; want %q", tc.reference, got, err, tc.want)
				}
				return
			}
			if pods.KindOf(err) != pods.KindInvalid || !strings.Contains(err.Error(), tc.problem) {
				t.Errorf("Pin(%s) = %v, want invalid with %q", tc.reference, err, tc.problem)
			}
		})
	}
}

// TestPinNeedsRead has a template that everybody may use build on one that is
// somebody's own.
func TestPinNeedsRead(t *testing.T) {
	t.Parallel()

	own := tag("own:latest"+stamp, pods.Patch{Image: pods.Some("i")})
	own.Template.TenantID = "dev"
	own.Template.Permissions = permissions.Set{{User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read}}
	d := deriver(t, own, tag("open:latest"+stamp, pods.Patch{Template: pods.Some("own")}))
	for caller, want := range map[pods.Caller]bool{
		{TenantID: "dev", Username: "alice"}:                  true,
		{TenantID: "dev", Username: "bob"}:                    true,
		{TenantID: "dev", Username: "carol"}:                  false,
		{TenantID: "dev2", Username: "alice"}:                 false,
		{TenantID: "dev2", Username: "root", SiteAdmin: true}: false,
		{TenantID: "dev2", Username: "root", AdminMode: true}: true,
	} {
		_, _, err := d.Pin(t.Context(), caller, "open")
		if (err == nil) != want {
			t.Errorf("%+v: Pin = %v, want allowed %v", caller, err, want)
		}
		if err != nil && err.Error() != templates.Unknown("own").Error() {
			t.Errorf("%+v: Pin = %v, which tells whether the template is there", caller, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"neo4j", "neo4j:5", "neo4j:5@2026-01-02-03:04:05", "a@b:c", "::", "@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		reference, err := templates.Parse(text)
		if err != nil {
			return
		}
		again, err := templates.Parse(reference.String())
		if err != nil || again != reference {
			t.Errorf("Parse(%q) = %v, which reads back as %v, %v", text, reference, again, err)
		}
	})
}
