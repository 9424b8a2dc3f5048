package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// series is a set of measured times.
type series []time.Duration

// quantile returns the value below which the fraction q of the series lies.
func (s series) quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(time.Millisecond)
}

// figure is one line of the table: a side against its baseline.
type figure struct {
	Name       string  `json:"name"`
	What       string  `json:"what"`
	BaseP50MS  int64   `json:"base_p50_ms"`
	BaseP95MS  int64   `json:"base_p95_ms"`
	P50MS      int64   `json:"p50_ms"`
	P95MS      int64   `json:"p95_ms"`
	RatioP50   float64 `json:"ratio_p50"`
	MoreP95MS  int64   `json:"more_p95_ms"`
	MaxRatio   float64 `json:"target_ratio"`
	MaxMoreMS  int64   `json:"target_more_p95_ms"`
	IsInTarget bool    `json:"in_target"`
}

// report is what a run has found.
type report struct {
	Started time.Time `json:"started"`
	Pairs   int       `json:"pairs"`
	Figures []figure  `json:"figures"`
	IdleMiB float64   `json:"podsd_idle_mib"`

	plain, available, served series
}

func (r *report) add(plain, available, served time.Duration) {
	r.plain = append(r.plain, plain)
	r.available = append(r.available, available)
	r.served = append(r.served, served)
}

// finish works the figures out.
func (r *report) finish() *report {
	r.Figures = []figure{
		compareSeries("B1", "POST to AVAILABLE", r.plain, r.available, 1.15, 250*time.Millisecond),
		compareSeries("B2", "POST to first 200", r.plain, r.served, 1.3, time.Second),
	}
	return r
}

func compareSeries(name, what string, base, ours series, maxRatio float64, maxMore time.Duration) figure {
	f := figure{
		Name: name, What: what, MaxRatio: maxRatio, MaxMoreMS: maxMore.Milliseconds(),
		BaseP50MS: base.quantile(0.5).Milliseconds(), BaseP95MS: base.quantile(0.95).Milliseconds(),
		P50MS: ours.quantile(0.5).Milliseconds(), P95MS: ours.quantile(0.95).Milliseconds(),
	}
	f.RatioP50 = float64(f.P50MS) / float64(max(1, f.BaseP50MS))
	f.MoreP95MS = f.P95MS - f.BaseP95MS
	f.IsInTarget = f.RatioP50 <= f.MaxRatio && f.MoreP95MS <= f.MaxMoreMS
	return f
}

// print writes the table.
func (r *report) print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\tKubernetes p50\tp95\tservice p50\tp95\tratio p50\ttarget\tmore at p95\ttarget\t\n")
	for _, f := range r.Figures {
		verdict := "met"
		if !f.IsInTarget {
			verdict = "MISSED"
		}
		fmt.Fprintf(table, "%s %s\t%d ms\t%d ms\t%d ms\t%d ms\t%.2f\t<= %.2f\t%d ms\t<= %d ms\t%s\n", f.Name, f.What,
			f.BaseP50MS, f.BaseP95MS, f.P50MS, f.P95MS, f.RatioP50, f.MaxRatio, f.MoreP95MS, f.MaxMoreMS, verdict)
	}
	_ = table.Flush()
	fmt.Fprintf(w, "podsd resident when idle: %.0f MiB (target 100)\n", r.IdleMiB)
}
