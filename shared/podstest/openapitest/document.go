package openapitest

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/pods-service/pods/shared/openapi"
)

// document is the OpenAPI document made ready to check answers.
type document []operation // those with fewer parameters first

// operation is one operation with the answers that it may give.
type operation struct {
	id      string
	method  string
	path    *regexp.Regexp
	answers map[string]media // by the HTTP status, or "default"
}

// media is what an answer may hold, by its media type; nil is anything.
type media map[string]*jsonschema.Schema

// load reads the document once: compiling its schemas takes a while.
var load = sync.OnceValues(func() (document, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapi.YAML)
	if err != nil {
		return nil, err
	}
	closeObjects(doc)
	schemas, err := newSchemas(doc)
	if err != nil {
		return nil, err
	}
	var ready document
	for _, path := range doc.Paths.InMatchingOrder() {
		for method, described := range doc.Paths.Value(path).Operations() {
			answers := map[string]media{}
			for status, answer := range described.Responses.Map() {
				at := answer.Ref
				if at == "" {
					at = "#" + pointer("paths", path, strings.ToLower(method), "responses", status)
				}
				if answers[status], err = schemas.of(at, answer.Value.Content); err != nil {
					return nil, err
				}
			}
			ready = append(ready, operation{described.OperationID, method, pattern(path), answers})
		}
	}
	return ready, nil
})

// closeObjects has the document allow the fields alone that it describes. In
// itself it is open, since answers may grow. What others are put together from
// stays open, so that these can be closed.
func closeObjects(doc *openapi3.T) {
	isPart := map[*openapi3.Schema]bool{}
	for _, ref := range doc.Components.Schemas {
		for _, part := range ref.Value.AllOf {
			isPart[part.Value] = true
		}
	}
	for _, ref := range doc.Components.Schemas {
		schema, no := ref.Value, openapi3.BoolSchema{Has: new(false)}
		switch {
		case isPart[schema]:
		case len(schema.AllOf) > 0:
			schema.UnevaluatedProperties = no
		case len(schema.Properties) > 0:
			schema.AdditionalProperties = no
		}
	}
}

// schemas compiles those of a document.
type schemas struct{ compiler *jsonschema.Compiler }

const resource = "openapi.json"

func newSchemas(doc *openapi3.T) (schemas, error) {
	data, err := doc.MarshalJSON()
	if err != nil {
		return schemas{}, err
	}
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return schemas{}, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.RegisterFormat(&jsonschema.Format{Name: "date-time", Validate: checkTime})
	compiler.AssertFormat()
	return schemas{compiler}, compiler.AddResource(resource, raw)
}

var timePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$`)

// checkTime holds a time to what the document says of times: they carry no
// offset.
func checkTime(value any) error {
	if text, ok := value.(string); ok && !timePattern.MatchString(text) {
		return fmt.Errorf("%q is not a time of the API", text)
	}
	return nil
}

// of compiles the schemas of the answer that is at a pointer of the document. What
// is not JSON may be anything.
func (s schemas) of(at string, content openapi3.Content) (media, error) {
	compiled := media{}
	for mediaType, described := range content {
		if described.Schema == nil || mediaType != "application/json" {
			compiled[mediaType] = nil
			continue
		}
		schema, err := s.compiler.Compile(resource + at + pointer("content", mediaType, "schema"))
		if err != nil {
			return nil, err
		}
		compiled[mediaType] = schema
	}
	return compiled, nil
}

// pointer returns a JSON pointer as part of a URL.
func pointer(tokens ...string) string {
	text := ""
	for _, token := range tokens {
		text += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
	}
	return text
}

var (
	parameter = regexp.MustCompile(`\\\{[^}]*\\\}`)
	// slashed are the parameters that may hold slashes.
	slashed = regexp.MustCompile(`\\\{(image_id|path)\\\}`)
)

// pattern returns what the paths of a template look like, with or without the
// version. An image's name and a path may hold slashes.
func pattern(template string) *regexp.Regexp {
	text := slashed.ReplaceAllString(regexp.QuoteMeta(template), ".+")
	return regexp.MustCompile("^(?:/v3)?" + parameter.ReplaceAllString(text, "[^/]+") + "$")
}

// find returns the operation that a request is for.
func (d document) find(method, path string) (operation, bool) {
	for _, operation := range d {
		if operation.method == method && operation.path.MatchString(path) {
			return operation, true
		}
	}
	return operation{}, false
}

func (o operation) check(answer *httptest.ResponseRecorder) error {
	described, found := o.answers[strconv.Itoa(answer.Code)]
	if !found {
		if described, found = o.answers["default"]; !found {
			return fmt.Errorf("the status %d", answer.Code)
		}
	}
	if len(described) == 0 && answer.Body.Len() == 0 {
		return nil // as described: nothing
	}
	mediaType, _, _ := strings.Cut(answer.Header().Get("Content-Type"), ";")
	schema, found := described[mediaType]
	if !found {
		return fmt.Errorf("the media type %q", mediaType)
	}
	if schema == nil {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(answer.Body.Bytes()))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
