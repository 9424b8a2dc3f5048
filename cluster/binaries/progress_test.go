package binaries

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompiled(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		output      string
		want        string
		wantProblem []string
	}{
		"NothingYet": {"", "reading what is compiled already", nil},
		"Downloads":  {"go: downloading k8s.io/api v0.35.4\n", "reading what is compiled already", []string{"go: downloading k8s.io/api v0.35.4"}},
		"Compiles":   {"errors\nk8s.io/api/core/v1\n", "2 of at most 90 packages compiled, at k8s.io/api/core/v1", nil},
		"Links":      {"k8s.io/api\nexample.org/kube\n", "linking (2 packages were compiled)", nil},
		"Fails": {
			"k8s.io/api\n# k8s.io/api\n../a.go:1:2: undefined: b\n", "1 of at most 90 packages compiled, at k8s.io/api",
			[]string{"# k8s.io/api", "../a.go:1:2: undefined: b"},
		},
		"HugeLine": {"a\n" + strings.Repeat("b", 1<<17) + "\nc\n", "1 of at most 90 packages compiled, at a", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var compiled compiled
			output := strings.NewReader(tc.output)
			problems := compiled.read(output)
			if diff := cmp.Diff(tc.wantProblem, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if got := compiled.describe(packages{programs: []string{"example.org/kube"}, total: 90}); got != tc.want {
				t.Errorf("describe = %q, want %q", got, tc.want)
			}
			if output.Len() > 0 {
				t.Errorf("%d bytes were not read: go would wait for ever", output.Len())
			}
		})
	}
}
