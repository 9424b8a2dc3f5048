package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

var volume = Object{Tenant: "dev", Kind: Volumes, ID: "vol1"}

// clock is a time that stands still.
var clock = time.Date(2030, time.March, 4, 5, 6, 7, 8, time.UTC)

// fixture is a store with one empty volume.
type fixture struct {
	*Store
	t    testing.TB
	base string
}

func newFixture(t testing.TB, options Options) fixture {
	t.Helper()
	return newFixtureIn(t, t.TempDir(), options)
}

func newFixtureIn(t testing.TB, base string, options Options) fixture {
	t.Helper()
	if options.Now == nil {
		options.Now = func() time.Time { return clock }
	}
	store, err := Open(base, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f := fixture{store, t, base}
	f.must(store.Create(t.Context(), volume))
	return f
}

func (f fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// at returns where a container sees the path of the object.
func (f fixture) at(o Object, path string) string {
	return filepath.Join(f.base, o.Tenant, string(o.Kind), o.ID, path)
}

// put writes as a container does, past the store.
func (f fixture) put(o Object, path, content string) {
	f.t.Helper()
	full := f.at(o, path)
	f.must(os.MkdirAll(filepath.Dir(full), 0o777))
	f.must(os.WriteFile(full, []byte(content), 0o644))
}

// content reads as a container does; "" for what is not there.
func (f fixture) content(o Object, path string) string {
	f.t.Helper()
	data, err := os.ReadFile(f.at(o, path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		f.t.Fatal(err)
	}
	return string(data)
}

func (f fixture) write(o Object, path, content string) {
	f.t.Helper()
	n, err := f.Write(f.t.Context(), o, path, strings.NewReader(content), -1)
	if err != nil || n != int64(len(content)) {
		f.t.Fatalf("Write(%q) = %d, %v", path, n, err)
	}
}

func (f fixture) read(o Object, path string) (string, error) {
	f.t.Helper()
	file, _, err := f.Read(f.t.Context(), o, path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(file)
	f.must(err)
	return string(data), nil
}

// list returns what List does, by path.
func (f fixture) list(o Object, path string, recursive bool) (map[string]File, error) {
	f.t.Helper()
	found := map[string]File{}
	err := f.List(f.t.Context(), o, path, recursive, func(file File) error {
		if _, twice := found[file.Path]; twice {
			f.t.Errorf("%q is listed twice", file.Path)
		}
		found[file.Path] = file
		return nil
	})
	return found, err
}

// wantClean fails if anything is staged or being deleted.
func (f fixture) wantClean() {
	f.t.Helper()
	for _, folder := range []string{stagingFolder, doomedFolder} {
		left, err := filepath.Glob(filepath.Join(f.base, "*", folder, "*"))
		if err != nil || len(left) > 0 {
			f.t.Errorf("%v is left (%v)", left, err)
		}
	}
}

func wantKind(t testing.TB, what string, err error, want pods.Kind) {
	t.Helper()
	if got := pods.KindOf(err); got != want {
		t.Errorf("%s: kind %q (%v), want %q", what, got, err, want)
	}
}
