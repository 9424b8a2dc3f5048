package files

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/pods"
)

// unzip returns what is in a zip, folders with their slash.
func unzip(t testing.TB, data []byte) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, file := range archive.File {
		opened, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(opened)
		if err != nil {
			t.Fatal(err)
		}
		found[file.Name] = string(content)
	}
	return found
}

func TestZip(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.sample()
	f.put(volume, `x/..\..\evil`, "windows")
	for path, want := range map[string]map[string]string{
		"/":   {"a.txt": "content a", "x/": "", "x/y/": "", "x/y/z": "content z", "x/script": "#!", "x/same": "content a", "x/y/same": "content a", "empty/": "", "x/.._.._evil": "windows"},
		"x/y": {"z": "content z", "same": "content a"},
	} {
		var out bytes.Buffer
		f.must(f.Zip(t.Context(), volume, path, &out))
		got := unzip(t, out.Bytes())
		for name, content := range want {
			if found, there := got[name]; !there || found != content {
				t.Errorf("zip of %q: %q is %q, want %q", path, name, found, content)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("zip of %q has %v too", path, got)
		}
	}
}

func TestZipKeepsModesAndTimes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.sample()
	var out bytes.Buffer
	f.must(f.Zip(t.Context(), volume, "", &out))
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	f.must(err)
	script, err := archive.Open("x/script")
	f.must(err)
	info, err := script.Stat()
	if err != nil || info.Mode() != 0o755 || info.ModTime().Unix() != clock.Unix() {
		t.Errorf("the script has %v, %v, %v", info.Mode(), info.ModTime(), err)
	}
}

// What a zip may not take is refused before the first byte.
func TestZipRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		path    string
		options Options
		kind    pods.Kind
	}{
		"File":    {"a.txt", Options{}, pods.KindInvalid},
		"Missing": {"none", Options{}, pods.KindNotFound},
		"Up":      {"../vol2", Options{}, pods.KindInvalid},
		"Out":     {"x/out", Options{}, pods.KindInvalid},
		"Entries": {"", Options{ZipEntries: 7}, pods.KindTooLarge},
		"Bytes":   {"", Options{ZipBytes: 9*4 + 1}, pods.KindTooLarge},
		"Holes":   {"", Options{}, pods.KindTooLarge},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, tc.options)
			f.sample()
			if name == "Holes" {
				f.must(os.Truncate(f.at(volume, "a.txt"), 12<<40))
			}
			var out bytes.Buffer
			wantKind(t, "Zip", f.Zip(t.Context(), volume, tc.path, &out), tc.kind)
			if out.Len() > 0 {
				t.Errorf("%d bytes have been written", out.Len())
			}
		})
	}
	f := newFixture(t, Options{ZipEntries: 8, ZipBytes: 9*4 + 2})
	f.sample()
	if err := f.Zip(t.Context(), volume, "", io.Discard); err != nil {
		t.Errorf("what the bounds allow: %v", err)
	}
}

// A volume that grows while it is zipped does not get past the bounds.
func TestZipOfAGrowingFolder(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{ZipEntries: 3000, ZipBytes: 1 << 20})
	f.put(volume, "a", strings.Repeat("incompressible? no", 10))
	grow := writer(func(p []byte) (int, error) {
		f.put(volume, "b/large", strings.Repeat("x", 2<<20))
		f.must(os.Truncate(f.at(volume, "a"), 2<<20))
		return len(p), nil
	})
	z := zipper{bounds: zipBounds{entries: 10, bytes: 1 << 20}, out: zip.NewWriter(grow), buffer: make([]byte, 10)}
	in := open(t, f.at(volume, ""))
	err := walk(t.Context(), in, "", func(e entry) error {
		_, _ = grow(nil)
		return z.add(t.Context(), e)
	})
	wantKind(t, "zip", err, pods.KindTooLarge)
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestZipEndsWithItsReader(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.put(volume, "a", strings.Repeat("x", 1<<20))
	closed := errors.New("connection closed")
	err := f.Zip(t.Context(), volume, "", writer(func([]byte) (int, error) { return 0, closed }))
	if !errors.Is(err, closed) {
		t.Errorf("Zip: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Zip(ctx, volume, "", io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("Zip: %v", err)
	}
}
