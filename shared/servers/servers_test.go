package servers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/redis/go-redis/v9"

	"github.com/pods-service/pods/shared/servers"
)

// patience bounds every wait for something that must happen.
const patience = time.Minute

// holdDir names the folder in which a helper process is to run servers until
// it is killed.
const holdDir = "SERVERS_TEST_HOLD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdDir); dir != "" {
		hold(dir)
	}
	os.Exit(m.Run())
}

// hold runs servers and tells their addresses. It returns only on failure.
func hold(dir string) {
	running, err := servers.Start(context.Background(), servers.Config{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(running.DatabaseURL)
	fmt.Println(running.RedisURL)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test lets go
	os.Exit(0)                           // without stopping anything
}

// holder is a process of its own that runs servers.
type holder struct {
	process               *exec.Cmd
	databaseURL, redisURL string
}

func startHolder(t *testing.T, dir string) *holder {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), holdDir+"="+dir)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("start the holder: %v", err)
	}
	h := &holder{process: command}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for _, line := range []*string{&h.databaseURL, &h.redisURL} {
		if !lines.Scan() {
			t.Fatal("the holder did not start its servers")
		}
		*line = lines.Text()
	}
	return h
}

// kill ends the holder as kill -9 does.
func (h *holder) kill(t *testing.T) {
	t.Helper()
	if err := h.process.Process.Kill(); err != nil {
		t.Fatalf("kill the holder: %v", err)
	}
	_ = h.process.Wait()
}

// folder returns a folder that all users can reach.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pods-servers-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := servers.Remove(ctx, dir); err != nil {
			t.Errorf("Remove: %v", err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder is still there: %v", err)
		}
		if left := processesIn(t, dir); len(left) != 0 {
			t.Errorf("processes %v still run", left)
		}
	})
	return dir
}

func start(t *testing.T, config servers.Config) *servers.Servers {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	running, err := servers.Start(ctx, config)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := running.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return running
}

// processesIn lists the processes whose working folder is in dir.
func processesIn(t *testing.T, dir string) []int {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, dir+"/") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			found = append(found, pid)
		}
	}
	return found
}

// query runs a statement and returns the text of its values.
func query(t *testing.T, url, statement string) (string, error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return "", err
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), statement)
	if err != nil {
		return "", err
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(values, " "), err
}

func mustQuery(t *testing.T, url, statement string) string {
	t.Helper()
	value, err := query(t, url, statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}

func redisClient(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatalf("read %s: %v", url, err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func postmaster(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatalf("find the postmaster: %v", err)
	}
	number, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("find the postmaster: %v", err)
	}
	return pid
}

// eventually tries again until check succeeds.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	running := start(t, servers.Config{Dir: dir, TimeZone: "Asia/Kathmandu"})
	url := running.DatabaseURL
	for setting, want := range map[string]string{
		"listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"TimeZone": "Asia/Kathmandu", "server_encoding": "UTF8", "lc_collate": "C",
	} {
		if got := mustQuery(t, url, "SHOW "+setting); got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	if got := mustQuery(t, url, "SELECT format('%s %s %s', usename, usesuper, usecreatedb) FROM pg_user WHERE usename = current_user"); got != "pods f t" {
		t.Errorf("the user, superuser, may make databases: %q, want pods, no, yes", got)
	}
	client := redisClient(t, running.RedisURL)
	for setting, want := range map[string]string{
		"port": "0", "maxmemory": "67108864", "maxmemory-policy": "allkeys-lru", "appendonly": "no", "save": "",
	} {
		if got, err := client.ConfigGet(t.Context(), setting).Result(); err != nil || got[setting] != want {
			t.Errorf("Redis's %s is %q (%v), want %q", setting, got[setting], err, want)
		}
	}
	mustQuery(t, url, "CREATE TABLE kept AS SELECT 'here'::text AS value")

	if err := running.Stop(t.Context()); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if left := processesIn(t, dir); len(left) != 0 {
		t.Errorf("processes %v still run", left)
	}
	if sockets, _ := filepath.Glob(filepath.Join(dir, "*", "run", "*")); len(sockets) != 0 {
		t.Errorf("%v are left", sockets)
	}
	again := start(t, servers.Config{Dir: dir})
	if got := mustQuery(t, again.DatabaseURL, "SELECT value FROM kept"); got != "here" || again.DatabaseURL != url {
		t.Errorf("after a second start at %s: %q, want what was kept", again.DatabaseURL, got)
	}
}

func TestStopOneServer(t *testing.T) {
	t.Parallel()

	running := start(t, servers.Config{Dir: folder(t), Scratch: true})
	client := redisClient(t, running.RedisURL)
	busy, err := pgx.Connect(t.Context(), running.DatabaseURL) // does not keep it from stopping
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close(t.Context())

	for range 2 { // a second stop, and a second start, do nothing
		if err := errors.Join(running.StopPostgres(t.Context()), running.StopRedis(t.Context())); err != nil {
			t.Fatalf("stop: %v", err)
		}
	}
	if _, err := query(t, running.DatabaseURL, "SELECT ''"); err == nil {
		t.Error("Postgres answers after it was stopped")
	}
	if client.Ping(t.Context()).Err() == nil {
		t.Error("Redis answers after it was stopped")
	}
	for range 2 {
		if err := errors.Join(running.StartPostgres(t.Context()), running.StartRedis(t.Context())); err != nil {
			t.Fatalf("start: %v", err)
		}
	}
	mustQuery(t, running.DatabaseURL, "SELECT ''")
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("Redis: %v", err)
	}
}

