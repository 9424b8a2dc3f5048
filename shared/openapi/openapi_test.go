package openapi_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pods-service/pods/shared/openapi"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openapi.YAML)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocument(t *testing.T) {
	t.Parallel()
	doc := load(t)

	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if !doc.IsOpenAPI31OrLater() {
		t.Errorf("the document is of OpenAPI %s, want 3.1", doc.OpenAPI)
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Summary == "" || len(operation.Tags) != 1 || doc.Tags.Get(operation.Tags[0]) == nil {
				t.Errorf("%s %s lacks a summary or one of the document's tags", method, path)
			}
		}
	}
	fromJSON, err := openapi3.NewLoader().LoadFromData(openapi.JSON())
	if err != nil || fromJSON.Validate(t.Context()) != nil || fromJSON.Paths.Len() != doc.Paths.Len() {
		t.Errorf("the document as JSON is another: %v", err)
	}
}
