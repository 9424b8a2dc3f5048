package streams_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// started are the programs that end with the tests.
var started struct {
	mu   sync.Mutex
	ends []func()
}

func atEnd(end func()) {
	started.mu.Lock()
	defer started.mu.Unlock()
	started.ends = append(started.ends, end)
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, end := range slices.Backward(started.ends) {
		end()
	}
	os.Exit(code)
}

// missing is the error of a test that needs a program which is not here.
func missing(program, debianPackage string) error {
	return fmt.Errorf("%s is not installed, and this test needs a real one: apt-get install %s", program, debianPackage)
}

// launch runs a program in dir as user when this process is root, until the
// tests end.
func launch(dir, as, name string, args ...string) error {
	command, err := commandAs(dir, as, name, args...)
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	atEnd(func() {
		_ = command.Process.Signal(syscall.SIGINT)
		_ = command.Wait()
	})
	return nil
}

func commandAs(dir, as, name string, args ...string) (*exec.Cmd, error) {
	command := exec.Command(name, args...)
	command.Dir = dir
	command.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=" + dir}
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		uid, gid, err := idsOf(as)
		if err != nil {
			return nil, err
		}
		command.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return command, nil
}

func idsOf(name string) (uid, gid uint32, err error) {
	account, err := user.Lookup(name)
	if err != nil {
		return 0, 0, fmt.Errorf("root cannot run the program, and its package has made no user for it: %w", err)
	}
	u, err1 := strconv.ParseUint(account.Uid, 10, 32)
	g, err2 := strconv.ParseUint(account.Gid, 10, 32)
	return uint32(u), uint32(g), errors.Join(err1, err2)
}

// newDir makes a folder that belongs to user when this process is root.
func newDir(as string) (string, error) {
	dir, err := os.MkdirTemp("", "pods-streams-")
	if err != nil {
		return "", err
	}
	atEnd(func() { _ = os.RemoveAll(dir) })
	return dir, own(dir, as)
}

func own(path, as string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := idsOf(as)
	if err != nil {
		return err
	}
	return os.Chown(path, int(uid), int(gid))
}

// forward is a TCP address that leads to a Unix socket.
func forward(t testing.TB, socket string) net.Addr {
	t.Helper()
	return program(t, func(conn net.Conn) {
		server, err := net.Dial("unix", socket)
		if err != nil {
			return
		}
		defer server.Close()
		go func() {
			_, _ = io.Copy(server, conn)
			_ = server.(*net.UnixConn).CloseWrite()
		}()
		_, _ = io.Copy(conn, server)
	})
}

// waitFor tries until try succeeds.
func waitFor(try func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond) // a program starts; there is nothing to wait on
	}
}

// redisSocket is where one real Redis listens.
var redisSocket = sync.OnceValues(func() (string, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return "", missing("redis-server", "redis-server")
	}
	dir, err := newDir("redis")
	if err != nil {
		return "", err
	}
	socket := filepath.Join(dir, "redis.sock")
	if err := launch(dir, "redis", "redis-server", "--port", "0", "--unixsocket", socket, "--save", ""); err != nil {
		return "", err
	}
	return socket, waitFor(func() error {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
})

// database is one real Postgres. On its port it speaks TLS; on its socket it
// says that it does not.
type database struct {
	address net.Addr
	socket  string
	caFile  string // trusts its own certificate, for *.pods.localhost
}

const noPort = 0

var openDatabase = sync.OnceValues(func() (*database, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return nil, missing("Postgres (/usr/lib/postgresql/*/bin/initdb)", "postgresql")
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := newDir("postgres")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initialize, err := commandAs(dir, "postgres", filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
	if err != nil {
		return nil, err
	}
	if output, err := initialize.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, output)
	}
	if err := writeCertificate(data); err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(noPort))
	if err != nil {
		return nil, err
	}
	address := free.Addr().(*net.TCPAddr)
	_ = free.Close()
	port := strconv.Itoa(address.Port)
	err = launch(dir, "postgres", filepath.Join(bin, "postgres"), "-D", data, "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+dir, "-c", "fsync=off",
		"-c", "ssl=on", "-c", "ssl_cert_file=server.pem", "-c", "ssl_key_file=server.key", "-c", "max_connections=50")
	if err != nil {
		return nil, err
	}
	return &database{address: address, socket: filepath.Join(dir, ".s.PGSQL."+port), caFile: filepath.Join(dir, "ca.pem")},
		waitFor(func() error {
			conn, err := pgx.Connect(context.Background(), "host="+dir+" port="+port+" user=postgres dbname=postgres")
			if err != nil {
				return err
			}
			return conn.Close(context.Background())
		})
})

// writeCertificate makes the certificate of a database, for all pods' hosts.
func writeCertificate(data string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the container's own"}, DNSNames: []string{"*.pods.localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certificatePEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	keyFile := filepath.Join(data, "server.key")
	return errors.Join(
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600), own(keyFile, "postgres"),
		os.WriteFile(filepath.Join(data, "server.pem"), certificatePEM, 0o644),
		os.WriteFile(filepath.Join(filepath.Dir(data), "ca.pem"), certificatePEM, 0o644),
	)
}

// psql runs one statement through psql and returns what it prints.
func psql(t testing.TB, connection, statement string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("psql")
	if err != nil {
		t.Fatal(missing("psql", "postgresql-client"))
	}
	command := exec.CommandContext(t.Context(), program, "-X", "-A", "-t", "-c", statement, connection)
	command.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=" + t.TempDir()}
	output, err := command.CombinedOutput()
	return strings.TrimSpace(string(output)), err
}
