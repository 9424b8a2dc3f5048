package streams_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// TestFirstBytes: what is neither TLS nor Postgres gets the answer of HTTP or
// none, and the gateway goes on.
func TestFirstBytes(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.serve("raw", pods.ProtocolTCP, echo)
	uint32s := func(values ...uint32) string {
		var text []byte
		for _, value := range values {
			text = binary.BigEndian.AppendUint32(text, value)
		}
		return string(text)
	}
	// One handshake record that says it is longer than any that is taken.
	hugeHello := "\x16\x03\x01\x40\x00\x01\x00\xff\xff" + strings.Repeat("x", 1<<14-4) + "\x16\x03\x01\x40\x00" + strings.Repeat("x", 1<<14)
	tests := map[string]struct {
		sends string
		want  string // a part of what comes before the end
	}{
		"HTTP":             {"GET / HTTP/1.1\r\nHost: raw.pods.localhost\r\n\r\n", "Client sent an HTTP request to an HTTPS server"},
		"ProxyHeaderV1":    {"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", ""},
		"ProxyHeaderV2":    {"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", ""},
		"Garbage":          {"\xff\xfe\xfd\xfc\xfb\xfa", ""},
		"HugeHello":        {hugeHello, ""},
		"BrokenHello":      {"\x16\x03\x01\x00\x05\x01\x00\x00\x01x", ""},
		"Zeros":            {strings.Repeat("\x00", 64), ""},
		"HugeStartup":      {uint32s(1<<30, 3<<16), ""},
		"GSSForever":       {strings.Repeat(uint32s(8, 80877104), 9), "NN"},
		"TextAfterRequest": {uint32s(8, 80877103) + "GET / HTTP/1.1\r\n\r\n", "S"},
		"PlainCancel":      {uint32s(16, 80877102, 1, 2), ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			conn := dial(t, s.secure)
			_, _ = io.WriteString(conn, tc.sends)
			got, err := io.ReadAll(conn)
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				t.Fatalf("the connection stays open after %q", got)
			}
			if !strings.Contains(string(got), tc.want) {
				t.Errorf("read %q, want %q", got, tc.want)
			}
		})
	}
	if got := say(t, s.open(t, host), "still here"); got != "still here" {
		t.Errorf("echo %q", got)
	}
}

// TestNames: without a name, or with one that is not the gateway's, there is no
// handshake, as for HTTP.
func TestNames(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	s.serve("raw", pods.ProtocolTCP, echo)
	for _, name := range []string{"", "example.com", "raw.pods.localhost.example.com", "x.raw.pods.localhost"} {
		conn := tls.Client(dial(t, s.secure), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err := conn.Handshake(); err == nil {
			t.Errorf("a handshake for %q succeeds", name)
		}
		// And the same behind a request of Postgres.
		raw := dial(t, s.secure)
		_, _ = io.WriteString(raw, "\x00\x00\x00\x08\x04\xd2\x16\x2f")
		_, _ = io.ReadFull(raw, make([]byte, 1))
		if err := tls.Client(raw, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake(); err == nil {
			t.Errorf("a handshake of Postgres for %q succeeds", name)
		}
	}
	// Case and the last dot make no difference.
	conn := tls.Client(dial(t, s.secure), &tls.Config{ServerName: "RAW.Pods.localhost", RootCAs: s.trusted})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := say(t, conn, "hello"); got != "hello" {
		t.Errorf("echo %q", got)
	}
}

// TestSlowClients: who does not say what it wants is not waited for.
func TestSlowClients(t *testing.T) {
	t.Parallel()

	s := newSite(t, func(c *settings) { c.streams.FirstTimeout = 100 * time.Millisecond })
	s.serve("raw", pods.ProtocolTCP, echo)
	s.put("off", pods.ProtocolPostgres, pods.StatusStopped, nil)
	for name, sends := range map[string]string{
		"Nothing":        "",
		"HalfAHello":     "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"HalfARequest":   "\x00\x00\x00\x08",
		"RequestAndWait": "\x00\x00\x00\x08\x04\xd2\x16\x2f",
		"HalfAStartup":   "\x00\x00\x00\x40\x00\x03\x00\x00user",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			conn := dial(t, s.secure)
			_, _ = io.WriteString(conn, sends)
			wantEnd(t, conn)
		})
	}
	t.Run("HelloAndWait", func(t *testing.T) {
		t.Parallel()

		conn := dial(t, s.secure)
		client := tls.Client(&silenced{Conn: conn}, &tls.Config{ServerName: "raw.pods.localhost", RootCAs: s.trusted})
		if err := client.Handshake(); err == nil {
			t.Error("the handshake succeeds")
		}
		wantEnd(t, conn)
	})
	t.Run("HandshakeAndWait", func(t *testing.T) {
		t.Parallel()

		conn := s.open(t, "raw.pods.localhost")
		select { // longer than a client may take before
		case <-time.After(300 * time.Millisecond):
		case <-t.Context().Done():
		}
		if got := say(t, conn, "hello"); got != "hello" {
			t.Errorf("echo %q", got)
		}
	})
}

// silenced is a client's connection on which only the first message is sent,
// and whose answers are kept from it.
type silenced struct {
	net.Conn
	spoken bool
}

func (s *silenced) Write(message []byte) (int, error) {
	if s.spoken {
		return len(message), nil
	}
	s.spoken = true
	return s.Conn.Write(message)
}

func (s *silenced) Read([]byte) (int, error) { return 0, io.EOF }

// TestPodVanishes: a pod that is killed takes its connections with it.
func TestPodVanishes(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.serve("raw", pods.ProtocolTCP, func(conn net.Conn) {
		_, _ = io.ReadFull(conn, make([]byte, 1))
		_ = conn.(*net.TCPConn).SetLinger(0) // the end is a reset
	})
	conn := s.open(t, host)
	_, _ = io.WriteString(conn, "x")
	wantEnd(t, conn)
	s.waitForLog(t, "pod_id=raw", "result=broken", "reset")
}

// TestVisitorVanishes: a pod learns that its visitor has gone without a word.
func TestVisitorVanishes(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	ended := make(chan struct{})
	host := s.serve("raw", pods.ProtocolTCP, func(conn net.Conn) {
		_, _ = io.Copy(conn, conn)
		close(ended)
	})
	conn := s.open(t, host)
	say(t, conn, "hello")
	_ = conn.NetConn().(*net.TCPConn).SetLinger(0)
	_ = conn.NetConn().Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the pod's connection stays open")
	}
}

// TestSplitHello: a handshake may arrive byte by byte, and more may follow it
// at once.
func TestSplitHello(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.serve("raw", pods.ProtocolTCP, echo)
	web := s.web("web", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "web") })
	for _, name := range []string{host, web} {
		conn := tls.Client(&dribble{Conn: dial(t, s.secure)}, &tls.Config{ServerName: name, RootCAs: s.trusted})
		if err := conn.Handshake(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == host {
			if got := say(t, conn, "hello"); got != "hello" {
				t.Errorf("echo %q", got)
			}
			continue
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+web+"\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(response.Body)
		_ = response.Body.Close()
		if body.String() != "web" {
			t.Errorf("answer %d %q", response.StatusCode, body.String())
		}
	}
}

// dribble sends one byte at a time.
type dribble struct{ net.Conn }

func (d *dribble) Write(message []byte) (int, error) {
	for i := range message {
		if _, err := d.Conn.Write(message[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(message), nil
}