// TestServerKilled kills the servers alone: they come back by themselves, with
// what was committed.
func TestServerKilled(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	running := start(t, servers.Config{Dir: dir})
	mustQuery(t, running.DatabaseURL, "CREATE TABLE kept AS SELECT 'here'::text AS value")
	for _, pid := range processesIn(t, dir) {
		_ = syscall.Kill(pid, syscall.SIGKILL) // children end with their parents
	}
	eventually(t, "Postgres after kill -9", func() error {
		value, err := query(t, running.DatabaseURL, "SELECT value FROM kept")
		if err == nil && value != "here" {
			err = fmt.Errorf("it holds %q", value)
		}
		return err
	})
	client := redisClient(t, running.RedisURL)
	eventually(t, "Redis after kill -9", func() error { return client.Ping(t.Context()).Err() })
}

// TestProcessKilled kills the process that runs the servers, with and without
// the servers themselves.
func TestProcessKilled(t *testing.T) {
	t.Parallel()

	tests := map[string]func(t *testing.T, h *holder, dir string){
		"Alone": func(t *testing.T, h *holder, _ string) { h.kill(t) },
		"WithEverything": func(t *testing.T, h *holder, dir string) {
			all := processesIn(t, dir)
			h.kill(t)
			for _, pid := range all {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		},
		// The postmaster is gone, a backend in the midst of work is not.
		"WithPostmaster": func(t *testing.T, h *holder, dir string) {
			conn, err := pgx.Connect(t.Context(), h.databaseURL)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close(context.Background()) })
			// Computes, so it does not notice that its parent is gone.
			conn.PgConn().Frontend().SendQuery(&pgproto3.Query{String: "SELECT count(*) FROM (SELECT generate_series(1, 1e15)) AS numbers"})
			if err := conn.PgConn().Frontend().Flush(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the query", func() error {
				if got := mustQuery(t, h.databaseURL, "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE 'SELECT count%generate%' AND pid <> pg_backend_pid()"); got == "0" {
					return errors.New("it does not run")
				}
				return nil
			})
			master := postmaster(t, dir)
			h.kill(t)
			_ = syscall.Kill(master, syscall.SIGKILL)
		},
	}
	for name, kill := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := folder(t)
			h := startHolder(t, dir)
			mustQuery(t, h.databaseURL, "CREATE TABLE kept AS SELECT 'here'::text AS value")
			before := processesIn(t, dir)
			kill(t, h, dir)

			running := start(t, servers.Config{Dir: dir})
			if got := mustQuery(t, running.DatabaseURL, "SELECT value FROM kept"); got != "here" {
				t.Errorf("the database holds %q after the kill, want what was committed", got)
			}
			for _, pid := range processesIn(t, dir) {
				if slices.Contains(before, pid) {
					t.Errorf("process %d of before still runs", pid)
				}
			}
		})
	}
}

