package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
)

const (
	// MaxLogBytes is how much of a run's output is kept: the newest 10 MiB.
	MaxLogBytes = 10 << 20
	// maxLogRuns is how many runs of a pod keep their output.
	maxLogRuns = 3
)

// Cursor is how far a run's output has been stored. The zero value means that
// nothing has.
type Cursor struct {
	// Last is the time of the newest line, to the nanosecond.
	Last time.Time
	// Seen is how many lines carry exactly that time.
	Seen int
}

func (c Cursor) nanoseconds() int64 {
	if c.Last.IsZero() {
		return 0
	}
	return c.Last.UnixNano()
}

func newCursor(nanoseconds int64, seen int) Cursor {
	if nanoseconds == 0 {
		return Cursor{Seen: seen}
	}
	return Cursor{Last: time.Unix(0, nanoseconds).UTC(), Seen: seen}
}

// LogLine is one line of a container's output, without its newline.
type LogLine struct {
	Time time.Time
	Text string
}

// LogCursor returns how far the output of a run has been stored.
func (s *Store) LogCursor(ctx context.Context, ref pods.Ref) (Cursor, error) {
	const query = `
		SELECT last_ns, seen FROM log_runs
		WHERE tenant_id = @tenant_id AND pod_id = @pod_id AND uid = @uid AND instance = @instance`

	var nanoseconds int64
	var seen int
	err := s.pool.QueryRow(ctx, query, refArgs(ref, nil)).Scan(&nanoseconds, &seen)
	if errors.Is(err, pgx.ErrNoRows) {
		return Cursor{}, nil
	}
	if err != nil {
		return Cursor{}, fmt.Errorf("read the log cursor of pod %s: %w", ref.PodID, translate(err))
	}
	return newCursor(nanoseconds, seen), nil
}

// Logs returns the newest MaxLogBytes of the output of a pod's current
// instance, from the start of a line, and how far it reaches. It is empty
// until the instance has written something.
//
// Errors: KindNotFound.
func (s *Store) Logs(ctx context.Context, tenantID, podID string) (text string, cursor Cursor, err error) {
	const query = `
		SELECT coalesce(r.last_ns, 0), coalesce(r.seen, 0), coalesce(r.bytes, 0), coalesce(c.text, '')
		FROM pods AS p
		LEFT JOIN log_runs AS r
			ON r.tenant_id = p.tenant_id AND r.pod_id = p.pod_id AND r.uid = p.uid AND r.instance = p.instance
		LEFT JOIN log_chunks AS c
			ON c.tenant_id = r.tenant_id AND c.uid = r.uid AND c.instance = r.instance
		WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id
		ORDER BY c.chunk`

	rows, err := s.pool.Query(ctx, query, pgx.StrictNamedArgs{"tenant_id": tenantID, "pod_id": podID})
	if err != nil {
		return "", Cursor{}, translate(err)
	}
	var all strings.Builder
	var nanoseconds, size int64
	var seen int
	var chunk string
	tag, err := pgx.ForEachRow(rows, []any{&nanoseconds, &seen, &size, &chunk}, func() error {
		if all.Len() == 0 {
			all.Grow(int(size))
		}
		all.WriteString(chunk)
		return nil
	})
	if err != nil {
		return "", Cursor{}, fmt.Errorf("read the logs of pod %s: %w", podID, translate(err))
	}
	if tag.RowsAffected() == 0 {
		return "", Cursor{}, notFound(podID)
	}
	return newest(all.String(), MaxLogBytes), newCursor(nanoseconds, seen), nil
}

// newest returns at most the last limit bytes of text, from the start of a
// line. A line that is longer than limit is cut, but not within a character.
func newest(text string, limit int) string {
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
