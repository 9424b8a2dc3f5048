package manifests

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"sigs.k8s.io/yaml"
)

// left names the files that describe what the local cluster does without.
var left = []string{
	"300-knativecertificate.yaml", // certificates for traffic inside the cluster, which is not encrypted
	"job-sink.yaml",               // sinks that nobody here uses ...
	"request-reply.yaml",          // ... each a program of its own
}

// files returns the manifests in the modules that make up Knative. Their
// archives lack the symbolic links that lead from serving to the other modules,
// so each gives what is its own.
func (m Modules) files() ([]string, error) {
	var files []string
	for _, folder := range []string{
		filepath.Join(m.Networking, "config"),
		filepath.Join(m.Caching, "config"),
		filepath.Join(m.Serving, "config", "core"),
		filepath.Join(m.Eventing, "config", "core"),
		filepath.Join(m.Eventing, "config", "channels", "in-memory-channel"),
		filepath.Join(m.Eventing, "config", "brokers", "mt-channel-broker"),
		filepath.Join(m.Eventing, "third_party", "eventing-integrations-latest"), // names of images, without which the controller does not start
	} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".yaml" && !slices.Contains(left, entry.Name()) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("find Knative's manifests: %w", err)
		}
	}
	return files, nil
}

func readAll(files []string) ([]object, error) {
	var objects []object
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read Knative's manifests: %w", err)
		}
		found, err := parse(withImages(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

// parse returns the objects in a file of several documents.
func parse(content []byte) ([]object, error) {
	var objects []object
	for _, document := range separator.Split(string(content), -1) {
		var parsed object
		if err := yaml.Unmarshal([]byte(document), &parsed); err != nil {
			return nil, err
		}
		if parsed == nil {
			continue // nothing but comments
		}
		if parsed.kind() == "" || parsed.name() == "" {
			return nil, fmt.Errorf("a document is no object: %.60q", document)
		}
		objects = append(objects, parsed)
	}
	return objects, nil
}
