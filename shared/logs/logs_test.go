package logs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/pods"
)

var ref = pods.Ref{TenantID: "dev", PodID: "db", UID: "u1", Instance: 1}

// source is a log that is open once.
type source struct {
	body   io.Reader
	ended  bool
	err    error
	asked  logs.Options
	closed bool
}

func (s *source) OpenLog(ctx context.Context, _ string, _ pods.Ref, options logs.Options) (*logs.Stream, error) {
	s.asked = options
	if s.err != nil {
		return nil, s.err
	}
	return &logs.Stream{ReadCloser: &body{Reader: s.body, ctx: ctx, source: s}, Ended: s.ended}, nil
}

// body waits at its end, if it has none, until the read is cut short.
type body struct {
	io.Reader
	ctx    context.Context
	source *source
}

func (b *body) Read(into []byte) (int, error) {
	n, err := b.Reader.Read(into)
	if errors.Is(err, errWait) {
		<-b.ctx.Done()
		return n, b.ctx.Err()
	}
	return n, err
}

func (b *body) Close() error {
	b.source.closed = true
	return nil
}

var errWait = errors.New("more may come")

// store keeps what is saved.
type store struct {
	cursor pods.LogCursor
	text   strings.Builder
	chunks []pods.LogChunk
	err    error
}

