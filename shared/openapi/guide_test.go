package openapi_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/podstest/openapitest"
)

var (
	curlPattern   = regexp.MustCompile(`(?m)^curl (?:[^\n]|\n )*`)
	methodPattern = regexp.MustCompile(` -X (\w+)`)
	pathPattern   = regexp.MustCompile(`\$API(/v3/(?:pods|healthcheck|error-handler|traefik-config)[^\s?]*)`)
	pythonPattern = regexp.MustCompile(`\bt\.pods\.(\w+)\(`)
)

// TestGuide checks that the guide to the API shows each operation of existing
// clients both for the shell and in Python, and none that is not there.
func TestGuide(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	inShell, inPython := map[string]bool{}, map[string]bool{}
	for _, command := range curlPattern.FindAllString(string(data), -1) {
		if path := pathPattern.FindStringSubmatch(command); path != nil {
			id := openapitest.OperationID(t, methodOf(command), path[1])
			if id == "" {
				t.Errorf("no operation is called by %s", command)
			}
			inShell[id] = true
		}
	}
	operations := operationsByID(load(t))
	for _, match := range pythonPattern.FindAllStringSubmatch(string(data), -1) {
		if _, found := operations[match[1]]; !found {
			t.Errorf("t.pods.%s is no operation", match[1])
		}
		inPython[match[1]] = true
	}
	for id := range readContract(t).Operations {
		if !inShell[id] || !inPython[id] {
			t.Errorf("%s is shown for the shell: %v, in Python: %v", id, inShell[id], inPython[id])
		}
	}
}

// methodOf returns the method by which curl sends a request.
func methodOf(command string) string {
	if named := methodPattern.FindStringSubmatch(command); named != nil {
		return named[1]
	}
	if strings.Contains(command, " -d ") || strings.Contains(command, " -F ") {
		return "POST"
	}
	return "GET"
}
