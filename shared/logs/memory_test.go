package logs

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pods-service/pods/shared/pods"
)

type fixedLog string

func (f fixedLog) OpenLog(context.Context, string, pods.Ref, Options) (*Stream, error) {
	return &Stream{ReadCloser: io.NopCloser(strings.NewReader(string(f)))}, nil
}

// When all memory is in use, a read saves early instead of holding more, and
// gives back all it took.
func TestReadKeepsWithinMemory(t *testing.T) {
	t.Parallel()

	var log strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&log, "2026-05-04T12:00:00.%09dZ %0100d\n", i, i)
	}
	reader := NewReader(fixedLog(log.String()))
	reader.memory = make(chan struct{}, 2)
	var saved strings.Builder
	var cursor pods.LogCursor
	_, err := reader.Read(t.Context(), Request{For: time.Minute}, func(_ context.Context, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error {
		if !from.Equal(cursor) {
			t.Errorf("saved from %v, want %v", from, cursor)
		}
		if len(reader.memory) > 2 {
			t.Errorf("%d chunks held", len(reader.memory))
		}
		cursor = to
		saved.WriteString(chunk.Text)
		return nil
	})
	if err != nil || strings.Count(saved.String(), "\n") != 30_000 {
		t.Errorf("saved %d lines (%v), want all 30000", strings.Count(saved.String(), "\n"), err)
	}
	if len(reader.memory) != 0 {
		t.Errorf("%d chunks of memory not given back", len(reader.memory))
	}
	text, err := reader.ReadNew(t.Context(), pods.Ref{}, "", pods.LogCursor{}, 10<<20)
	if err != nil || !strings.HasSuffix(text, fmt.Sprintf("%0100d\n", 29_999)) || len(text) > 4*chunkSize {
		t.Errorf("ReadNew returned %d bytes (%v), want the newest that fit", len(text), err)
	}
}

// Whatever a log holds, what is saved is storable, nothing is saved twice, and
// reading on from the cursor finds nothing new.
func FuzzRead(f *testing.F) {
	f.Add("2026-05-04T12:00:00.000000001Z a\n2026-05-04T12:00:00.000000001Z b\n", true)
	f.Add("2026-05-04T12:00:00.000000001Z a\x00\xff\n2026-05-04T12:00:00Z half", false)
	f.Add("rpc error: code = NotFound\n\n \n2026-05-04T12:00:00Z\n", true)
	f.Add("2026-05-04T12:00:00Z "+strings.Repeat("é", 70_000)+"\n", false)
	f.Fuzz(func(t *testing.T, log string, follow bool) {
		reader := NewReader(fixedLog(log))
		var cursor pods.LogCursor
		size := 0
		save := func(_ context.Context, from pods.LogCursor, chunk pods.LogChunk, to pods.LogCursor) error {
			if !from.Equal(cursor) || to.Last.Before(from.Last) {
				t.Fatalf("saved from %v to %v, the cursor is %v", from, to, cursor)
			}
			if !utf8.ValidString(chunk.Text) || strings.Contains(chunk.Text, "\x00") {
				t.Fatalf("not storable: %q", chunk.Text)
			}
			cursor = to
			size += len(chunk.Text)
			return nil
		}
		if _, err := reader.Read(t.Context(), Request{For: time.Minute, Follow: follow}, save); err != nil {
			t.Fatal(err)
		}
		if size > 3*len(log) { // an invalid byte becomes a character of three
			t.Fatalf("saved %d bytes of %d", size, len(log))
		}
		size = 0
		if _, err := reader.Read(t.Context(), Request{From: cursor, For: time.Minute, Follow: follow}, save); err != nil {
			t.Fatal(err)
		}
		if size > 0 {
			t.Fatalf("read %d bytes again beyond %v", size, cursor)
		}
	})
}

type endlessLog struct{ left int }

func (e *endlessLog) Read(into []byte) (int, error) {
	const line = "2026-05-04T12:00:00.000000000Z GET /index.html 200 12ms some hundred bytes of text as a web server writes them all day long\n"
	n := 0
	for e.left > 0 && n+len(line) <= len(into) {
		n += copy(into[n:], line)
		e.left -= len(line)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (e *endlessLog) OpenLog(context.Context, string, pods.Ref, Options) (*Stream, error) {
	return &Stream{ReadCloser: io.NopCloser(e)}, nil
}

// BenchmarkRead reads 64 MiB, of which 10 are kept.
func BenchmarkRead(b *testing.B) {
	const size = 64 << 20
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		_, err := NewReader(&endlessLog{left: size}).Read(b.Context(), Request{For: time.Minute},
			func(context.Context, pods.LogCursor, pods.LogChunk, pods.LogCursor) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
}
