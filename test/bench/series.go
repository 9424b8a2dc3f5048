package main

import (
	"slices"
	"time"
)

// series is a set of measured times.
type series []time.Duration

// quantile returns the value below which the fraction q of the series lies,
// and 0 for an empty one.
func (s series) quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// millis is quantile in milliseconds.
func (s series) millis(q float64) float64 { return inMillis(s.quantile(q)) }

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
