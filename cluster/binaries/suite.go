package binaries

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/images"
	"github.com/pods-service/pods/cluster/manifests"
)

// Versions of what Knative and its ingress are built from, as their go.mod
// files name them.
const (
	KnativeVersion = "v0.50.0"
	TraefikVersion = "v3.6.7"
)

// Suite is programs of other modules: the tools that a go.mod names. Each
// becomes an image, and all images are in one file.
type Suite struct {
	Name    string                      // of its folder, and of the file of images
	Version map[string]string           // variables that hold its version, by their full names
	Image   func(program string) string // the name of a program's image, by its package
	StandIn *StandIn                    // nil to build the modules as they are
}

// Suites returns what BuildKnative builds.
func Suites() []Suite {
	return []Suite{
		{Name: "knative", Image: manifests.ImageName},
		{
			Name:    "traefik",
			Version: map[string]string{"github.com/traefik/traefik/v3/pkg/version.Version": TraefikVersion},
			Image:   func(string) string { return components.TraefikImage },
			// A third of Traefik's packages know the interfaces of DNS providers.
			StandIn: &StandIn{Module: "github.com/go-acme/lego/v4", Package: "providers/dns", Source: "dns"},
		},
	}
}

// spec describes the image of a program that is in file.
func (s Suite) spec(program, file string) images.Spec {
	entrypoint := "/" + path.Base(program)
	return images.Spec{
		Name: s.Image(program), Entrypoint: []string{entrypoint}, User: "65532",
		Files: []images.File{{Source: file, Destination: entrypoint}},
	}
}

// build builds the programs and their images, unless they are as new as the
// go.mod of the suite. Only the images are kept.
func (s Suite) build(ctx context.Context, source, out string, progress io.Writer) error {
	programs, err := tools(ctx, source)
	if err != nil {
		return err
	}
	options := []any{linkerFlags(s.Version)}
	if s.StandIn != nil {
		options = append(options, *s.StandIn)
	}
	for _, program := range programs {
		options = append(options, s.spec(program, ""))
	}
	sum, err := sum(ctx, source, options...)
	if err != nil {
		return err
	}
	target, report := filepath.Join(out, s.Name+".tar"), reporter{progress, s.Name}
	if current(target, sum, []string{target}) {
		report.say("up to date")
		return nil
	}
	// Beside the target: the folder for temporary files may be small.
	folder, err := os.MkdirTemp(out, "."+s.Name+"-")
	if err != nil {
		return fmt.Errorf("make a folder for programs: %w", err)
	}
	err = s.buildIn(ctx, folder, source, target, programs, report)
	if err := errors.Join(err, os.RemoveAll(folder)); err != nil {
		return err
	}
	return stamp(target, sum)
}

// buildIn builds the programs in the empty folder, and their images.
func (s Suite) buildIn(ctx context.Context, folder, source, target string, programs []string, report reporter) error {
	var flags []string
	if s.StandIn != nil {
		versions, err := s.StandIn.prepare(ctx, source, folder)
		if err != nil {
			return err
		}
		flags = []string{"-modfile=" + versions}
	}
	var specs []images.Spec
	for i, batch := range batches(programs) {
		part := filepath.Join(folder, strconv.Itoa(i)) + "/"
		wanted := compilation{source: source, flags: flags, linkerFlags: linkerFlags(s.Version), target: part, programs: batch}
		if err := wanted.run(ctx, report); err != nil {
			return err
		}
		for _, program := range batch {
			specs = append(specs, s.spec(program, part+path.Base(program)))
		}
	}
	report.say("writing the images")
	return images.WriteAll(specs, target)
}

// batches splits programs so that no two of a batch have the same name, since
// go build writes those of one call into one folder.
func batches(programs []string) [][]string {
	var all [][]string
next:
	for _, program := range programs {
		for i, batch := range all {
			if !slices.ContainsFunc(batch, func(other string) bool { return path.Base(other) == path.Base(program) }) {
				all[i] = append(batch, program)
				continue next
			}
		}
		all = append(all, []string{program})
	}
	return all
}

// tools returns the packages that the go.mod in source names as tools, without
// downloading anything.
func tools(ctx context.Context, source string) ([]string, error) {
	output, err := goCommand(ctx, source, "mod", "edit", "-json").Output()
	if err != nil {
		return nil, fmt.Errorf("read the go.mod in %s: %w", source, err)
	}
	var module struct{ Tool []struct{ Path string } }
	if err := json.Unmarshal(output, &module); err != nil {
		return nil, fmt.Errorf("read the go.mod in %s: %w", source, err)
	}
	var programs []string
	for _, tool := range module.Tool {
		programs = append(programs, tool.Path)
	}
	return programs, nil
}
