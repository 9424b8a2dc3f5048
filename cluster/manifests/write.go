// Package manifests assembles the Kubernetes objects of Knative, for a cluster of
// one machine, from the folders config of Knative's own modules.
package manifests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// The files that Write makes, in the order in which they have to be applied.
const (
	Definitions = "definitions.yaml" // namespaces and kinds
	Objects     = "objects.yaml"     // all else
)

// Modules are the folders of Knative's modules.
type Modules struct {
	Serving, Eventing, Networking, Caching string
}

// Paths are the paths of the modules that Write takes the manifests from.
func Paths() []string {
	return []string{"knative.dev/serving", "knative.dev/eventing", "knative.dev/networking", "knative.dev/caching"}
}

// NewModules returns the modules in folders, which go by the paths of modules.
func NewModules(folders map[string]string) (Modules, error) {
	for _, path := range Paths() {
		if folders[path] == "" {
			return Modules{}, fmt.Errorf("the folder of module %s is not known", path)
		}
	}
	return Modules{
		Serving: folders["knative.dev/serving"], Eventing: folders["knative.dev/eventing"],
		Networking: folders["knative.dev/networking"], Caching: folders["knative.dev/caching"],
	}, nil
}

// Write writes the manifests into the folder, which it makes. The same modules
// give the same files.
func Write(modules Modules, folder string) error {
	files, err := modules.files()
	if err != nil {
		return err
	}
	objects, err := readAll(files)
	if err != nil {
		return err
	}
	if objects, err = settle(objects); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // no secret
		return fmt.Errorf("make the folder for manifests: %w", err)
	}
	definitions, rest := arrange(objects)
	for name, list := range map[string][]object{Definitions: definitions, Objects: rest} {
		content, err := marshal(list)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil { //nolint:gosec // no secret
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

func marshal(objects []object) ([]byte, error) {
	var content bytes.Buffer
	for _, object := range objects {
		document, err := yaml.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", object, err)
		}
		content.WriteString("---\n")
		content.Write(document)
	}
	return content.Bytes(), nil
}
