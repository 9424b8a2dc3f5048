package components_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/cluster/components"
)

var update = flag.Bool("update", false, "write the golden files")

// layout returns a layout in a new folder.
func layout(t *testing.T) components.Layout {
	t.Helper()
	root := t.TempDir()
	l := components.Layout{State: filepath.Join(root, "state"), Run: filepath.Join(root, "run"), Bin: "/opt/bin"}
	for _, folder := range l.Folders() {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// The whole configuration of a cluster in fixed folders, file by file.
func TestWriteConfig(t *testing.T) {
	t.Parallel()

	l := layout(t)
	config := components.Config{
		PluginFolder: "/usr/lib/cni", ResolvConf: "/etc/resolv.conf", DNSServers: []string{"192.0.2.53", "2001:db8::53"},
	}
	if err := l.WriteConfig(config); err != nil {
		t.Fatalf("WriteConfig: %v", err)
	}
	if err := l.WriteTraefik(); err != nil {
		t.Fatalf("WriteTraefik: %v", err)
	}
	fixed := strings.NewReplacer(l.State, "/var/lib/pods-cluster", l.Run, "/run/pods-cluster",
		`"/`+l.Cgroup(), `"/pods-cluster`, "/"+l.Cgroup()+"\n", "/pods-cluster\n")
	for name, path := range map[string]string{
		"containerd.toml": "config/containerd.toml",
		"kubelet.yaml":    "config/kubelet.yaml",
		"kube-proxy.yaml": "config/kube-proxy.yaml",
		"coredns.yaml":    "config/coredns.yaml",
		"traefik.yaml":    "config/traefik.yaml",
		"cni.conflist":    "cni/10-pods.conflist",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			golden(t, name, fixed.Replace(read(t, filepath.Join(l.State, path))))
		})
	}
	if !json.Valid([]byte(read(t, filepath.Join(l.State, "cni/10-pods.conflist")))) {
		t.Error("the network configuration is not JSON")
	}
}

// Without servers to ask, a name outside the cluster must fail at once.
func TestWriteConfigWithoutDNS(t *testing.T) {
	t.Parallel()

	l := layout(t)
	if err := l.WriteConfig(components.Config{}); err != nil {
		t.Fatalf("WriteConfig: %v", err)
	}
	if content := read(t, l.CoreDNSManifest()); strings.Contains(content, "forward") {
		t.Errorf("CoreDNS forwards to nobody:\n%s", content)
	}
}

func TestDNSServers(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		content string
		want    []string
	}{
		"Two":      {"nameserver 192.0.2.1\nsearch example.org\nnameserver 2001:db8::1\n", []string{"192.0.2.1", "2001:db8::1"}},
		"Loopback": {"nameserver 127.0.0.53\nnameserver ::1\n", nil},
		"Comment":  {"# nameserver 192.0.2.1\n;nameserver 192.0.2.2\n", nil},
		"Damaged":  {"nameserver\nnameserver localhost\n", nil},
		"Empty":    {"", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if diff := cmp.Diff(tc.want, components.DNSServers(tc.content)); diff != "" {
				t.Errorf("DNSServers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()

	l := components.Layout{State: "/var/lib/pods-cluster", Run: "/run/pods-cluster", Bin: "/opt/bin"}
	var all strings.Builder
	for _, name := range components.Names() {
		command := l.Command(name, "/usr/bin/containerd", "/usr/bin")
		all.WriteString(command.Path + "\n  " + strings.Join(command.Args, "\n  ") + "\n")
		if want := "/var/lib/pods-cluster/logs/" + name + ".log"; command.Log != want {
			t.Errorf("%s logs to %s, want %s", name, command.Log, want)
		}
	}
	golden(t, "commands.txt", all.String())
}

// All in the group is killed on the way down, so no folder's name may lead to
// a group of someone else.
func TestCgroup(t *testing.T) {
	t.Parallel()

	tests := map[string]string{
		"/run/pods-cluster":     "pods-cluster",
		"/tmp/x/system.slice":   "pods-cluster-system.slice",
		"/tmp/pods-cluster/two": "pods-cluster-two",
	}
	for run, want := range tests {
		if got := (components.Layout{Run: run}).Cgroup(); got != want {
			t.Errorf("Cgroup for %s = %s, want %s", run, got, want)
		}
	}
}

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, path), got); diff != "" {
		t.Errorf("%s differs; when that is meant, run with -update (-want +got):\n%s", path, diff)
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
