package binaries

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// StandIn is a package to build with in the place of another module's package
// and of all that is below that one.
type StandIn struct {
	Module  string // path of the other module
	Package string // folder in it
	Source  string // folder of the package in its place, among the suite's sources
}

// prepare makes a copy of the other module below folder, with the package in
// its place, and returns the path of a go.mod that is the one in source but for
// that. The go command allows no change to what it has downloaded.
func (s StandIn) prepare(ctx context.Context, source, folder string) (string, error) {
	folders, err := download(ctx, source, []string{s.Module})
	if err != nil {
		return "", err
	}
	module := filepath.Join(folder, "module")
	if err := copySources(folders[s.Module], module, s.Package); err != nil {
		return "", fmt.Errorf("copy %s: %w", s.Module, err)
	}
	if err := copySources(filepath.Join(source, s.Source), filepath.Join(module, s.Package), ""); err != nil {
		return "", fmt.Errorf("put %s in its place: %w", s.Source, err)
	}
	versions, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return "", err
	}
	sums, err := os.ReadFile(filepath.Join(source, "go.sum"))
	if err != nil {
		return "", err
	}
	target := filepath.Join(folder, "go.mod")
	versions = fmt.Appendf(versions, "\nreplace %s => %s\n", s.Module, module)
	return target, errors.Join(
		os.WriteFile(target, versions, 0o600),
		os.WriteFile(filepath.Join(folder, "go.sum"), sums, 0o600),
	)
}

// copySources copies what the go command reads of a module, but not what is in
// the folder left.
func copySources(from, to, left string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if left != "" && name == filepath.FromSlash(left) {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), content, 0o600)
	})
}
