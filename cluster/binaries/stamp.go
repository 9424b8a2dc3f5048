package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sum returns a hash of all that decides what a built program is: its sources,
// the versions and sums of its modules, the compiler and the options of the
// build.
func sum(ctx context.Context, source string, options ...any) (string, error) {
	version, err := goCommand(ctx, source, "env", "GOVERSION", "GOOS", "GOARCH").Output()
	if err != nil {
		return "", fmt.Errorf("ask go for its version (is Go installed?): %w", err)
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%+v\n", version, options)
	err = filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if filepath.Ext(path) != ".go" && !slices.Contains([]string{"go.mod", "go.sum"}, entry.Name()) {
			return nil
		}
		fmt.Fprintf(hash, "%s\n", entry.Name())
		return addFile(hash, path)
	})
	if err != nil {
		return "", fmt.Errorf("read the sources in %s: %w", source, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func addFile(hash io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(hash, file)
	return err
}

// stampPath is the file beside a program that says what it was built from.
func stampPath(target string) string {
	return filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".sum")
}

// current reports whether target was built from what sum stands for, and
// everything that was made then is there.
func current(target, sum string, made []string) bool {
	for _, file := range made {
		if _, err := os.Stat(file); err != nil {
			return false
		}
	}
	stamped, err := os.ReadFile(stampPath(target))
	return err == nil && strings.TrimSpace(string(stamped)) == sum
}

func stamp(target, sum string) error {
	if err := os.WriteFile(stampPath(target), []byte(sum+"\n"), 0o644); err != nil { //nolint:gosec // no secret
		return fmt.Errorf("stamp %s: %w", target, err)
	}
	return nil
}
