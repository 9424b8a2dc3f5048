package manifests_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/cluster/manifests"
)

var update = flag.Bool("update", false, "write the golden files")

// modules returns a Knative that is much smaller than the real one, in a folder
// where it can be changed.
func modules(t *testing.T) manifests.Modules {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(filepath.Join("testdata", "modules"))); err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{}
	for _, path := range manifests.Paths() {
		folders[path] = filepath.Join(root, filepath.Base(path))
	}
	modules, err := manifests.NewModules(folders)
	if err != nil {
		t.Fatalf("NewModules: %v", err)
	}
	return modules
}

func TestWrite(t *testing.T) {
	t.Parallel()

	folder := filepath.Join(t.TempDir(), "knative")
	if err := manifests.Write(modules(t), folder); err != nil {
		t.Fatalf("Write: %v", err)
	}
	for _, name := range []string{manifests.Definitions, manifests.Objects} {
		got, path := read(t, filepath.Join(folder, name)), filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(read(t, path), got); diff != "" {
			t.Errorf("%s differs; when that is meant, run with -update (-want +got):\n%s", path, diff)
		}
	}
}

// A Knative that is not as expected must not go unnoticed.
func TestWriteFails(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		change func(m manifests.Modules) error
		want   string
	}{
		"ConfigurationGone": {
			func(m manifests.Modules) error {
				return os.Remove(filepath.Join(m.Networking, "config", "config-network.yaml"))
			},
			"config-network",
		},
		"FolderGone": {
			func(m manifests.Modules) error {
				return os.RemoveAll(filepath.Join(m.Eventing, "config", "brokers"))
			},
			"brokers",
		},
		"NotYAML": {
			func(m manifests.Modules) error {
				return os.WriteFile(filepath.Join(m.Caching, "config", "image.yaml"), []byte("a: b: c"), 0o600)
			},
			"image.yaml",
		},
		"NoObject": {
			func(m manifests.Modules) error {
				return os.WriteFile(filepath.Join(m.Caching, "config", "image.yaml"), []byte("kind: List\nitems: []"), 0o600)
			},
			"no object",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			modules := modules(t)
			if err := tc.change(modules); err != nil {
				t.Fatal(err)
			}
			err := manifests.Write(modules, t.TempDir())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Write: %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestNewModulesFails(t *testing.T) {
	t.Parallel()

	if _, err := manifests.NewModules(map[string]string{"knative.dev/serving": "/x"}); err == nil {
		t.Error("NewModules without eventing succeeded")
	}
}

func TestImageName(t *testing.T) {
	t.Parallel()

	tests := map[string]string{
		"knative.dev/serving/cmd/queue":                         "dev.local/serving-queue:1",
		"knative.dev/eventing/cmd/broker/filter":                "dev.local/eventing-broker-filter:1",
		"knative.dev/eventing/cmd/in_memory/channel_dispatcher": "dev.local/eventing-in-memory-channel-dispatcher:1",
	}
	for program, want := range tests {
		if got := manifests.ImageName(program); got != want {
			t.Errorf("ImageName(%s) = %s, want %s", program, got, want)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
