package binaries_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// apart are modules that may have several versions, by how their paths begin:
// the programs that need them cannot be built with the same one, or nothing else
// is built with them.
var apart = []string{
	"github.com/pods-service/",
	// What checks the API's document wants newer ones.
	"github.com/go-openapi/",
	// What orders certificates wants a newer one than the cluster's DNS is built
	// with, and little else is built with it.
	"github.com/miekg/dns",
	// Traefik is built with interfaces of two years ago.
	"knative.dev/networking", "knative.dev/pkg", "sigs.k8s.io/gateway-api",
	"github.com/redis/", "github.com/docker/cli", "github.com/go-jose/", "go.opentelemetry.io/otel", "github.com/aws/", "github.com/pires/", "github.com/quic-go/", "github.com/rs/cors",
}

// The programs of the cluster and those of the service name the same versions
// of what they share. What is built with different ones is compiled again for
// each, with all that it is part of: that made for five client-go.
func TestVersionsAgree(t *testing.T) {
	t.Parallel()

	found := map[string]map[string][]string{} // files by path and version
	for _, pattern := range []string{"../*/go.mod", "../go.mod", "../../*/go.mod", "../../functions/*/go.mod", "../../cmd/*/go.mod", "../../images/*/go.mod"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for path, version := range required(t, file) {
				if found[path] == nil {
					found[path] = map[string][]string{}
				}
				found[path][version] = append(found[path][version], file)
			}
		}
	}
	if len(found) < 100 {
		t.Fatalf("only %d modules were found", len(found))
	}
	for path, versions := range found {
		mayDiffer := slices.ContainsFunc(apart, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
		if len(versions) > 1 && !mayDiffer {
			t.Errorf("%s has several versions: %v", path, versions)
		}
	}
}

// required returns the modules that a go.mod names, with their versions.
func required(t *testing.T, file string) map[string]string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", file).Output()
	if err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	var module struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(output, &module); err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	versions := map[string]string{}
	for _, other := range module.Require {
		versions[other.Path] = other.Version
	}
	return versions
}
