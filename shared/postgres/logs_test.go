package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

// output appends to the log of one run and keeps the cursor.
type output struct {
	store  *postgres.Store
	ref    pods.Ref
	cursor pods.LogCursor
}

func (o *output) append(t *testing.T, text string) {
	t.Helper()
	// A nanosecond apart: finer than what timestamps of the database hold.
	next := pods.LogCursor{Last: podstest.NewClock().Now().Add(1), Seen: 1}
	if !o.cursor.Last.IsZero() {
		next.Last = o.cursor.Last.Add(1)
	}
	if err := o.store.AppendLogs(t.Context(), o.ref, o.cursor, pods.LogChunk{Text: text}, next); err != nil {
		t.Fatalf("AppendLogs: %v", err)
	}
	o.cursor = next
}

func wantLogs(t *testing.T, store *postgres.Store, pod pods.Pod, want string) {
	t.Helper()
	got, _, err := store.Logs(t.Context(), pod.TenantID, pod.ID)
	if err != nil {
		t.Fatalf("Logs: %v", err)
	}
	if got != want {
		t.Errorf("the logs have %d bytes (%.80q ...), want %d (%.80q ...)", len(got), got, len(want), want)
	}
}

func TestAppendLogs(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	cursor, err := store.LogCursor(t.Context(), pod.Ref())
	if err != nil || !cursor.Equal(pods.LogCursor{}) {
		t.Fatalf("the first cursor is %v (%v), want zero", cursor, err)
	}
	wantLogs(t, store, pod, "")

	log := output{store: store, ref: pod.Ref()}
	log.append(t, "one\ntwo\n")
	log.append(t, "")
	log.append(t, "thr\x00ee \xff\n")
	wantLogs(t, store, pod, "one\ntwo\nthree \uFFFD\n")

	cursor, err = store.LogCursor(t.Context(), pod.Ref())
	if err != nil || !cursor.Equal(log.cursor) {
		t.Errorf("the cursor is %v (%v), want %v", cursor, err, log.cursor)
	}
	_, shown, err := store.Logs(t.Context(), pod.TenantID, pod.ID)
	if err != nil || !shown.Equal(log.cursor) {
		t.Errorf("Logs returns the cursor %v (%v), want %v", shown, err, log.cursor)
	}
}

// TestAppendLogsTwice delivers the same piece again, late and at once: each is
// stored once.
func TestAppendLogsTwice(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	start := podstest.NewClock().Now()
	from, to := pods.LogCursor{}, pods.LogCursor{Last: start, Seen: 1}
	again := func() error {
		return store.AppendLogs(t.Context(), pod.Ref(), from, pods.LogChunk{Text: "line\n"}, to)
	}
	stored := 0
	for _, err := range append(atOnce(again, again, again), again()) {
		if err == nil {
			stored++
			continue
		}
		wantKind(t, "AppendLogs", err, pods.KindConflict)
	}
	if stored != 1 {
		t.Errorf("the piece was stored %d times, want once", stored)
	}
	wantLogs(t, store, pod, "line\n")

	tests := map[string]pods.LogCursor{
		"OtherCount": {Last: start, Seen: 2},
		"OtherTime":  {Last: start.Add(time.Nanosecond), Seen: 1},
		"FromStart":  {},
	}
	for name, from := range tests {
		err := store.AppendLogs(t.Context(), pod.Ref(), from, pods.LogChunk{Text: "lost\n"}, pods.LogCursor{Last: start.Add(time.Hour), Seen: 1})
		wantKind(t, name, err, pods.KindConflict)
	}
	wantLogs(t, store, pod, "line\n")
}

func TestLogsKeepTheNewest(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	log := output{store: store, ref: pod.Ref()}
	var all strings.Builder
	for chunk := 0; all.Len() < pods.MaxLogBytes*3/2; chunk++ {
		var text strings.Builder
		for line := 0; text.Len() < 200<<10; line++ {
			fmt.Fprintf(&text, "chunk %d line %d %s\n", chunk, line, strings.Repeat("ü", line%90))
		}
		all.WriteString(text.String())
		log.append(t, text.String())
	}
	newest := all.String()[all.Len()-pods.MaxLogBytes:]
	if all.String()[all.Len()-pods.MaxLogBytes-1] != '\n' {
		newest = newest[strings.IndexByte(newest, '\n')+1:]
	}
	wantLogs(t, store, pod, newest)

	var kept, counted int
	query := `SELECT (SELECT sum(octet_length(text)) FROM log_chunks), (SELECT bytes FROM log_runs)`
	if err := podstest.Pool(t, store).QueryRow(t.Context(), query).Scan(&kept, &counted); err != nil {
		t.Fatalf("measure: %v", err)
	}
	if kept != counted || kept < pods.MaxLogBytes || kept > pods.MaxLogBytes+256<<10 {
		t.Errorf("%d bytes are kept and %d counted, want the same, and no more than one chunk above %d", kept, counted, pods.MaxLogBytes)
	}
}