func (s *store) save(_ context.Context, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error {
	if s.err != nil {
		return s.err
	}
	if !from.Equal(s.cursor) {
		return pods.Conflict("stored up to %v, not %v", s.cursor, from)
	}
	s.cursor = to
	s.text.WriteString(chunk.Text)
	s.chunks = append(s.chunks, chunk)
	return nil
}

// at returns the n-th millisecond after a full second.
func at(n int) time.Time {
	return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
}

// stamped returns a line as the kubelet gives it.
func stamped(n int, text string) string {
	return at(n).Format("2006-01-02T15:04:05.000000000Z07:00") + " " + text + "\n"
}

func request(from pods.LogCursor) logs.Request {
	return logs.Request{Ref: ref, Name: "pods-x-dev-db", From: from, For: time.Minute}
}

func TestReadTakesLinesApart(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("0123456789", 20000) // more than one piece
	tests := map[string]struct {
		log        string
		ended      bool
		from       pods.LogCursor
		want       string
		wantCursor pods.LogCursor
	}{
		"Empty":            {"", false, pods.LogCursor{}, "", pods.LogCursor{}},
		"Lines":            {stamped(1, "a") + stamped(2, "b"), false, pods.LogCursor{}, "a\nb\n", pods.LogCursor{Last: at(2), Seen: 1}},
		"EmptyLine":        {stamped(1, "") + strings.TrimSuffix(stamped(2, ""), " \n") + "\n", false, pods.LogCursor{}, "\n\n", pods.LogCursor{Last: at(2), Seen: 1}},
		"SameTime":         {stamped(1, "a") + stamped(1, "b") + stamped(1, "c"), false, pods.LogCursor{}, "a\nb\nc\n", pods.LogCursor{Last: at(1), Seen: 3}},
		"SkipsOld":         {stamped(1, "a") + stamped(2, "b") + stamped(3, "c"), false, pods.LogCursor{Last: at(2), Seen: 1}, "c\n", pods.LogCursor{Last: at(3), Seen: 1}},
		"SkipsSeen":        {stamped(2, "a") + stamped(2, "b") + stamped(2, "c"), false, pods.LogCursor{Last: at(2), Seen: 2}, "c\n", pods.LogCursor{Last: at(2), Seen: 3}},
		"NothingNew":       {stamped(1, "a") + stamped(2, "b"), false, pods.LogCursor{Last: at(2), Seen: 1}, "", pods.LogCursor{Last: at(2), Seen: 1}},
		"Rotated":          {stamped(5, "e"), false, pods.LogCursor{Last: at(2), Seen: 9}, "e\n", pods.LogCursor{Last: at(5), Seen: 1}},
		"OutOfOrder":       {stamped(1, "a") + stamped(3, "b") + stamped(2, "c"), false, pods.LogCursor{}, "a\nb\nc\n", pods.LogCursor{Last: at(3), Seen: 1}},
		"OutOfOrderLater":  {stamped(3, "b") + stamped(2, "c") + stamped(4, "d") + stamped(3, "e"), false, pods.LogCursor{Last: at(3), Seen: 1}, "d\ne\n", pods.LogCursor{Last: at(4), Seen: 1}},
		"Unfinished":       {stamped(1, "a") + strings.TrimSuffix(stamped(2, "half"), "\n"), false, pods.LogCursor{}, "a\n", pods.LogCursor{Last: at(1), Seen: 1}},
		"UnfinishedOnly":   {strings.TrimSuffix(stamped(2, "half"), "\n"), false, pods.LogCursor{}, "", pods.LogCursor{}},
		"UnfinishedLong":   {stamped(1, "a") + strings.TrimSuffix(stamped(2, long), "\n"), false, pods.LogCursor{}, "a\n", pods.LogCursor{Last: at(1), Seen: 1}},
		"LastWithoutEnd":   {stamped(1, "a") + strings.TrimSuffix(stamped(2, "z"), "\n"), true, pods.LogCursor{}, "a\nz", pods.LogCursor{Last: at(2), Seen: 1}},
		"NULs":             {stamped(1, "a\x00b\x00"), false, pods.LogCursor{}, "ab\n", pods.LogCursor{Last: at(1), Seen: 1}},
		"NotUTF8":          {stamped(1, "a\xff\xfeb"), false, pods.LogCursor{}, "a�b\n", pods.LogCursor{Last: at(1), Seen: 1}},
		"CarriageReturns":  {stamped(1, "1%\r2%"), false, pods.LogCursor{}, "1%\r2%\n", pods.LogCursor{Last: at(1), Seen: 1}},
		"Long":             {stamped(1, long) + stamped(2, "b"), false, pods.LogCursor{}, long + "\nb\n", pods.LogCursor{Last: at(2), Seen: 1}},
		"SkipsLong":        {stamped(1, long) + stamped(2, "b"), false, pods.LogCursor{Last: at(1), Seen: 1}, "b\n", pods.LogCursor{Last: at(2), Seen: 1}},
		"KubeletsOwnWords": {"unable to retrieve container logs for containerd://x\n" + stamped(1, "a") + long + "\n", false, pods.LogCursor{}, "a\n", pods.LogCursor{Last: at(1), Seen: 1}},
		"OtherZone":        {"2026-05-04T14:00:00.001000000+02:00 a\n", false, pods.LogCursor{}, "a\n", pods.LogCursor{Last: at(1), Seen: 1}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			log, kept := &source{body: strings.NewReader(tc.log), ended: tc.ended}, &store{cursor: tc.from}
			ended, err := logs.NewReader(log).Read(t.Context(), request(tc.from), kept.save)
			if err != nil || ended != tc.ended {
				t.Fatalf("Read: ended %t (%v), want %t", ended, err, tc.ended)
			}
			if diff := cmp.Diff(tc.want, kept.text.String()); diff != "" {
				t.Errorf("saved (-want +got):\n%s", diff)
			}
			if !kept.cursor.Equal(tc.wantCursor) {
				t.Errorf("cursor %v, want %v", kept.cursor, tc.wantCursor)
			}
			if !log.asked.Since.Equal(tc.from.Last) || !log.closed {
				t.Errorf("asked for %v, closed %t, want the cursor's time and true", log.asked, log.closed)
			}
		})
	}
}

// A character that falls on the border of two pieces stays whole.
func TestReadKeepsCharactersWhole(t *testing.T) {
	t.Parallel()

	text := strings.Repeat("日本語", 40000)
	for shift := range 4 {
		log, kept := &source{body: iotest.OneByteReader(strings.NewReader(stamped(1, strings.Repeat("x", shift)+text)))}, &store{}
		if _, err := logs.NewReader(log).Read(t.Context(), request(pods.LogCursor{}), kept.save); err != nil {
			t.Fatalf("Read: %v", err)
		}
		if kept.text.String() != strings.Repeat("x", shift)+text+"\n" {
			t.Errorf("shift %d: characters were broken", shift)
		}
	}
}

