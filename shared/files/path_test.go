package files

import (
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/pods"
)

func TestCleanPath(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("a/", MaxDepth-1) + "a"
	tests := map[string]struct {
		path, want string
		invalid    string // part of the message
	}{
		"Root":           {"", "", ""},
		"Slash":          {"/", "", ""},
		"Dot":            {".", "", ""},
		"BackToTheRoot":  {"a/..", "", ""},
		"File":           {"a.txt", "a.txt", ""},
		"Absolute":       {"/etc/passwd", "etc/passwd", ""},
		"ManySlashes":    {"//a///b//", "a/b", ""},
		"UpInside":       {"a/../b", "b", ""},
		"Dots":           {"./a/./b/.", "a/b", ""},
		"ThreeDots":      {"...", "...", ""},
		"HiddenFile":     {".staging/x", ".staging/x", ""},
		"Encoded":        {"%2e%2e/x", "%2e%2e/x", ""},
		"Backslashes":    {`..\..\x`, `..\..\x`, ""},
		"Deep":           {deep, deep, ""},
		"LongName":       {strings.Repeat("n", maxName), strings.Repeat("n", maxName), ""},
		"Parent":         {"..", "", "cannot contain '..'"},
		"AbsoluteParent": {"/../x", "", "cannot contain '..'"},
		"Sibling":        {"../vol10/x", "", "cannot contain '..'"},
		"UpTooFar":       {"a/../../b", "", "cannot contain '..'"},
		"Nul":            {"a\x00b", "", "NUL"},
		"TooDeep":        {deep + "/a", "", "deeper"},
		"TooLongName":    {strings.Repeat("n", maxName+1), "", "longer"},
		"TooLong":        {strings.Repeat("ab/", 1400), "", "longer"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := CleanPath(tc.path)
			if tc.invalid == "" && (err != nil || got != tc.want) {
				t.Errorf("CleanPath(%q) = %q, %v, want %q", tc.path, got, err, tc.want)
			}
			if tc.invalid != "" && (pods.KindOf(err) != pods.KindInvalid || !strings.Contains(err.Error(), tc.invalid)) {
				t.Errorf("CleanPath(%q) = %q, %v, want an error about %q", tc.path, got, err, tc.invalid)
			}
		})
	}
}

func TestRootIsNoFilePath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/", ".", "a/.."} {
		_, err := CleanFilePath(path)
		if pods.KindOf(err) != pods.KindInvalid || !strings.Contains(err.Error(), "Requesting no path or / path is not allowed") {
			t.Errorf("CleanFilePath(%q): %v", path, err)
		}
	}
}

func TestObjectNames(t *testing.T) {
	t.Parallel()
	if got := volume.SubPath(); got != "dev/volumes/vol1" {
		t.Errorf("SubPath() = %q", got)
	}
	tests := map[string]Object{
		"NoTenant":       {"", Volumes, "vol1"},
		"TenantUp":       {"..", Volumes, "vol1"},
		"TenantSlash":    {"dev/volumes", Volumes, "vol1"},
		"TenantHidden":   {".staging", Volumes, "vol1"},
		"KindUnknown":    {"dev", "files", "vol1"},
		"KindStaging":    {"dev", stagingFolder, "vol1"},
		"KindUp":         {"dev", "..", "vol1"},
		"NoID":           {"dev", Volumes, ""},
		"IDUp":           {"dev", Volumes, ".."},
		"IDSlash":        {"dev", Volumes, "vol1/a"},
		"IDUpperCase":    {"dev", Volumes, "Vol1"},
		"IDWithDot":      {"dev", Volumes, "vol.1"},
		"IDWithNul":      {"dev", Volumes, "vol\x001"},
		"IDWithNewline":  {"dev", Volumes, "vol1\n"},
		"IDTooLong":      {"dev", Volumes, strings.Repeat("v", 129)},
		"IDStartsHyphen": {"dev", Volumes, "-rf"},
	}
	f := newFixture(t, Options{})
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantKind(t, "Validate", o.Validate(), pods.KindInvalid)
			wantKind(t, "Create", f.Create(t.Context(), o), pods.KindInvalid)
			wantKind(t, "Remove", f.Remove(t.Context(), o), pods.KindInvalid)
			_, err := f.Stat(t.Context(), o, "")
			wantKind(t, "Stat", err, pods.KindInvalid)
			_, err = f.Copy(t.Context(), volume, "", o, "", CopyMode{})
			wantKind(t, "Copy", err, pods.KindInvalid)
		})
	}
}
