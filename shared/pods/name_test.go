package pods_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/pods"
)

var dnsLabel = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

func TestName(t *testing.T) {
	t.Parallel()

	if got := pods.Name("tacc", "dev", "docpod"); got != "pods-tacc-dev-docpod" {
		t.Errorf("Name = %q, want the parts joined", got)
	}
	pairs := map[string][2][3]string{
		"HyphensInParts": {{"a-b", "c", "pod"}, {"a", "b-c", "pod"}},
		"LongIDs":        {{"s", "t", strings.Repeat("a", 63)}, {"s", "t", strings.Repeat("a", 64)}},
		"UpperCase":      {{"s", "Dev", "pod"}, {"s", "dev", "pod"}},
		"Dots":           {{"s", "a.b", "pod"}, {"s", "a-b", "pod"}},
	}
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a := pods.Name(pair[0][0], pair[0][1], pair[0][2])
			b := pods.Name(pair[1][0], pair[1][1], pair[1][2])
			if a == b {
				t.Errorf("%v and %v share the name %s", pair[0], pair[1], a)
			}
		})
	}
}

func FuzzName(f *testing.F) {
	f.Add("tacc", "dev", "docpod")
	f.Add("", "-", strings.Repeat("x", 100))
	f.Add("ä", "..", "a")
	f.Fuzz(func(t *testing.T, site, tenant, pod string) {
		name := pods.Name(site, tenant, pod)
		if !dnsLabel.MatchString(name) {
			t.Errorf("Name(%q, %q, %q) = %q is not a DNS label", site, tenant, pod, name)
		}
		if name != pods.Name(site, tenant, pod) {
			t.Errorf("Name(%q, %q, %q) changes from call to call", site, tenant, pod)
		}
	})
}
