// Package openapi holds the description of the HTTP API: the one source of its
// documentation and of the generated client, and what tests hold the service
// to.
package openapi

import (
	_ "embed"
	"sync"

	"sigs.k8s.io/yaml"
)

// YAML is the OpenAPI 3.1 document as it is written.
//
//go:embed openapi.yaml
var YAML []byte

// JSON returns the document as JSON. Callers must not change it.
var JSON = sync.OnceValue(func() []byte {
	data, err := yaml.YAMLToJSON(YAML)
	if err != nil {
		panic(err) // the document is embedded above and tested
	}
	return data
})
