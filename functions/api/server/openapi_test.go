package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/shared/openapi"
)

// outsideTable are the operations that are served without the route table;
// TestDescription and TestStatusPages call them.
var outsideTable = []string{"GET /openapi.json", "GET /docs", "GET /pod-splash", "GET /pod-not-found"}

// described returns the operations of the document by method and path.
func described(t *testing.T) map[string]*openapi3.Operation {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openapi.YAML)
	if err != nil {
		t.Fatal(err)
	}
	operations := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			operations[unnamed(method+" "+path)] = operation
		}
	}
	return operations
}

// TestRoutesAreDescribed compares the route table with the document.
func TestRoutesAreDescribed(t *testing.T) {
	t.Parallel()
	operations := described(t)
	served := map[string]bool{}
	for _, pattern := range outsideTable {
		served[pattern] = true
	}
	for _, route := range server.New(server.Config{}).Routes() {
		served[unnamed(route.Pattern)] = true
		operation := operations[unnamed(route.Pattern)]
		if operation == nil {
			t.Errorf("%s is not in the document", route.Pattern)
			continue
		}
		own := operation.Security // nil stands for that of the document: a token, with or without admin mode
		if isOpen := own != nil && len(*own) == 0; isOpen != route.Open {
			t.Errorf("%s is described as open: %v, want %v", route.Pattern, isOpen, route.Open)
		}
		if isForAdmins := own != nil && len(*own) == 1; isForAdmins != route.AdminMode {
			t.Errorf("%s is described as needing admin mode: %v, want %v", route.Pattern, isForAdmins, route.AdminMode)
		}
	}
	for pattern := range operations {
		if !served[pattern] {
			t.Errorf("%s is in the document and has no route", pattern)
		}
	}
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// unnamed returns a pattern without the names of its parameters: the route
// table has its own, "{image_id...}" for one that may hold slashes.
func unnamed(pattern string) string { return parameter.ReplaceAllString(pattern, "{}") }

// TestDescription gets the document and its page as a browser does.
func TestDescription(t *testing.T) {
	t.Parallel()
	s := newService(t)
	get := func(path string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s answers %s, %v", path, resp.Status, err)
		}
		return resp, string(data)
	}
	for _, prefix := range []string{"", "/v3"} {
		answer, text := get(prefix + "/openapi.json")
		if answer.Header.Get("Content-Type") != "application/json" || !json.Valid([]byte(text)) || !strings.Contains(text, `"openapi":"3.1.0"`) {
			t.Errorf("%s/openapi.json is %s %.60s", prefix, answer.Header.Get("Content-Type"), text)
		}
		answer, page := get(prefix + "/docs/")
		if answer.Request.URL.Path != prefix+"/docs" || !strings.HasPrefix(answer.Header.Get("Content-Security-Policy"), "default-src 'self';") {
			t.Errorf("the page is at %s with the policy %q", answer.Request.URL.Path, answer.Header.Get("Content-Security-Policy"))
		}
		links := regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1)
		if len(links) != 4 {
			t.Errorf("the page loads %v, want icon, style and two scripts", links)
		}
		for _, link := range links {
			if _, content := get(prefix + "/" + link[1]); content == "" {
				t.Errorf("%s is empty", link[1])
			}
		}
	}
	if got := s.call("POST", "/v3/docs", "", ""); got.status != 404 {
		t.Errorf("POST /docs = %d", got.status)
	}
}
