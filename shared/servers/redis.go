package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

var redisSteps = []step{{syscall.SIGTERM, 10 * time.Second}}

// redisPrograms are tried in this order; the second is the first's successor
// on systems that have replaced it.
var redisPrograms = []string{"redis-server", "valkey-server"}

// redis knows how one Redis is laid out and run. It keeps nothing on disk: all
// in it may be lost.
type redis struct {
	account account
	program string
	home    string // its working folder
	socket  string
}

func newRedis(config Config) (*redis, error) {
	program, err := findRedis()
	if err != nil {
		return nil, err
	}
	account, err := accountFor("redis", "redis-server")
	if err != nil {
		return nil, err
	}
	home := filepath.Join(config.Dir, "redis")
	r := &redis{account: account, program: program, home: home, socket: filepath.Join(socketDir(home), "redis.sock")}
	if err := account.own(home, 0o700); err != nil {
		return nil, err
	}
	if err := account.checkAccess(config.Dir, home, program); err != nil {
		return nil, err
	}
	return r, makeSocketDir(filepath.Dir(r.socket), account, 0o700)
}

func findRedis() (string, error) {
	for _, name := range redisPrograms {
		if program, err := exec.LookPath(name); err == nil {
			return program, nil
		}
	}
	return "", errors.New("Redis is missing; install it with: apt-get install redis-server") //nolint:staticcheck // a name
}

func (r *redis) url() string {
	return (&url.URL{Scheme: "unix", Path: r.socket}).String()
}

func (r *redis) server(config Config) *server {
	return &server{
		name: "redis", logger: config.Logger, logPath: filepath.Join(config.Dir, "redis.log"),
		orphaned: syscall.SIGTERM, clear: r.clear, ready: r.ready, command: r.command,
		prepare: func(context.Context) error { return nil },
	}
}

func (r *redis) command() *exec.Cmd {
	command := exec.Command(r.program, "-") //nolint:gosec // Redis's own program
	command.Stdin = strings.NewReader(r.configuration())
	command.Dir = r.home
	command.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + r.home, "LC_ALL=C"}
	command.SysProcAttr = r.account.attributes()
	return command
}

func (r *redis) configuration() string {
	return strings.Join([]string{
		"port 0",
		fmt.Sprintf("unixsocket %q", r.socket),
		"unixsocketperm 700",
		"daemonize no",
		"save \"\"",
		"appendonly no",
		"maxmemory 64mb",
		"maxmemory-policy allkeys-lru",
		"",
	}, "\n")
}

// clear ends what a killed predecessor has left.
func (r *redis) clear(ctx context.Context) error {
	if err := endOrphans(ctx, r.home, 5*time.Second); err != nil {
		return err
	}
	if err := os.Remove(r.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove what an ended Redis has left: %w", err)
	}
	return nil
}

// ready asks for a sign of life, in Redis's own words.
func (r *redis) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", r.socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline) // a socket that takes none fails below
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && strings.TrimSpace(answer) != "+PONG" {
		err = fmt.Errorf("unexpected answer %q", answer)
	}
	return err
}
