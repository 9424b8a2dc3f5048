package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// postgresPort is part of the socket's name; no port is opened.
	postgresPort = "5432"
	dialTimeout  = 5 * time.Second
)

// patientSteps let clients leave before Postgres stops (its "smart", "fast"
// and "immediate" shutdown); promptSteps cut them off.
var (
	patientSteps = []step{{syscall.SIGTERM, 2 * time.Second}, {syscall.SIGINT, 30 * time.Second}, {syscall.SIGQUIT, 5 * time.Second}}
	promptSteps  = patientSteps[1:]
)

// postgres knows how one database cluster is laid out and run.
type postgres struct {
	account account
	bin     string // folder of the programs
	home    string // working folder, above data
	data    string
	sockets string
	config  Config
}

func newPostgres(config Config) (*postgres, error) {
	account, err := accountFor("postgres", "postgresql")
	if err != nil {
		return nil, err
	}
	home := filepath.Join(config.Dir, "postgres")
	p := &postgres{
		account: account, home: home, data: filepath.Join(home, "data"),
		sockets: socketDir(home), config: config,
	}
	if p.bin, err = findPostgres(p.data); err != nil {
		return nil, err
	}
	return p, p.layOut()
}

// layOut makes the folders.
func (p *postgres) layOut() error {
	if err := p.account.own(p.home, 0o700); err != nil {
		return err
	}
	if err := p.account.checkAccess(p.config.Dir, p.home, filepath.Join(p.bin, "postgres")); err != nil {
		return err
	}
	return makeSocketDir(p.sockets, p.account, 0o700)
}

func (p *postgres) url() string { return DatabaseURL(p.config.Dir) }

// DatabaseURL returns how to reach the database of servers that another process
// has started in dir, which must be absolute.
func DatabaseURL(dir string) string {
	address := url.URL{Scheme: "postgres", User: url.User("pods"), Path: "/pods"}
	sockets := socketDir(filepath.Join(dir, "postgres"))
	address.RawQuery = url.Values{"host": {sockets}, "port": {postgresPort}, "sslmode": {"disable"}}.Encode()
	return address.String()
}

func (p *postgres) server(config Config) *server {
	return &server{
		name: "postgres", logger: config.Logger, logPath: filepath.Join(config.Dir, "postgres.log"),
		orphaned: syscall.SIGINT, clear: p.clear, prepare: p.prepare, ready: p.ready,
		command: func() *exec.Cmd { return p.program("postgres", "-D", p.data) },
	}
}

// program runs as the server's user and sees none of our environment: libpq's
// variables would change what it does.
func (p *postgres) program(name string, args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(p.bin, name), args...) //nolint:gosec // Postgres's own programs
	command.Dir = p.home
	command.Env = []string{"PATH=" + p.bin + ":/usr/bin:/bin", "HOME=" + p.home, "LC_ALL=C"}
	command.SysProcAttr = p.account.attributes()
	return command
}

// clear ends what a killed predecessor has left and removes its marks.
func (p *postgres) clear(ctx context.Context) error {
	if err := endOrphans(ctx, p.home, 30*time.Second); err != nil {
		return err
	}
	// Postgres takes a process that has got its predecessor's number for the
	// predecessor. We know that nobody uses the data.
	marks := []string{
		filepath.Join(p.data, "postmaster.pid"),
		filepath.Join(p.sockets, ".s.PGSQL."+postgresPort),
		filepath.Join(p.sockets, ".s.PGSQL."+postgresPort+".lock"),
	}
	for _, mark := range marks {
		if err := os.Remove(mark); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove what an ended Postgres has left: %w", err)
		}
	}
	return nil
}

// prepare makes the database if there is none and configures it.
func (p *postgres) prepare(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(p.data, "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		if err := p.initialize(ctx); err != nil {
			return err
		}
	}
	return p.writeConfiguration()
}

func (p *postgres) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := pgconn.Connect(ctx, p.url())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// whoami returns the name of this process's user, as Postgres will see it.
func whoami() (string, error) {
	me, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("find out this user's name: %w", err)
	}
	return me.Username, nil
}
