package binaries

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/manifests"
)

// BuildKnative builds Knative and its ingress from the folders below source into
// the folder out: files of images, and the manifests out of Knative's modules. It
// prints what it does to progress. The first time it takes many minutes.
func BuildKnative(ctx context.Context, source, out string, progress io.Writer) error {
	out, err := makeFolder(out)
	if err != nil {
		return err
	}
	for _, suite := range Suites() {
		if err := suite.build(ctx, filepath.Join(source, suite.Name), out, progress); err != nil {
			return fmt.Errorf("build %s: %w", suite.Name, err)
		}
	}
	// These take no time, so they are never out of date.
	folders, err := download(ctx, filepath.Join(source, "knative"), manifests.Paths())
	if err != nil {
		return err
	}
	modules, err := manifests.NewModules(folders)
	if err != nil {
		return err
	}
	return manifests.Write(modules, components.Layout{Bin: out}.KnativeManifests())
}

// download returns the folders of modules that the go.mod in source names, by
// their paths. It downloads those that are not there.
func download(ctx context.Context, source string, paths []string) (map[string]string, error) {
	output, err := goCommand(ctx, source, append([]string{"mod", "download", "-json"}, paths...)...).Output()
	folders, problems := map[string]string{}, []error{err}
	decoder := json.NewDecoder(bytes.NewReader(output))
	for decoder.More() {
		var module struct{ Path, Dir, Error string }
		if err := decoder.Decode(&module); err != nil {
			return nil, fmt.Errorf("read where go has Knative's modules: %w", err)
		}
		if module.Error != "" {
			problems = append(problems, errors.New(module.Error))
		}
		folders[module.Path] = module.Dir
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("download the modules with Knative's manifests: %w", err)
	}
	return folders, nil
}
