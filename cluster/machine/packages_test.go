package machine

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindIn(t *testing.T) {
	t.Parallel()

	first, second := t.TempDir(), t.TempDir()
	write(t, filepath.Join(first, "runc"), "not executable")
	if err := os.Mkdir(filepath.Join(first, "ctr"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"runc", "ctr"} {
		if err := os.WriteFile(filepath.Join(second, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	folders := []string{first, second}
	for _, name := range []string{"runc", "ctr"} {
		if got, want := findIn(folders, name), filepath.Join(second, name); got != want {
			t.Errorf("findIn(%s) = %q, want %q", name, got, want)
		}
	}
	if got := findIn(folders, "absent"); got != "" {
		t.Errorf("findIn(absent) = %q", got)
	}
}

func TestLastLines(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		text  string
		count int
		want  string
	}{
		"Fewer": {"a\nb\n", 5, "a\nb"},
		"More":  {"a\nb\nc\n", 2, "b\nc"},
		"Empty": {"", 3, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := lastLines(tc.text, tc.count); got != tc.want {
				t.Errorf("lastLines = %q, want %q", got, tc.want)
			}
		})
	}
}
