package streams_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/gateway/streams"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

// script is a connection on which a client says certain bytes, so many at a
// time, and listens to nothing.
type script struct {
	net.Conn
	said  []byte
	piece int
	taken int
}

func newScript(said []byte, piece uint8) *script {
	return &script{said: said, piece: int(piece)*64 + 1}
}

func (s *script) Read(buffer []byte) (int, error) {
	n := copy(buffer[:min(len(buffer), s.piece)], s.said[s.taken:])
	if s.taken += n; n == 0 && len(buffer) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (s *script) Write(text []byte) (int, error)   { return len(text), nil }
func (s *script) Close() error                     { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// helloOf returns the ClientHello of a client of crypto/tls.
func helloOf(config *tls.Config) []byte {
	said := &recorded{}
	_ = tls.Client(said, config).Handshake() // ends when nobody answers
	return said.Bytes()
}

type recorded struct {
	script
	bytes.Buffer
}

func (r *recorded) Read([]byte) (int, error)       { return 0, io.EOF }
func (r *recorded) Write(text []byte) (int, error) { return r.Buffer.Write(text) }

const (
	sslRequest = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
	gssRequest = "\x00\x00\x00\x08\x04\xd2\x16\x30"
)

// inRecords puts a handshake message into records of at most size bytes.
func inRecords(hello []byte, size int) []byte {
	message, records := hello[5:], []byte{}
	for len(message) > 0 {
		n := min(size, len(message))
		records = append(records, 22, 3, 1, byte(n>>8), byte(n))
		records, message = append(records, message[:n]...), message[n:]
	}
	return records
}

// seeds are first bytes of clients, good and bad.
func seeds() [][]byte {
	hello := helloOf(&tls.Config{ServerName: "raw.pods.localhost"})
	all := [][]byte{
		hello, inRecords(hello, 7), inRecords(hello, 1),
		helloOf(&tls.Config{ServerName: "DB.pods.localhost", NextProtos: []string{"postgresql"}}),
		helloOf(&tls.Config{ServerName: "web.pods.localhost", NextProtos: []string{"h2", "http/1.1"}}),
		helloOf(&tls.Config{InsecureSkipVerify: true}),
		helloOf(&tls.Config{ServerName: "raw.pods.localhost", MaxVersion: tls.VersionTLS12}),
		bytes.Replace(hello, []byte("raw.pods"), []byte("raw\x00pods"), 1),
		bytes.Replace(hello, []byte("localhost"), []byte("localhos."), 1),
		hello[:len(hello)-1],
		append([]byte("\x16\x03\x01\x00\x00"), hello...),                                          // a record of nothing
		append([]byte("\x15\x03\x01\x00\x02\x01\x00"), hello...),                                  // a warning first
		append([]byte("\x14\x03\x03\x00\x01\x01"), hello...),                                      // a change of ciphers first
		append(bytes.Clone(hello), "GET / HTTP/1.1\r\n\r\n"...),                                   // more behind
		[]byte("\x16\x03\x01\x40\x00\x01\x00\xff\xff" + strings.Repeat("x", streams.MaxHello+10)), // longer than any
		[]byte("GET / HTTP/1.1\r\nHost: raw.pods.localhost\r\n\r\n"),
		[]byte(sslRequest), []byte(gssRequest + gssRequest + gssRequest), []byte("\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02"),
		[]byte("\x00\x00\x00\x17\x00\x03\x00\x00user\x00postgres\x00\x00"), []byte("\x00\x00\x00\x09\x04\xd2\x16\x2f\x00"),
		[]byte("\x40\x00\x00\x00\x00\x03\x00\x00"), {}, {0}, {0x16},
	}
	for _, said := range all[:5] {
		all = append(all, append([]byte(sslRequest), said...), append([]byte(gssRequest+sslRequest), said...))
	}
	return all
}

// FuzzHello: a ClientHello is read within its bound, nothing of what it took is
// lost, and the name in it, by which the pod is chosen, is the one for which
// the handshake then asks a certificate.
func FuzzHello(f *testing.F) {
	for _, said := range seeds() {
		f.Add(said, uint8(31))
		f.Add(bytes.TrimPrefix(said, []byte(sslRequest)), uint8(0))
	}
	f.Fuzz(func(t *testing.T, said []byte, piece uint8) {
		conn := newScript(said, piece)
		name, found, taken, err := streams.ReadHello(conn)
		if conn.taken > streams.MaxHello {
			t.Errorf("%d bytes are read", conn.taken)
		}
		if err == nil && !bytes.Equal(taken, said[:conn.taken]) {
			t.Errorf("of %q are handed on %q", said[:conn.taken], taken)
		}
		asked, askedFor := false, ""
		_ = tls.Server(newScript(said, 255), &tls.Config{GetCertificate: func(info *tls.ClientHelloInfo) (*tls.Certificate, error) {
			asked, askedFor = true, info.ServerName
			return nil, io.EOF
		}}).Handshake()
		switch {
		case !asked:
		case err != nil && len(said) > streams.MaxHello: // too long for us
		case err != nil || !found:
			t.Errorf("there is a handshake for %q, which is not seen: %v", askedFor, err)
		case askedFor != name:
			t.Errorf("the name is read as %q, and the handshake is for %q", name, askedFor)
		}
	})
}

// FuzzFirstBytes: whatever a client begins with, little of it is read, and who
// is to read it next gets all but the requests that have been answered. A host
// is one of the table's, and of the right protocol.
func FuzzFirstBytes(f *testing.F) {
	for _, said := range seeds() {
		f.Add(said, uint8(0))
		f.Add(said, uint8(31))
	}
	authority, err := certs.Open(certs.Options{Dir: f.TempDir(), Domains: []string{"pods.localhost"}})
	if err != nil {
		f.Fatal(err)
	}
	s := &site{t: f}
	s.table.Store(&routes.Table{})
	of := map[string]string{}
	for id, protocol := range map[string]string{"raw": pods.ProtocolTCP, "db": pods.ProtocolPostgres, "web": pods.ProtocolHTTP} {
		of[s.put(id, protocol, pods.StatusAvailable, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})] = protocol
	}
	handler := streams.New(streams.Options{
		Routes: s.table.Load, GetCertificate: authority.GetCertificate, Logger: slog.New(slog.DiscardHandler),
	})
	f.Fuzz(func(t *testing.T, said []byte, piece uint8) {
		conn := newScript(said, piece)
		protocol, host, rest, err := handler.Identify(conn)
		if conn.taken > streams.MaxFirst {
			t.Errorf("%d bytes are read", conn.taken)
		}
		if err != nil {
			return
		}
		left, err := io.ReadAll(rest)
		if err != nil {
			t.Fatal(err)
		}
		answered := len(said) - len(left)
		if !bytes.HasSuffix(said, left) || answered != 0 && protocol != pods.ProtocolPostgres {
			t.Errorf("%q of %q is left for %q", left, said, protocol)
		}
		switch text := string(said[:answered]); text {
		case "", sslRequest, gssRequest, gssRequest + sslRequest:
		default:
			t.Errorf("%q is answered", text)
		}
		negotiated := strings.HasSuffix(string(said[:answered]), sslRequest)
		if host != "" && !negotiated && (of[host] != protocol || protocol == pods.ProtocolHTTP) {
			t.Errorf("%s is a host of %q, not of %q", host, of[host], protocol)
		}
	})
}
