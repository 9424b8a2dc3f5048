package proxy_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// TestEventStream: each event arrives before the next is sent.
func TestEventStream(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	next := map[string]chan string{}
	for name := range s.ways() {
		next["/"+name] = make(chan string)
	}
	host := s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush() // the header alone
		for {
			select {
			case text := <-next[r.URL.Path]:
				_, _ = fmt.Fprintf(w, "data: %s\n\n", text)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	for name, w := range s.ways() {
		response, err := w.client.Do(newRequest(t, http.MethodGet, w.scheme+"://"+host+"/"+name, nil))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines := bufio.NewReader(response.Body)
		for _, text := range []string{"one", "two", "three"} {
			next["/"+name] <- text
			line, err := lines.ReadString('\n')
			if err != nil || line != "data: "+text+"\n" {
				t.Fatalf("%s: got %q, %v", name, line, err)
			}
			_, _ = lines.ReadString('\n')
		}
		_ = response.Body.Close()
	}
}

// TestSlowBodyOfKnownLength: what is there is passed on even if the rest takes
// its time.
func TestSlowBodyOfKnownLength(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	release := make(chan struct{})
	host := s.pod("db", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = io.WriteString(w, "later")
	})
	for name, w := range s.ways() {
		response, err := w.client.Do(newRequest(t, http.MethodGet, w.scheme+"://"+host, nil))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		part := make([]byte, 5)
		if _, err := io.ReadFull(response.Body, part); err != nil || string(part) != "first" {
			t.Fatalf("%s: got %q, %v", name, part, err)
		}
		release <- struct{}{}
		if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != "later" {
			t.Errorf("%s: got %q, %v", name, rest, err)
		}
		_ = response.Body.Close()
	}
}

// TestBothWaysAtOnce: a pod that answers while it reads, piece by piece.
func TestBothWaysAtOnce(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_ = control.Flush()
		buffer := make([]byte, 100)
		for {
			n, err := r.Body.Read(buffer)
			_, _ = w.Write(buffer[:n])
			_ = control.Flush()
			if err != nil {
				return
			}
		}
	})
	s.each(t, func(t *testing.T, w way) {
		body, visitor := io.Pipe()
		response, err := w.client.Do(newRequest(t, http.MethodPost, w.scheme+"://"+host, body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		for i := range 100 {
			text := fmt.Sprintf("piece %02d", i)
			if _, err := io.WriteString(visitor, text); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(text))
			if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != text {
				t.Fatalf("got %q, %v, want %q", got, err, text)
			}
		}
		_ = visitor.Close()
		if rest, err := io.ReadAll(response.Body); err != nil || len(rest) > 0 {
			t.Errorf("at the end: %q, %v", rest, err)
		}
	})
}

// pattern is an endless body that does not repeat soon.
type pattern struct{ at int }

func (p *pattern) Read(buffer []byte) (int, error) {
	for i := range buffer {
		buffer[i] = byte(p.at * 2654435761 >> 13)
		p.at++
	}
	return len(buffer), nil
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()

	const size = 48 << 20
	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.Copy(w, io.LimitReader(&pattern{}, size))
			return
		}
		hash := sha256.New()
		n, err := io.Copy(hash, r.Body)
		_, _ = fmt.Fprintf(w, "%d %x %v", n, hash.Sum(nil), err)
	})
	hash := sha256.New()
	_, _ = io.Copy(hash, io.LimitReader(&pattern{}, size))
	sum := fmt.Sprintf("%x", hash.Sum(nil))
	s.each(t, func(t *testing.T, w way) {
		_, got := w.do(t, newRequest(t, http.MethodPost, w.scheme+"://"+host, io.LimitReader(&pattern{}, size)))
		if want := fmt.Sprintf("%d %s <nil>", size, sum); got != want {
			t.Errorf("the pod read %s, want %s", got, want)
		}
		response, err := w.client.Do(newRequest(t, http.MethodGet, w.scheme+"://"+host, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		back := sha256.New()
		if n, err := io.Copy(back, response.Body); n != size || err != nil || fmt.Sprintf("%x", back.Sum(nil)) != sum {
			t.Errorf("the visitor read %d bytes, %v", n, err)
		}
	})
}

// TestUploadIsNotHeldBack: the first part of a body is at the pod before the
// visitor sends the second.
func TestUploadIsNotHeldBack(t *testing.T) {
	t.Parallel()

	const part = 256 << 10 // more than what clients hold back themselves
	s := newSite(t)
	got := make(chan int, 10)
	host := s.pod("db", func(_ http.ResponseWriter, r *http.Request) {
		for range 2 {
			n, _ := io.CopyN(io.Discard, r.Body, part/2)
			got <- int(n)
		}
		n, _ := io.Copy(io.Discard, r.Body)
		got <- int(n)
	})
	for name, w := range s.ways() {
		body, visitor := io.Pipe()
		done := make(chan error, 1)
		r := newRequest(t, http.MethodPost, w.scheme+"://"+host, body)
		r.ContentLength = 2 * part
		go func() {
			response, err := w.client.Do(r)
			if err == nil {
				_ = response.Body.Close()
			}
			done <- err
		}()
		_, _ = visitor.Write(make([]byte, part))
		if n := receive(t, got, name+": the first part"); n != part/2 {
			t.Errorf("%s: the pod read %d bytes", name, n)
		}
		_, _ = visitor.Write(make([]byte, part))
		_ = visitor.Close()
		if n := receive(t, got, name+": more") + receive(t, got, name+": the rest"); n != part+part/2 {
			t.Errorf("%s: the pod read %d bytes of the rest", name, n)
		}
		if err := receive(t, done, "the answer"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEarlyAnswer: a pod may refuse a body without reading it.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "too much")
	})
	s.each(t, func(t *testing.T, w way) {
		body, visitor := io.Pipe()
		defer func() { _ = visitor.Close() }()
		response, err := w.client.Do(newRequest(t, http.MethodPost, w.scheme+"://"+host, body)) // nothing is sent
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusRequestEntityTooLarge || string(text) != "too much" || err != nil {
			t.Errorf("answer %d %q %v", response.StatusCode, text, err)
		}
	})
}