// TestNobodyStartsAgain checks that the servers end with a killed process even
// if nothing comes after it.
func TestNobodyStartsAgain(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	h := startHolder(t, dir)
	h.kill(t)
	eventually(t, "the end of the servers", func() error {
		if left := processesIn(t, dir); len(left) != 0 {
			return fmt.Errorf("processes %v still run", left)
		}
		return nil
	})
}

func TestInUse(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	running := start(t, servers.Config{Dir: dir, Scratch: true})
	if _, err := servers.Start(t.Context(), servers.Config{Dir: dir}); !errors.Is(err, servers.ErrInUse) {
		t.Errorf("a second Start: %v, want ErrInUse", err)
	}
	if err := servers.Remove(t.Context(), dir); !errors.Is(err, servers.ErrInUse) {
		t.Errorf("Remove: %v, want ErrInUse", err)
	}
	mustQuery(t, running.DatabaseURL, "SELECT ''")
}

// TestInterruptedStart finds what a start that was killed halfway has left.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	halfway := filepath.Join(dir, "postgres", "data.new", "base")
	if err := os.MkdirAll(halfway, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(halfway, "..", "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	running := start(t, servers.Config{Dir: dir, Scratch: true})
	mustQuery(t, running.DatabaseURL, "SELECT ''")
}

// TestReusedNumber has a living process of another program carry the number
// that the killed postmaster has left behind, as after a reboot.
func TestReusedNumber(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	h := startHolder(t, dir)
	mark := filepath.Join(dir, "postgres", "data", "postmaster.pid")
	text, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	h.kill(t)
	eventually(t, "the end of the servers", func() error {
		if left := processesIn(t, dir); len(left) != 0 {
			return fmt.Errorf("processes %v still run", left)
		}
		return nil
	})
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(mark, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	running := start(t, servers.Config{Dir: dir})
	mustQuery(t, running.DatabaseURL, "SELECT ''")
}

func TestLongFolder(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(folder(t), strings.Repeat("long", 20))
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	running := start(t, servers.Config{Dir: dir, Scratch: true})
	mustQuery(t, running.DatabaseURL, "SELECT ''")
	if err := redisClient(t, running.RedisURL).Ping(t.Context()).Err(); err != nil {
		t.Errorf("Redis: %v", err)
	}
	if err := running.Stop(t.Context()); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if err := servers.Remove(t.Context(), dir); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	address, err := pgx.ParseConfig(running.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(address.Host); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the sockets' folder %s is still there", address.Host)
	}
}

// TestFolderOutOfReach needs root: only then do the servers run as others.
func TestFolderOutOfReach(t *testing.T) {
	t.Parallel()

	parent := folder(t) // for its owner alone
	dir := filepath.Join(parent, "state")
	running, err := servers.Start(t.Context(), servers.Config{Dir: dir, Scratch: true})
	if os.Geteuid() != 0 {
		if err != nil {
			t.Fatalf("Start: %v", err)
		}
		_ = running.Stop(t.Context())
		return
	}
	if err == nil || !strings.Contains(err.Error(), "chmod o+x "+parent) {
		t.Errorf("Start = %v, want to be told how to let the server's user pass", err)
	}
}

func TestMissingVersion(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	data := filepath.Join(dir, "postgres", "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := servers.Start(t.Context(), servers.Config{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "apt-get install postgresql-99") {
		t.Errorf("Start = %v, want to be told which package is missing", err)
	}
}

func TestStartGivenUp(t *testing.T) {
	t.Parallel()

	dir := folder(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := servers.Start(ctx, servers.Config{Dir: dir, Scratch: true}); err == nil {
		t.Fatal("Start succeeded without any time")
	}
	if left := processesIn(t, dir); len(left) != 0 {
		t.Errorf("processes %v still run", left)
	}
	start(t, servers.Config{Dir: dir, Scratch: true})
}
