package relay_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/pods-service/pods/gateway/relay"
)

// duplex is a connection in memory, in synthetic time, that can be closed by
// halves.
type duplex struct{ net.Conn }

func newDuplex() (here, there *duplex) {
	out, outEnd := net.Pipe()
	in, inEnd := net.Pipe()
	return &duplex{&halves{Conn: out, in: in}}, &duplex{&halves{Conn: inEnd, in: outEnd}}
}

// halves writes to Conn and reads from in.
type halves struct {
	net.Conn
	in net.Conn
}

func (h *halves) Read(buffer []byte) (int, error)   { return h.in.Read(buffer) }
func (h *halves) SetReadDeadline(t time.Time) error { return h.in.SetReadDeadline(t) }
func (h *halves) Close() error                      { return errors.Join(h.Conn.Close(), h.in.Close()) }

// CloseWrite is the half.
func (d *duplex) CloseWrite() error { return d.Conn.(*halves).Conn.Close() }

// tied returns the ends of a visitor and a pod that are tied together, and what
// the pipe between them returns.
func tied(ctx context.Context, pipe *relay.Pipe) (visitor, pod *duplex, done chan error) {
	visitor, visitorEnd := newDuplex()
	pod, podEnd := newDuplex()
	pipe.Visitor, pipe.Pod = visitorEnd, podEnd
	done = make(chan error, 1)
	go func() { done <- pipe.Run(ctx) }()
	return visitor, pod, done
}

func TestPipe(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var received, sent atomic.Int64
		visitor, pod, done := tied(t.Context(), &relay.Pipe{Received: []*atomic.Int64{&received}, Sent: []*atomic.Int64{&sent, &sent}})
		go func() {
			_, _ = io.WriteString(visitor, "question")
			_ = visitor.CloseWrite()
		}()
		if got, err := io.ReadAll(pod); string(got) != "question" || err != nil {
			t.Errorf("the pod got %q, %v", got, err)
		}
		go func() {
			_, _ = io.WriteString(pod, "answer")
			_ = pod.CloseWrite()
		}()
		if got, err := io.ReadAll(visitor); string(got) != "answer" || err != nil {
			t.Errorf("the visitor got %q, %v", got, err)
		}
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if received.Load() != 8 || sent.Load() != 12 {
			t.Errorf("counted %d and %d", received.Load(), sent.Load())
		}
	})
}

// TestIdlePipe: silence alone is no reason to end.
func TestIdlePipe(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		_, pod, done := tied(ctx, &relay.Pipe{})
		select {
		case err := <-done:
			t.Fatalf("Run: %v", err)
		case <-time.After(100 * time.Hour):
		}
		over := errors.New("over")
		cancel(over)
		if err := <-done; !errors.Is(err, over) {
			t.Errorf("Run: %v", err)
		}
		if _, err := pod.Read(make([]byte, 1)); err == nil {
			t.Error("the pod's connection stays open")
		}
	})
}

// TestHalfOpenPipe: the side that is left may go on, but not in silence.
func TestHalfOpenPipe(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		visitor, pod, done := tied(t.Context(), &relay.Pipe{})
		_ = visitor.CloseWrite()
		for range 3 {
			time.Sleep(4 * time.Minute)
			if _, err := io.WriteString(pod, "x"); err != nil {
				t.Fatalf("after %s: %v", time.Since(began), err)
			}
			if _, err := io.ReadFull(visitor, make([]byte, 1)); err != nil {
				t.Fatalf("after %s: %v", time.Since(began), err)
			}
		}
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took != 17*time.Minute {
			t.Errorf("ended after %s, want 5 minutes after the last word", took)
		}
	})
}

// TestPipeFails: one side that fails takes the other with it.
func TestPipeFails(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		visitor, pod, done := tied(t.Context(), &relay.Pipe{})
		_ = pod.Close()
		_, _ = io.WriteString(visitor, "into the void")
		if err := <-done; err == nil {
			t.Error("Run reports no failure")
		}
		if _, err := visitor.Read(make([]byte, 1)); err == nil {
			t.Error("the visitor's connection stays open")
		}
	})
}

func TestCopy(t *testing.T) {
	t.Parallel()

	content := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	for name, from := range map[string]io.Reader{
		"Whole": bytes.NewReader(content), "ByByte": iotest.OneByteReader(bytes.NewReader(content)),
		"DataWithEOF": iotest.DataErrReader(bytes.NewReader(content)),
	} {
		var to bytes.Buffer
		var tally atomic.Int64
		n, err := relay.Copy(&to, struct{ io.Reader }{from}, &tally)
		if err != nil || n != int64(len(content)) || tally.Load() != n || !bytes.Equal(to.Bytes(), content) {
			t.Errorf("%s: %d bytes, tally %d, %v", name, n, tally.Load(), err)
		}
	}
	failure := errors.New("broken")
	if _, err := relay.Copy(io.Discard, iotest.ErrReader(failure)); !errors.Is(err, failure) {
		t.Errorf("Copy: %v", err)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()

	here, there := net.Pipe()
	go func() {
		_, _ = io.WriteString(there, " and late")
		_ = there.Close()
	}()
	replayed := relay.Replay(relay.Replay(here, []byte(" then")), []byte("early"))
	if got, err := io.ReadAll(iotest.OneByteReader(replayed)); string(got) != "early then and late" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}
