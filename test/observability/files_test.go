// Package observability checks the files that operators give to Prometheus and
// Grafana against the code and the documentation.
package observability

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

const (
	root      = "../../"
	folder    = root + "config/observability/"
	pageOfOps = root + "docs/operations.md"
)

// rule is one alert as Prometheus reads it.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type ruleFile struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

func readRules(t *testing.T) ruleFile {
	t.Helper()
	var file ruleFile
	if err := yaml.UnmarshalStrict(read(t, folder+"alerts.yaml"), &file); err != nil {
		t.Fatalf("alerts.yaml: %v", err)
	}
	return file
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var alertName = regexp.MustCompile(`^Pods[A-Z][A-Za-z]+$`)

func TestAlerts(t *testing.T) {
	t.Parallel()

	page := string(read(t, pageOfOps))
	metrics := registered(t)
	seen := map[string]bool{}
	for _, group := range readRules(t).Groups {
		if group.Name == "" || len(group.Rules) == 0 || seen[group.Name] {
			t.Errorf("group %q has no name of its own, or no rules", group.Name)
		}
		seen[group.Name] = true
		for _, rule := range group.Rules {
			if !alertName.MatchString(rule.Alert) || seen[rule.Alert] {
				t.Errorf("alert %q is misnamed, or there twice", rule.Alert)
			}
			seen[rule.Alert] = true
			if _, err := time.ParseDuration(rule.For); err != nil {
				t.Errorf("%s: for: %v", rule.Alert, err)
			}
			if severity := rule.Labels["severity"]; severity != "critical" && severity != "warning" {
				t.Errorf("%s: severity %q", rule.Alert, severity)
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s says too little", rule.Alert)
			}
			if !strings.Contains(page, "| `"+rule.Alert+"` |") {
				t.Errorf("%s: docs/operations.md does not say what to do", rule.Alert)
			}
			checkExpression(t, rule.Alert, rule.Expr, metrics)
		}
	}
	if len(seen) == 0 {
		t.Error("there are no alerts")
	}
}

// panel is one of a dashboard, or a row of them.
type panel struct {
	ID         int    `json:"id"`
	Type       string `json:"type"`
	Title      string `json:"title"`
	Datasource struct {
		UID string `json:"uid"`
	} `json:"datasource"`
	Position struct {
		X, Y, W, H int
	} `json:"gridPos"`
	Targets []struct {
		RefID string `json:"refId"`
		Expr  string `json:"expr"`
	} `json:"targets"`
}

func TestDashboard(t *testing.T) {
	t.Parallel()

	var dashboard struct {
		UID           string  `json:"uid"`
		Title         string  `json:"title"`
		SchemaVersion int     `json:"schemaVersion"`
		Panels        []panel `json:"panels"`
	}
	if err := json.Unmarshal(read(t, folder+"dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	if dashboard.UID == "" || dashboard.Title == "" || dashboard.SchemaVersion == 0 || len(dashboard.Panels) == 0 {
		t.Error("the dashboard lacks what Grafana asks for")
	}
	metrics := registered(t)
	ids := map[int]bool{}
	for _, panel := range dashboard.Panels {
		if panel.Title == "" || ids[panel.ID] {
			t.Errorf("panel %d (%q) has no title or no id of its own", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		if at := panel.Position; at.X < 0 || at.X+at.W > 24 || at.W == 0 || at.H == 0 {
			t.Errorf("%s lies beside the grid: %+v", panel.Title, at)
		}
		if panel.Type == "row" {
			continue
		}
		if panel.Datasource.UID != "${datasource}" || len(panel.Targets) == 0 {
			t.Errorf("%s: data source %q, %d targets", panel.Title, panel.Datasource.UID, len(panel.Targets))
		}
		for _, target := range panel.Targets {
			checkExpression(t, panel.Title, target.Expr, metrics)
		}
	}
}
