package observability

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A metric in code: what makes it, and its name.
var metricInCode = regexp.MustCompile(`(?:Counter|Gauge|Histogram)Opts\{\s*Name:\s*"(pods_[a-z_]+)"`)

// registered returns the names of all metrics in the code, with the suffixes
// that a histogram's series have.
func registered(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "bin" || entry.Name() == "cluster" || entry.Name() == ".git"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		code, err := os.ReadFile(path)
		for _, match := range metricInCode.FindAllSubmatch(code, -1) {
			name := string(match[1])
			found[name] = true
			if strings.HasPrefix(string(match[0]), "Histogram") {
				found[name+"_bucket"], found[name+"_count"], found[name+"_sum"] = true, true, true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Fatalf("the code has only the metrics %q; the test looks for them in the wrong way", slices.Sorted(maps.Keys(found)))
	}
	return found
}

// The parts of an expression that are no names of metrics.
var (
	quoted    = regexp.MustCompile(`"[^"]*"`)
	matchers  = regexp.MustCompile(`\{[^}]*\}`)
	ranges    = regexp.MustCompile(`\[(\d+[smh]|\$__rate_interval)\]`)
	groupings = regexp.MustCompile(`\bby\s*\([^)]*\)`)
	words     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
)

// The words of PromQL in use, and the metrics that client libraries bring.
var (
	functions = []string{"sum", "max", "min", "rate", "increase", "absent", "histogram_quantile", "vector", "or"}
	brought   = []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "go_goroutines"}
)

// checkExpression sees that an expression is closed and names metrics that
// exist.
func checkExpression(t *testing.T, where, expression string, metrics map[string]bool) {
	t.Helper()
	for _, problem := range problems(expression, metrics) {
		t.Errorf("%s: %s", where, problem)
	}
}

func problems(expression string, metrics map[string]bool) (found []string) {
	if strings.TrimSpace(expression) == "" {
		found = append(found, "an expression is empty")
	}
	rest := quoted.ReplaceAllString(expression, `""`)
	rest = ranges.ReplaceAllString(matchers.ReplaceAllString(rest, ""), "")
	for _, pair := range []string{"()", "[]", "{}"} {
		if strings.Count(rest, pair[:1]) != strings.Count(rest, pair[1:]) || strings.ContainsAny(rest, "[]{}\"") {
			found = append(found, pair+" is not closed in: "+expression)
		}
	}
	rest = groupings.ReplaceAllString(rest, "")
	for _, word := range words.FindAllString(rest, -1) {
		if !metrics[word] && !slices.Contains(functions, word) && !slices.Contains(brought, word) {
			found = append(found, "no program has the metric "+word)
		}
	}
	return found
}

// TestProblems sees that the check finds what it is for.
func TestProblems(t *testing.T) {
	t.Parallel()

	known := map[string]bool{"pods_outbox_events": true}
	for name, expression := range map[string]string{
		"Unknown": "max(pods_outbox_event)", "Open": "max(pods_outbox_events", "Empty": " ", "BadRange": "rate(pods_outbox_events[5 m])",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if len(problems(expression, known)) == 0 {
				t.Errorf("%q passes", expression)
			}
		})
	}
}