// TestUnreadBody: an answer to a body that nobody has read leaves a connection
// that the next request can use.
func TestUnreadBody(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	s.put("off", pods.StatusAvailable, freePort(t))
	s.each(t, func(t *testing.T, w way) {
		for range 50 {
			for url, want := range map[string]int{host: http.StatusForbidden, "off.pods.localhost": http.StatusServiceUnavailable} {
				r := newRequest(t, http.MethodPost, w.scheme+"://"+url, strings.NewReader("body"))
				if response, _ := w.do(t, r); response.StatusCode != want { // POST is not sent again by itself
					t.Fatalf("answer %d, want %d", response.StatusCode, want)
				}
			}
		}
	})
}

// TestExpectContinue: the visitor is asked for the body by the pod, not by the
// gateway.
func TestExpectContinue(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "read "+string(body))
	})
	const header = " HTTP/1.1\r\nHost: db.pods.localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
	open := func(path string) (net.Conn, *bufio.Reader) {
		t.Helper()
		conn, err := net.Dial("tcp", s.plain)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, "POST "+path+header)
		return conn, bufio.NewReader(conn)
	}

	_, answer := open("/refuse")
	response, err := http.ReadResponse(answer, nil)
	if err != nil || response.StatusCode != http.StatusExpectationFailed {
		t.Fatalf("refused body: %v, %v", response, err)
	}
	_ = response.Body.Close()

	conn, answer := open("/take")
	response, err = http.ReadResponse(answer, nil)
	if err != nil || response.StatusCode != http.StatusContinue {
		t.Fatalf("first answer: %v, %v, want 100", response, err)
	}
	_, _ = io.WriteString(conn, "body")
	response, err = http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK || string(text) != "read body" {
		t.Errorf("answer %d %q", response.StatusCode, text)
	}
}

// TestVisitorLeaves: the pod learns of it.
func TestVisitorLeaves(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	entered, left := make(chan struct{}), make(chan struct{})
	host := s.pod("db", func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	})
	for name, w := range s.ways() {
		r := newRequest(t, http.MethodGet, w.scheme+"://"+host, nil)
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			response, err := w.client.Do(r.WithContext(ctx))
			if err == nil {
				_ = response.Body.Close()
			}
		}()
		receive(t, entered, name+": the request")
		leave()
		receive(t, left, name+": its end")
	}
}

// TestBrokenUpload: a visitor who sends half a body is not the pod's failure,
// and what comes behind it is not taken for a request.
func TestBrokenUpload(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	reached := make(chan string, 10)
	s.pod("db", func(_ http.ResponseWriter, r *http.Request) {
		reached <- r.Method
		_, _ = io.ReadAll(r.Body)
	})
	s.put("off", pods.StatusAvailable, freePort(t))
	for host, want := range map[string]int{"db": http.StatusBadRequest, "off": http.StatusServiceUnavailable} {
		conn, err := net.Dial("tcp", s.plain)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: "+host+".pods.localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nnot a chunk\r\n"+
			"GET /smuggled HTTP/1.1\r\nHost: db.pods.localhost\r\n\r\n")
		answers := bufio.NewReader(conn)
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: answer %d, want %d", host, response.StatusCode, want)
		}
		if second, err := http.ReadResponse(answers, nil); err == nil {
			t.Errorf("%s: a second answer, %d", host, second.StatusCode)
			_ = second.Body.Close()
		}
		_ = conn.Close()
	}
	for range len(reached) {
		if method := <-reached; method != http.MethodPost {
			t.Error("what followed the body reached the pod")
		}
	}
}

// TestPodDiesInTheMiddle: the visitor can tell that the answer is not whole.
func TestPodDiesInTheMiddle(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 5000))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	s.each(t, func(t *testing.T, w way) {
		response, err := w.client.Do(newRequest(t, http.MethodGet, w.scheme+"://"+host, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if text, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("%d bytes look like a whole answer", len(text))
		}
	})
}
