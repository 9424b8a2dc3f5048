package command_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pods-service/pods/cluster/command"
	"github.com/pods-service/pods/cluster/images"
)

// run runs the command line and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := command.Root()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestImage(t *testing.T) {
	t.Parallel()

	folder := t.TempDir()
	program, target := filepath.Join(folder, "hello"), filepath.Join(folder, "hello.tar")
	if err := os.WriteFile(program, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "image", "dev.local/hello:1", target, "--entrypoint", "/hello", "--port", "5000", "--env", "A=b=c", program+"=/hello")
	if err != nil {
		t.Fatalf("image: %v", err)
	}
	if !strings.Contains(out, "built dev.local/hello:1") {
		t.Errorf("it said %q", out)
	}
	names, err := images.Names(target)
	if err != nil || len(names) != 1 || names[0] != "dev.local/hello:1" {
		t.Errorf("Names = %v, %v", names, err)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()

	folder := t.TempDir()
	own := []string{"--state", filepath.Join(folder, "state"), "--run", filepath.Join(folder, "run"), "--bin", folder}
	tests := map[string]struct {
		args []string
		want string
	}{
		"UnknownCommand":   {[]string{"fly"}, "unknown command"},
		"UnknownComponent": {[]string{"stop", "kube-cluster"}, "kube-scheduler"}, // names those there are
		"NoSuchImage":      {[]string{"load", "/no/such.tar"}, "not running"},
		"ImageWithoutFile": {[]string{"image", "dev.local/a:1", "a.tar"}, "at least 3"},
		"ImageFileForm":    {[]string{"image", "dev.local/a:1", "a.tar", "a", "--entrypoint", "/a"}, "FILE=DESTINATION"},
		"NoKubeconfig":     {[]string{"kubeconfig"}, "no cluster"},
		"KubectlNowhere":   {[]string{"kubectl", "get", "pods"}, "no cluster"},
		"NotBuilt":         {[]string{"check"}, "cluster build"},
		"KnativeNotBuilt":  {[]string{"up", "--knative"}, "cluster build --knative"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := run(t, append(own, tc.args...)...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want an error with %q", err, tc.want)
			}
		})
	}
}