func TestReadKeepsTheNewestInChunks(t *testing.T) {
	t.Parallel()

	const lines = 250_000 // of 64 bytes of text: 15 MiB
	log, kept := &source{body: &generator{lines: lines, line: func(i int) string { return fmt.Sprintf("%063d", i) }}}, &store{}
	if _, err := logs.NewReader(log).Read(t.Context(), request(pods.LogCursor{}), kept.save); err != nil {
		t.Fatalf("Read: %v", err)
	}
	text := kept.text.String()
	if len(text) < pods.MaxLogBytes || len(text) > pods.MaxLogBytes+(512<<10) {
		t.Errorf("saved %d bytes, want %d and at most two chunks more", len(text), pods.MaxLogBytes)
	}
	if want := fmt.Sprintf("%063d\n", lines-1); !strings.HasSuffix(text, want) {
		t.Errorf("the newest line is missing, saved ...%q", text[len(text)-80:])
	}
	if first, _, _ := strings.Cut(text, "\n"); len(first) != 63 {
		t.Errorf("starts within a line: %q", first)
	}
	for _, chunk := range kept.chunks {
		if len(chunk.Text) > 257<<10 || chunk.First.After(chunk.Last) {
			t.Fatalf("chunk of %d bytes from %s to %s", len(chunk.Text), chunk.First, chunk.Last)
		}
	}
	if want := (pods.LogCursor{Last: at(lines - 1), Seen: 1}); !kept.cursor.Equal(want) {
		t.Errorf("cursor %v, want %v", kept.cursor, want)
	}
}

func TestReadSplitsALineThatFillsChunks(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("x", 3<<20)
	log, kept := &source{body: strings.NewReader(stamped(1, "a") + stamped(2, long) + stamped(3, "b"))}, &store{}
	if _, err := logs.NewReader(log).Read(t.Context(), request(pods.LogCursor{}), kept.save); err != nil {
		t.Fatalf("Read: %v", err)
	}
	if kept.text.String() != "a\n"+long+"\nb\n" || len(kept.chunks) < 3 {
		t.Errorf("saved %d bytes in %d chunks, want all of it in several", kept.text.Len(), len(kept.chunks))
	}
}

func TestReadEndsInTime(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		half := strings.TrimSuffix(stamped(2, "half"), "\n")
		log := &source{body: io.MultiReader(strings.NewReader(stamped(1, "a")+half), iotest.ErrReader(errWait))}
		kept := &store{}
		follow := request(pods.LogCursor{})
		follow.Follow, follow.For = true, 5*time.Second
		start := time.Now()
		ended, err := logs.NewReader(log).Read(t.Context(), follow, kept.save)
		if ended || err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("Read: ended %t, %v after %s, want neither after 5s", ended, err, time.Since(start))
		}
		if kept.text.String() != "a\n" || !log.asked.Follow {
			t.Errorf("saved %q, followed %t, want the whole line", kept.text.String(), log.asked.Follow)
		}
	})
}

// While a log is followed, whole lines are saved at every interval; a line that
// is still being written is not cut by that.
func TestReadSavesWhileItFollows(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		feed, writer := io.Pipe()
		kept := &store{}
		follow := request(pods.LogCursor{})
		follow.Follow, follow.SaveEvery = true, 5*time.Second
		ends := make(chan error, 1)
		go func() {
			_, err := logs.NewReader(&source{body: feed}).Read(t.Context(), follow, kept.save)
			ends <- err
		}()
		long := strings.Repeat("x", 100_000)
		steps := []struct{ written, want string }{
			{stamped(1, "a") + stamped(2, "half "+long)[:80_000], "a\n"},
			{"", "a\n"},
			{stamped(2, "half "+long)[80_000:], "a\nhalf " + long + "\n"},
			{stamped(3, "b"), "a\nhalf " + long + "\nb\n"},
		}
		for i, step := range steps {
			_, _ = io.WriteString(writer, step.written)
			time.Sleep(6 * time.Second)
			synctest.Wait()
			if kept.text.String() != step.want {
				t.Errorf("step %d: saved %d bytes, want %d", i, kept.text.Len(), len(step.want))
			}
		}
		_ = writer.Close()
		if err := <-ends; err != nil || !kept.cursor.Equal(pods.LogCursor{Last: at(3), Seen: 1}) {
			t.Errorf("Read: %v, cursor %v, want the last line's", err, kept.cursor)
		}
	})
}

