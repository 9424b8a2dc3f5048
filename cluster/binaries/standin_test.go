package binaries

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCopySources(t *testing.T) {
	t.Parallel()

	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	for _, name := range []string{"go.mod", "a/a.go", "a/a_test.go", "a/b/b.go", "providers/dns/dns.go", "providers/dns/x/x.go", "providers/http/http.go"} {
		path := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o400); err != nil { // as the go command leaves them
			t.Fatal(err)
		}
	}
	if err := copySources(from, to, "providers/dns"); err != nil {
		t.Fatalf("copySources: %v", err)
	}
	var got []string
	err := fs.WalkDir(os.DirFS(to), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			got = append(got, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a/a.go", "a/b/b.go", "go.mod", "providers/http/http.go"}, got); diff != "" {
		t.Errorf("copied files (-want +got):\n%s", diff)
	}
}
