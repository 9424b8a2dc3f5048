// Package binaries builds the programs of the cluster from their sources, with
// progress, and skips what has not changed since.
package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/images"
)

// KubernetesVersion is the release that kube/go.mod names.
const KubernetesVersion = "v1.35.4"

// Program is one program of the cluster, a Go module of its own.
type Program struct {
	Name    string            // of its folder, and of the file it becomes
	Version map[string]string // variables that hold its version, by their full names
	Image   *images.Spec      // the image it is put into, if any
}

// Programs returns what Build builds.
func Programs() []Program {
	version := "k8s.io/component-base/version."
	major, minor, _ := strings.Cut(strings.TrimPrefix(KubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	return []Program{
		{Name: "pause", Image: &images.Spec{Name: components.PauseImage, Entrypoint: []string{"/pause"}, User: "65535"}},
		{Name: "coredns", Image: &images.Spec{Name: components.CoreDNSImage, Entrypoint: []string{"/coredns"}, User: "65532"}},
		{Name: "kube", Version: map[string]string{
			version + "gitVersion": KubernetesVersion, version + "gitMajor": major, version + "gitMinor": minor,
		}},
	}
}

// Build builds every program from the folders below source into the folder out
// and prints what it does to progress. The first time it takes minutes and a
// few gigabytes of memory.
func Build(ctx context.Context, source, out string, progress io.Writer) error {
	out, err := makeFolder(out)
	if err != nil {
		return err
	}
	for _, program := range Programs() {
		if err := program.build(ctx, filepath.Join(source, program.Name), out, progress); err != nil {
			return fmt.Errorf("build %s: %w", program.Name, err)
		}
	}
	return nil
}

// makeFolder makes the folder for programs and returns its absolute path: go
// runs in another folder.
func makeFolder(out string) (string, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return "", fmt.Errorf("find the folder for programs: %w", err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil { //nolint:gosec // programs for everyone
		return "", fmt.Errorf("make the folder for programs: %w", err)
	}
	return out, nil
}

// build builds one program and its image, unless they are as new as its source.
func (p Program) build(ctx context.Context, source, out string, progress io.Writer) error {
	target := filepath.Join(out, p.Name)
	made, options := []string{target}, []any{linkerFlags(p.Version)}
	if p.Image != nil {
		made, options = append(made, target+".tar"), append(options, *p.Image)
	}
	sum, err := sum(ctx, source, options...)
	if err != nil {
		return err
	}
	if current(target, sum, made) {
		fmt.Fprintf(progress, "%-8s up to date\n", p.Name)
		return nil
	}
	wanted := compilation{source: source, linkerFlags: linkerFlags(p.Version), target: target, programs: []string{"."}}
	if err := wanted.run(ctx, reporter{progress, p.Name}); err != nil {
		return err
	}
	if p.Image != nil {
		image := *p.Image
		image.Files = []images.File{{Source: target, Destination: image.Entrypoint[0]}}
		if err := images.Write(image, target+".tar"); err != nil {
			return err
		}
	}
	return stamp(target, sum)
}

// linkerFlags leave out what only a debugger needs, and set variables that hold
// a version. The same version gives the same flags.
func linkerFlags(version map[string]string) string {
	flags := "-s -w"
	for _, name := range slices.Sorted(maps.Keys(version)) {
		flags += " -X " + name + "=" + version[name]
	}
	return flags
}

// environment is that of every go command here. The modules are not part of
// any workspace: each is built with the versions it names.
func environment() []string {
	return append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
}

// FindSource returns the folder that holds the programs' sources: the nearest
// folder cluster at or above the current one or the running program.
func FindSource() (string, error) {
	var starts []string
	if current, err := os.Getwd(); err == nil {
		starts = append(starts, current)
	}
	if executable, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(executable))
	}
	for _, start := range starts {
		for folder := start; ; folder = filepath.Dir(folder) {
			for _, candidate := range []string{folder, filepath.Join(folder, "cluster")} {
				if _, err := os.Stat(filepath.Join(candidate, "kube", "go.mod")); err == nil {
					return candidate, nil
				}
			}
			if folder == filepath.Dir(folder) {
				break
			}
		}
	}
	return "", errors.New("cannot find the sources of the cluster: say where with --source")
}

// goCommand returns the command that runs go with the arguments in folder.
func goCommand(ctx context.Context, folder string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = folder
	command.Env = environment()
	return command
}