func TestReadStopsWhenItCannotSave(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		log := &source{body: io.MultiReader(strings.NewReader(stamped(1, "a")), iotest.ErrReader(errWait))}
		follow := request(pods.LogCursor{})
		follow.Follow, follow.SaveEvery = true, 5*time.Second
		start := time.Now()
		_, err := logs.NewReader(log).Read(t.Context(), follow, (&store{err: pods.Conflict("moved")}).save)
		if pods.KindOf(err) != pods.KindConflict || time.Since(start) != 5*time.Second {
			t.Errorf("Read: %v after %s, want the conflict at the first save", err, time.Since(start))
		}
	})
}

func TestReadFails(t *testing.T) {
	t.Parallel()

	reset := iotest.ErrReader(errors.New("connection reset"))
	tests := map[string]struct {
		log      *source
		saveErr  error
		want     pods.Kind
		wantText string
	}{
		"Gone":        {&source{err: pods.NotFound("pod")}, nil, pods.KindNotFound, ""},
		"BrokenOff":   {&source{body: io.MultiReader(strings.NewReader(stamped(1, "a")+"2026"), reset)}, nil, pods.KindUnavailable, "a\n"},
		"NotSaved":    {&source{body: strings.NewReader(stamped(1, "a"))}, pods.Conflict("moved"), pods.KindConflict, ""},
		"BreaksAtOnc": {&source{body: reset}, nil, pods.KindUnavailable, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			kept := &store{err: tc.saveErr}
			_, err := logs.NewReader(tc.log).Read(t.Context(), request(pods.LogCursor{}), kept.save)
			if pods.KindOf(err) != tc.want || kept.text.String() != tc.wantText {
				t.Errorf("Read: %v with %q saved, want kind %s and %q", err, kept.text.String(), tc.want, tc.wantText)
			}
		})
	}
}

func TestReadNew(t *testing.T) {
	t.Parallel()

	half := strings.TrimSuffix(stamped(3, "half"), "\n")
	since := pods.LogCursor{Last: at(1), Seen: 1}
	broken := io.MultiReader(strings.NewReader(stamped(1, "a")+stamped(2, "b")), iotest.ErrReader(errors.New("reset")))
	tests := map[string]struct {
		log   *source
		limit int
		want  string
		kind  pods.Kind
	}{
		"New":       {&source{body: strings.NewReader(stamped(1, "a") + stamped(2, "b") + half)}, 100, "b\nhalf", ""},
		"Limited":   {&source{body: strings.NewReader(stamped(1, "a") + stamped(2, "bbbb") + stamped(3, "cccc"))}, 7, "cccc\n", ""},
		"CutLine":   {&source{body: strings.NewReader(stamped(2, "日本語"))}, 5, "語\n", ""},
		"Gone":      {&source{err: pods.NotFound("pod")}, 100, "", ""},
		"Down":      {&source{err: pods.Unavailable("kubernetes", nil)}, 100, "", pods.KindUnavailable},
		"BrokenOff": {&source{body: broken}, 100, "b\n", pods.KindUnavailable},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := logs.NewReader(tc.log).ReadNew(t.Context(), ref, "pods-x-dev-db", since, tc.limit)
			if got != tc.want || pods.KindOf(err) != tc.kind {
				t.Errorf("ReadNew = %q, %v, want %q and kind %q", got, err, tc.want, tc.kind)
			}
		})
	}
}

// generator is a log of many lines that is never in memory as a whole.
type generator struct {
	lines, next int
	line        func(i int) string
	rest        string
}

func (g *generator) Read(into []byte) (int, error) {
	if g.rest == "" {
		if g.next == g.lines {
			return 0, io.EOF
		}
		g.rest = stamped(g.next, g.line(g.next))
		g.next++
	}
	n := copy(into, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}
