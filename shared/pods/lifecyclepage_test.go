package pods_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/pods"
)

const lifecyclePage = "../../docs/pod-lifecycle.md"

// TestLifecyclePage checks that the page tells what the code does. With
// UPDATE_DOCS=1 it writes the tables into the page instead.
func TestLifecyclePage(t *testing.T) {
	t.Parallel()

	data, err := os.ReadFile(lifecyclePage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	want := replaceSection(t, replaceSection(t, page, "transitions", transitionsTable()), "limits", limitsTable())
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(lifecyclePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("%s is out of date; run: make generate\n%s", lifecyclePage, diff)
	}
}

// replaceSection puts text between the markers of that name.
func replaceSection(t *testing.T, page, name, text string) string {
	t.Helper()
	section := regexp.MustCompile(`(?s)(<!-- ` + name + ` -->\n).*?(<!-- /` + name + ` -->)`)
	if !section.MatchString(page) {
		t.Fatalf("%s has no section %s", lifecyclePage, name)
	}
	return section.ReplaceAllString(page, "${1}"+strings.ReplaceAll(text, "$", "$$")+"${2}")
}

func transitionsTable() string {
	var table strings.Builder
	table.WriteString("| From | To | By | When |\n|---|---|---|---|\n")
	for _, transition := range pods.Transitions {
		from := string(transition.From)
		if from == "" {
			from = "–"
		}
		by := make([]string, len(transition.By))
		for i, actor := range transition.By {
			by[i] = string(actor)
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", from, transition.To, strings.Join(by, ", "), transition.Trigger)
	}
	return table.String()
}

func limitsTable() string {
	var table strings.Builder
	table.WriteString("| Status | Sent again after | Lasts at most | Then |\n|---|---|---|---|\n")
	for _, status := range pods.Statuses {
		limit, found := pods.Limits[status]
		if !found {
			continue
		}
		retry := "–"
		if limit.Retry > 0 {
			retry = limit.Retry.String()
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", status, retry, limit.End, limit.Then)
	}
	return table.String()
}
