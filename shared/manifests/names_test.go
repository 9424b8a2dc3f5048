package manifests_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

func FuzzLabelValue(f *testing.F) {
	for _, seed := range []string{"", "a", "-", "tenant.one", "a_", "ü", strings.Repeat("x", 64), "...", "a\x00b"} {
		f.Add(seed, "a")
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		value := manifests.LabelValue(one)
		if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
			t.Errorf("LabelValue(%q) = %q: %v", one, value, problems)
		}
		isShort := len(one) <= validation.LabelValueMaxLength && len(other) <= validation.LabelValueMaxLength
		// A hash may by intent look like a short value; two that both had to be
		// shortened, or both not, must stay apart.
		if one != other && isShort == (value == one) && manifests.LabelValue(other) == value {
			t.Errorf("LabelValue gives %q for both %q and %q", value, one, other)
		}
	})
}

func FuzzObjectNames(f *testing.F) {
	f.Add("local", "dev", "db", "default", "/data")
	f.Add("s-1", "a-b", strings.Repeat("p", 64), strings.Repeat("k", 64), "vol-1")
	f.Fuzz(func(t *testing.T, site, tenant, podID, key, mount string) {
		rules := pods.NewRules()
		patch := pods.Patch{
			ID: pods.Some(podID), Image: pods.Some("dev.local/hello:1"),
			Networking:   pods.Some(map[string]pods.Networking{key: pods.NewNetworking()}),
			VolumeMounts: pods.Some(map[string]*pods.VolumeMount{mount: {Type: pods.MountPVC}}),
		}
		pod, err := pods.New(pods.Caller{SiteID: site, TenantID: tenant}, pods.Tenant{}, patch, rules, "uid", testTime)
		if err != nil {
			return // not a pod that the API accepts
		}
		built, err := manifests.Build(pod, testCredentials(), "", manifests.Options{})
		if err != nil {
			t.Fatalf("Build: %v", err)
		}
		labels := []string{built.Pod.Name, built.Service.Name, built.Pod.Spec.Hostname,
			built.Service.Spec.Ports[0].Name, built.Pod.Spec.Volumes[0].Name, built.Claims[0].Name}
		for _, name := range labels {
			if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
				t.Errorf("%q: %v", name, problems)
			}
		}
		if problems := validation.IsDNS1035Label(built.Service.Name); len(problems) > 0 {
			t.Errorf("service name %q: %v", built.Service.Name, problems)
		}
		for name, value := range built.Pod.Labels {
			if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
				t.Errorf("label %s=%q: %v", name, value, problems)
			}
		}
	})
}

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
