package streams_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pods-service/pods/shared/pods"
)

// databases puts two pods of one real Postgres into the table: "own" speaks TLS
// itself, "plain" does not. It returns for each the file of whom to trust.
func databases(t *testing.T, s *site) map[string]string {
	t.Helper()
	db, err := openDatabase()
	if err != nil {
		t.Fatal(err)
	}
	gatewayCA := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(gatewayCA, s.ca, 0o600); err != nil {
		t.Fatal(err)
	}
	s.put("own", pods.ProtocolPostgres, pods.StatusAvailable, db.address)
	s.put("plain", pods.ProtocolPostgres, pods.StatusAvailable, forward(t, db.socket))
	return map[string]string{"own": db.caFile, "plain": gatewayCA}
}

// connection is what reaches a pod through the gateway.
func (s *site) connection(id string, more ...string) string {
	_, port, _ := net.SplitHostPort(s.secure)
	return strings.Join(append([]string{
		"host=" + id + ".pods.localhost", "port=" + port, "user=postgres", "dbname=postgres",
	}, more...), " ")
}

// connect connects with pgx, which resolves the host itself.
func (s *site) connect(t *testing.T, connection string) (*pgx.Conn, error) {
	t.Helper()
	config, err := pgx.ParseConfig(connection)
	if err != nil {
		t.Fatal(err)
	}
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	config.ConnectTimeout = patience
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

// TestPostgres: real servers and real clients, which verify whose certificate
// they see: the container's own where it has one, else the gateway's.
func TestPostgres(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	for id, caFile := range databases(t, s) {
		t.Run(id, func(t *testing.T) {
			t.Parallel()

			t.Run("psql", func(t *testing.T) {
				t.Parallel()

				for _, mode := range []string{"sslmode=require", "sslmode=prefer", "sslmode=verify-full sslrootcert=" + caFile} {
					got, err := psql(t, s.connection(id, "hostaddr=127.0.0.1", mode), "SELECT 6 * 7")
					if err != nil || got != "42" {
						t.Errorf("%s: %q, %v", mode, got, err)
					}
				}
			})
			t.Run("pgx", func(t *testing.T) {
				t.Parallel()

				for _, mode := range []string{"", "sslnegotiation=direct"} {
					conn, err := s.connect(t, s.connection(id, "sslmode=verify-full", "sslrootcert="+caFile, mode))
					if err != nil {
						t.Fatalf("connect %s: %v", mode, err)
					}
					var length int
					if err := conn.QueryRow(t.Context(), "SELECT length($1::text)", strings.Repeat("x", 1<<20)).Scan(&length); err != nil || length != 1<<20 {
						t.Errorf("%s: %d, %v", mode, length, err)
					}
				}
			})
			t.Run("Cancel", func(t *testing.T) {
				t.Parallel()

				conn, err := s.connect(t, s.connection(id, "sslmode=verify-full", "sslrootcert="+caFile))
				if err != nil {
					t.Fatal(err)
				}
				result := make(chan error, 1)
				go func() {
					_, err := conn.Exec(context.Background(), "SELECT pg_sleep(60)")
					result <- err
				}()
				// A request that comes before the statement has no effect.
				if err := waitFor(func() error {
					_ = conn.PgConn().CancelRequest(t.Context())
					select {
					case err := <-result:
						result <- err
						return nil
					default:
						return errors.New("the statement runs on")
					}
				}); err != nil {
					t.Fatal(err)
				}
				if failure, ok := errors.AsType[*pgconn.PgError](<-result); !ok || failure.Code != "57014" {
					t.Errorf("the statement ended with %v", failure)
				}
			})
		})
	}
}

// TestPostgresRefusals: a client is told why it is not let in, and psql shows
// it.
func TestPostgresRefusals(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	listener := listen(t)
	_ = listener.Close()
	s.put("off", pods.ProtocolPostgres, pods.StatusStopped, nil)
	s.put("new", pods.ProtocolPostgres, pods.StatusRequested, nil)
	s.put("deaf", pods.ProtocolPostgres, pods.StatusAvailable, listener.Addr())
	s.put("web", pods.ProtocolHTTP, pods.StatusAvailable, listener.Addr())
	s.serve("odd", pods.ProtocolPostgres, func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	s.serve("closed", pods.ProtocolPostgres, func(net.Conn) { t.Error("the pod was reached") },
		func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.0/8"} })
	tests := map[string]struct {
		id, mode   string
		code, text string
		direct     bool // works over TLS at once as well
	}{
		"Stopped":      {"off", "require", "57P03", "the pod is stopped", true},
		"Starting":     {"new", "require", "57P03", "the pod is starting", true},
		"NotListening": {"deaf", "require", "57P03", "does not take connections yet", true},
		"NotPostgres":  {"odd", "require", "08P01", "does not answer as Postgres does", true},
		"NotAllowed":   {"closed", "require", "28000", "yours is not among them", true},
		"NoPod":        {"none", "require", "08004", "there is no pod with this address", false},
		"WebPod":       {"web", "require", "08004", "is not that of a Postgres server", false},
		"NoTLS":        {"off", "disable", "28000", "sslmode=require", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			connections := []string{s.connection(tc.id, "sslmode="+tc.mode)}
			if tc.direct {
				connections = append(connections, s.connection(tc.id, "sslmode=require", "sslnegotiation=direct"))
			}
			for _, connection := range connections {
				_, err := s.connect(t, connection)
				failure, ok := errors.AsType[*pgconn.PgError](err)
				if !ok || failure.Code != tc.code || !strings.Contains(failure.Message, tc.text) {
					t.Errorf("%s: %v, want %s and %q", connection, err, tc.code, tc.text)
				}
			}
			output, err := psql(t, s.connection(tc.id, "hostaddr=127.0.0.1", "sslmode="+tc.mode), "SELECT 1")
			if err == nil || !strings.Contains(output, tc.text) {
				t.Errorf("psql says %q, want %q", output, tc.text)
			}
		})
	}
}

// TestPostgresWithoutTable: a gateway that has just begun says so.
func TestPostgresWithoutTable(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	s.table.Store(nil)
	_, err := s.connect(t, s.connection("db", "sslmode=require"))
	if failure, ok := errors.AsType[*pgconn.PgError](err); !ok || failure.Code != "57P03" || !strings.Contains(failure.Message, "starting") {
		t.Errorf("connect: %v", err)
	}
}

// TestPostgresAnswerTakesTooLong: a pod that takes the question and is silent.
func TestPostgresAnswerTakesTooLong(t *testing.T) {
	t.Parallel()

	s := newSite(t, func(c *settings) { c.streams.AnswerTimeout = 50 * time.Millisecond })
	s.serve("mute", pods.ProtocolPostgres, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	_, err := s.connect(t, s.connection("mute", "sslmode=require"))
	if failure, ok := errors.AsType[*pgconn.PgError](err); !ok || failure.Code != "08P01" {
		t.Errorf("connect: %v", err)
	}
	s.waitForLog(t, "protocol=postgres", "result=bad_answer", "i/o timeout")
}

// TestGSSAPI: a client that asks for that encryption first is told no, and may
// go on to ask for TLS.
func TestGSSAPI(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	databases(t, s)
	conn := dial(t, s.secure)
	ask := func(request pgproto3.FrontendMessage) byte {
		t.Helper()
		message, _ := request.Encode(nil)
		answer := make([]byte, 1)
		_, _ = conn.Write(message)
		if _, err := io.ReadFull(conn, answer); err != nil {
			t.Fatal(err)
		}
		return answer[0]
	}
	if got := ask(&pgproto3.GSSEncRequest{}); got != 'N' {
		t.Fatalf("answer %q", got)
	}
	if got := ask(&pgproto3.SSLRequest{}); got != 'S' {
		t.Fatalf("answer %q", got)
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: s.trusted, ServerName: "plain.pods.localhost"})
	if err := secure.Handshake(); err != nil {
		t.Fatal(err)
	}
}

// TestPassedThrough: where the container has TLS of its own, the gateway sees
// nothing but what everybody on the way sees.
func TestPassedThrough(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	caFile := databases(t, s)["own"]
	trusted := x509.NewCertPool()
	ca, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	trusted.AppendCertsFromPEM(ca)
	conn := tls.Client(dial(t, s.secure), &tls.Config{RootCAs: trusted, ServerName: "own.pods.localhost"})
	if err := conn.Handshake(); err != nil {
		t.Fatalf("handshake with the container: %v", err)
	}
	if got := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; got != "the container's own" {
		t.Errorf("certificate of %q", got)
	}
}
