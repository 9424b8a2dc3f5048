package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"
)

// figure is one line of the table. What has no baseline or no target lacks the
// fields for it.
type figure struct {
	Name     string   `json:"name"` // of the benchmark, such as B1
	What     string   `json:"what"`
	Unit     string   `json:"unit"`
	Baseline *float64 `json:"baseline,omitempty"`
	Ours     float64  `json:"ours"`
	Ratio    *float64 `json:"ratio,omitempty"` // of ours to the baseline
	More     *float64 `json:"more,omitempty"`  // than the baseline
	Target   string   `json:"target,omitempty"`
	Met      *bool    `json:"met,omitempty"`
}

// plain is a figure without baseline and target.
func plain(name, what, unit string, ours float64) figure {
	return figure{Name: name, What: what, Unit: unit, Ours: ours}
}

// against sets what the figure is compared with.
func (f figure) against(baseline float64) figure {
	f.Baseline, f.More = &baseline, new(f.Ours-baseline)
	if baseline > 0 {
		f.Ratio = new(f.Ours / baseline)
	}
	return f
}

// maxRatio sets the target as a multiple of the baseline.
func (f figure) maxRatio(limit float64) figure {
	f.Target = "ratio <= " + number(limit)
	f.Met = new(f.Ratio != nil && *f.Ratio <= limit)
	return f
}

// minRatio is maxRatio for what had better be more.
func (f figure) minRatio(limit float64) figure {
	f.Target = "ratio >= " + number(limit)
	f.Met = new(f.Ratio != nil && *f.Ratio >= limit)
	return f
}

// maxMore sets the target as a distance from the baseline.
func (f figure) maxMore(limit float64) figure {
	f.Target = "more <= " + number(limit) + " " + f.Unit
	f.Met = new(*f.More <= limit)
	return f
}

// most sets the target as a limit of its own.
func (f figure) most(limit float64) figure {
	f.Target = "<= " + number(limit) + " " + f.Unit
	f.Met = new(f.Ours <= limit)
	return f
}

// report is what a run has found.
type report struct {
	Started time.Time         `json:"started"`
	Options map[string]string `json:"options"` // of the command line
	Figures []figure          `json:"figures"`
}

// print writes the table.
func (r *report) print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\t\tbaseline\tours\tunit\tratio\tmore\ttarget\t\n")
	for _, f := range r.Figures {
		verdict := ""
		if f.Met != nil {
			verdict = map[bool]string{true: "met", false: "MISSED"}[*f.Met]
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.What,
			optional(f.Baseline), number(f.Ours), f.Unit, optional(f.Ratio), optional(f.More), f.Target, verdict)
	}
	_ = table.Flush()
}

// write keeps the figures in a file.
func (r *report) write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the figures: %w", err)
	}
	return os.WriteFile(path, append(data, '\n'), 0o644) //nolint:gosec // figures are for everybody
}

func optional(value *float64) string {
	if value == nil {
		return ""
	}
	return number(*value)
}

// number writes three significant digits, and whole numbers in full.
func number(value float64) string {
	if value >= 100 || value <= -100 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strconv.FormatFloat(value, 'g', 3, 64)
}