// TestAppendLogsCost checks that an append rewrites nothing but the newest
// small chunk, and that a pod that writes little makes few chunks.
func TestAppendLogsCost(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	log := output{store: store, ref: pod.Ref()}
	log.append(t, strings.Repeat("a long line\n", 10_000))
	line := strings.Repeat("x", 99) + "\n"
	for range 200 {
		log.append(t, line)
	}
	before := chunkVersions(t, store)
	log.append(t, line)
	after := chunkVersions(t, store)

	if chunks := len(after); chunks < 3 || chunks > 7 {
		t.Errorf("20 kB in small pieces behind one large make %d chunks, want about one for 4 kB", chunks)
	}
	delete(before, int64(len(before)))
	delete(after, int64(len(after)))
	if len(after) > len(before) { // the append began a chunk
		delete(after, int64(len(after)))
	}
	wantSame(t, "the versions of the older chunks", after, before)
}

// chunkVersions returns which transaction wrote each chunk.
func chunkVersions(t *testing.T, store *postgres.Store) map[int64]int64 {
	t.Helper()
	rows, err := podstest.Pool(t, store).Query(t.Context(), `SELECT chunk, xmin::text::bigint FROM log_chunks`)
	if err != nil {
		t.Fatalf("read chunks: %v", err)
	}
	versions := map[int64]int64{}
	var chunk, version int64
	if _, err := pgx.ForEachRow(rows, []any{&chunk, &version}, func() error { versions[chunk] = version; return nil }); err != nil {
		t.Fatalf("read chunks: %v", err)
	}
	return versions
}

func TestLogsOfRuns(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusCreating)
	first := output{store: store, ref: pod.Ref()}
	first.append(t, "first\n")

	second, err := store.FinishStop(t.Context(), pod.Ref(), pods.ActorHealth) // and starts again
	if err != nil {
		t.Fatalf("FinishStop: %v", err)
	}
	wantLogs(t, store, pod, "") // the new run has written nothing yet
	first.append(t, "late\n")
	wantLogs(t, store, pod, "")
	log := output{store: store, ref: second.Ref()}
	log.append(t, "second\n")
	wantLogs(t, store, pod, "second\n")

	current := second
	for range 3 {
		podstest.Wish(t, store, current, pods.DesiredRestart)
		if _, err := store.Move(t.Context(), pods.Move{Ref: current.Ref(), By: pods.ActorSpawner, To: pods.StatusDeleting}); err != nil {
			t.Fatalf("Move: %v", err)
		}
		if current, err = store.FinishStop(t.Context(), current.Ref(), pods.ActorSpawner); err != nil {
			t.Fatalf("FinishStop: %v", err)
		}
		log := output{store: store, ref: current.Ref()}
		log.append(t, fmt.Sprintf("run %d\n", current.Instance))
	}
	wantLogs(t, store, pod, "run 5\n")

	err = store.AppendLogs(t.Context(), second.Ref(), log.cursor, pods.LogChunk{Text: "too late\n"}, log.cursor)
	wantKind(t, "output of a run long over", err, pods.KindNotFound)
	future := current.Ref()
	future.Instance++
	err = store.AppendLogs(t.Context(), future, pods.LogCursor{}, pods.LogChunk{Text: "too early\n"}, pods.LogCursor{})
	wantKind(t, "output of a run to come", err, pods.KindNotFound)

	rows, err := podstest.Pool(t, store).Query(t.Context(), `SELECT instance FROM log_runs ORDER BY instance`)
	if err != nil {
		t.Fatalf("read runs: %v", err)
	}
	kept, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		t.Fatalf("read runs: %v", err)
	}
	wantSame(t, "the runs kept", kept, []int64{3, 4, 5})
}
