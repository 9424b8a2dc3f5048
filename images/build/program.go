package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

// program is a program that gets an image of its own.
type program struct {
	pkg   string   // below the root of the repository; its last part names the program
	ports []string // it listens on
}

var programs = []program{
	{"functions/api", []string{"8080"}},
	{"functions/spawner", []string{"8080"}},
	{"functions/health", []string{"8080"}},
	{"functions/logs", []string{"8080"}},
	{"gateway", []string{"8081", "8443"}},
	{"cmd/podsd", nil},
}

func (p program) name() string { return path.Base(p.pkg) }

// apiProfile is where the API spends its time under the load of the benchmark
// B4, taken with bench --only B4 --profile. The compiler makes what is hot there
// faster; a profile that has become old does no harm, it helps less.
const apiProfile = "images/build/api.pgo"

// compile builds all programs into the folder out. Nothing of the machine or the
// moment gets into them: the same sources, compiler and version give the same
// bytes.
func compile(ctx context.Context, out, version string) error {
	if err := os.MkdirAll(out, 0o750); err != nil {
		return err
	}
	args := []string{
		"build", "-trimpath", "-pgo=" + apiProfile, "-gcflags=all=-dwarf=false", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version=" + version,
		"-o", out + string(filepath.Separator),
	}
	for _, p := range programs {
		args = append(args, "./"+p.pkg)
	}
	command := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the list above
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("build the programs: %w", err)
	}
	return nil
}

// fingerprint returns the SHA-256 of a file, shortened to 12 digits: enough to
// tell the builds of one program apart.
func fingerprint(file string) (string, error) {
	content, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer content.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}
