package network

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Beside the cluster there is a container engine in both cases, and in the
// second one another network of the same plugins.
func TestRemoval(t *testing.T) {
	t.Parallel()

	for _, name := range []string{"cluster", "shared"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			saved := readFile(t, name+".rules")
			want := readFile(t, name+".removal")
			if diff := cmp.Diff(want, removal(saved, "pods-cluster")); diff != "" {
				t.Errorf("removal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemovalNothingOurs(t *testing.T) {
	t.Parallel()

	const saved = `*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -m comment --comment "looks like -j KUBE-SERVICES" -j DOCKER
-A DOCKER -i docker0 -j RETURN
COMMIT
`
	for _, saved := range []string{"", saved} {
		if got := removal(saved, "pods-cluster"); got != "" {
			t.Errorf("removal = %q, want nothing", got)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
