package openapi_test

import (
	"encoding/json"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// contract is what existing clients of the API are built on: names, types and
// defaults, in the notation of render. They know nothing of what the API has
// beyond that.
type contract struct {
	Operations map[string]struct {
		At         string            // "GET /pods"
		Parameters map[string]string // by "query full"
		Body       string            // "application/json NewPod"
		Result     string            // likewise
	}
	Schemas map[string]map[string]string // fields by the name of the schema
}

func readContract(t *testing.T) contract {
	t.Helper()
	data, err := os.ReadFile("testdata/contract.json")
	if err != nil {
		t.Fatal(err)
	}
	var c contract
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// required ends the notation of a parameter or field that must be there.
const required = " required"

func TestOperationsOfExistingClients(t *testing.T) {
	t.Parallel()
	operations := operationsByID(load(t))

	for id, want := range readContract(t).Operations {
		t.Run(id, func(t *testing.T) {
			t.Parallel()

			got, found := operations[id]
			if !found || got.at != want.At {
				t.Fatalf("the document has it at %q, want %q", got.at, want.At)
			}
			compare(t, want.Parameters, got.parameters, false)
			if !fits(want.Body, got.body...) || !fits(want.Result, got.result...) {
				t.Errorf("it takes %q and gives %q, want %q and %q", got.body, got.result, want.Body, want.Result)
			}
		})
	}
}

func TestSchemasOfExistingClients(t *testing.T) {
	t.Parallel()
	doc, c := load(t), readContract(t)
	isSent := map[string]bool{}
	for _, operation := range c.Operations {
		_, name, _ := strings.Cut(operation.Body, " ")
		isSent[strings.Trim(name, "[]")] = true
	}

	for name, want := range c.Schemas {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			schema := doc.Components.Schemas[name]
			if schema == nil {
				t.Fatal("the document lacks it")
			}
			if name == "TemplateTag" { // a list of tags without their definitions leaves it out
				want["template_id"] = strings.TrimSuffix(want["template_id"], required)
			}
			compare(t, want, fields(schema), !isSent[name])
		})
	}
}

// compare checks that all that is wanted is there. What is there beyond that
// may not be required, unless it is the service that sends it.
func compare(t *testing.T, want map[string]string, got map[string][]string, fromService bool) {
	t.Helper()
	for name, notation := range want {
		notation, isRequired := strings.CutSuffix(notation, required)
		if !fits(notation, got[name]...) {
			t.Errorf("%s is %q, want %q", name, got[name], notation)
		}
		if has := slices.Contains(got[name], required); has != isRequired && (isRequired || !fromService) {
			t.Errorf("%s is required: %v, want %v", name, has, isRequired)
		}
	}
	for name, notations := range got {
		if _, known := want[name]; !known && !fromService && slices.Contains(notations, required) {
			t.Errorf("%s is required, which existing clients do not know", name)
		}
	}
}

// fits reports whether one of the notations has the wanted type and default.
// Clients take any object where the wanted one has no values, and anything
// where the wanted type is "any".
func fits(want string, notations ...string) bool {
	wantType, wantDefault, _ := strings.Cut(want, " = ")
	return slices.ContainsFunc(notations, func(notation string) bool {
		gotType, gotDefault, _ := strings.Cut(notation, " = ")
		prefix, isAny := strings.CutSuffix(wantType, "any")
		if isAny {
			return strings.HasPrefix(gotType, prefix)
		}
		prefix, isObject := strings.CutSuffix(wantType, "{}")
		return wantDefault == gotDefault && (gotType == wantType || isObject && strings.HasPrefix(gotType, prefix+"{"))
	}) || want == "" && len(notations) == 0
}

// operation is what the document says of one, in the notation of render.
type operation struct {
	at           string
	parameters   map[string][]string
	body, result []string
}

func operationsByID(doc *openapi3.T) map[string]operation {
	operations := map[string]operation{}
	for path, item := range doc.Paths.Map() {
		for method, described := range item.Operations() {
			o := operation{at: method + " " + path, parameters: map[string][]string{}}
			for _, parameter := range append(slices.Clone(item.Parameters), described.Parameters...) {
				p := parameter.Value
				o.parameters[p.In+" "+p.Name] = render(p.Schema, p.Required)
			}
			if described.RequestBody != nil {
				o.body = renderContent(described.RequestBody.Value.Content)
			}
			answer := described.Responses.Value("200")
			if answer == nil {
				answer = described.Responses.Default()
			}
			o.result = renderContent(answer.Value.Content)
			operations[described.OperationID] = o
		}
	}
	return operations
}

func renderContent(content openapi3.Content) []string {
	var notations []string
	for mediaType, media := range content {
		if media.Schema == nil { // a page
			continue
		}
		for _, notation := range render(media.Schema, false) {
			notations = append(notations, mediaType+" "+notation)
		}
	}
	return notations
}

// fields returns the fields of an object, also of one put together by allOf.
func fields(ref *openapi3.SchemaRef) map[string][]string {
	all := map[string][]string{}
	for name, field := range ref.Value.Properties {
		all[name] = render(field, slices.Contains(ref.Value.Required, name))
	}
	for _, part := range ref.Value.AllOf {
		for name, notations := range fields(part) {
			all[name] = notations
		}
	}
	return all
}

// render returns how a schema is noted: "integer = 5", "string(date-time)",
// "[string]" for a list, "{string}" for a map, "{}" for another object,
// "a | b" for either, "any" for whatever. Whether it may be null is not noted.
// A schema that has a name is noted by the name and by what it is; one that is
// required has the notation for that as well.
func render(ref *openapi3.SchemaRef, isRequired bool) []string {
	suffix := ""
	if ref.Value.Format != "" {
		suffix = "(" + ref.Value.Format + ")"
	}
	if ref.Value.Default != nil {
		value, err := json.Marshal(ref.Value.Default)
		if err != nil {
			panic(err) // it was read from the document
		}
		suffix += " = " + string(value)
	}
	notations := []string{typeOf(ref.Value) + suffix}
	if ref.Ref != "" {
		notations = append(notations, path.Base(ref.Ref)+suffix)
	}
	if isRequired {
		notations = append(notations, required)
	}
	return notations
}

func typeOf(schema *openapi3.Schema) string {
	switch {
	case len(schema.AnyOf) > 0:
		var names []string
		for _, choice := range schema.AnyOf {
			names = append(names, nameOf(choice))
		}
		return strings.Join(names, " | ")
	case schema.Type.Includes("array"):
		return "[" + nameOf(schema.Items) + "]"
	case schema.Type.Includes("object"), len(schema.AllOf) > 0:
		if values := schema.AdditionalProperties.Schema; values != nil {
			return "{" + nameOf(values) + "}"
		}
		return "{}"
	}
	for _, name := range schema.Type.Slice() {
		if name != "null" {
			return name
		}
	}
	return "any"
}

// nameOf returns the shortest notation: the name, if there is one.
func nameOf(ref *openapi3.SchemaRef) string {
	notations := render(ref, false)
	return notations[len(notations)-1]
}
