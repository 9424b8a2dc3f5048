package pods

import (
	"strings"
	"time"
	"unicode/utf8"
)

// MaxLogBytes is how much of one run's output is kept: the newest 10 MB.
const MaxLogBytes = 10 << 20

// LogCursor says up to where a run's output is stored. The zero value means
// that nothing is. Kubernetes names a place in a log by time alone, so the
// lines that share the newest time are counted.
type LogCursor struct {
	Last time.Time // newest time stored, to the nanosecond
	Seen int       // lines stored that carry exactly that time
}

// Equal reports whether both name the same place.
func (c LogCursor) Equal(other LogCursor) bool {
	return c.Last.Equal(other.Last) && c.Seen == other.Seen
}

// LogChunk is a piece of a run's output, made of whole lines except where one
// line alone is longer than a chunk.
type LogChunk struct {
	First, Last time.Time // oldest and newest time of a line in it
	// Text is valid UTF-8 without NUL bytes. Line ends are part of it, so the
	// chunks of a run joined as they are give its output.
	Text string
}

// LogRun is a run whose output is to be collected.
type LogRun struct {
	Ref
	K8sName string
	Wait    time.Duration // between the last two collections
}

const (
	// MinLogWait is the least time between two collections of the output of a
	// running pod.
	MinLogWait = 10 * time.Second
	// MaxLogWait is the most. The node keeps what is not collected yet, and
	// whoever reads a log is shown that too: what a long wait risks is the output
	// of a node that is lost, and more than 10 MB at once of a pod that had been
	// silent.
	MaxLogWait = 10 * time.Minute

	// A collection that brings less than littleLog doubles the wait, one that
	// brings more than muchLog halves it: far less than a node keeps of a log.
	littleLog = 64 << 10
	muchLog   = 1 << 20
)

// NextLogWait returns how long to wait with the next collection when the last
// one, after a wait, brought that many bytes.
func NextLogWait(wait time.Duration, bytes int) time.Duration {
	switch {
	case bytes < littleLog:
		wait *= 2
	case bytes > muchLog:
		wait /= 2
	}
	return min(max(wait, MinLogWait), MaxLogWait)
}

// NewestLog returns at most the last MaxLogBytes of text, from the start of a
// line. A line that is longer is cut, but not within a character.
func NewestLog(text string) string { return NewestText(text, MaxLogBytes) }

// NewestText does the same for a limit in bytes.
func NewestText(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	start := len(text) - limit
	if text[start-1] == '\n' {
		return text[start:]
	}
	if end := strings.IndexByte(text[start:], '\n'); end >= 0 && start+end+1 < len(text) {
		return text[start+end+1:]
	}
	for start < len(text) && !utf8.RuneStart(text[start]) {
		start++
	}
	return text[start:]
}
