// Package assets holds the files of the repository that programs carry with
// them: the templates the service ships, and the Triggers by which events are
// delivered, which the single-process run reads as the Knative deployment does.
package assets

import (
	"embed"
	"io/fs"
)

//go:embed templates/*.yaml
var templateFiles embed.FS

// Triggers is the YAML of the Knative Triggers.
//
//go:embed config/knative/base/triggers.yaml
var Triggers []byte

// Templates holds one YAML file for each template.
func Templates() fs.FS {
	sub, err := fs.Sub(templateFiles, "templates")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}
