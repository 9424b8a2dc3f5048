package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asMain makes the test's own program behave as withservers.
const asMain = "WITHSERVERS_TEST_MAIN"

// patience bounds every wait for something that must happen.
const patience = time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// withservers returns the command, with a folder of its own for what it makes.
func withservers(t *testing.T, args ...string) (command *exec.Cmd, folder string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "withservers-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o711); err != nil { // for the servers' users
		t.Fatal(err)
	}
	command = exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), asMain+"=1", "TMPDIR="+folder)
	return command, folder
}

func code(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

func wantEmpty(t *testing.T, folder string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		args []string
		want int
	}{
		"Success":   {[]string{"true"}, 0},
		"Failure":   {[]string{"--", "sh", "-c", "exit 7"}, 7},
		"Signal":    {[]string{"--", "sh", "-c", "kill -KILL $$"}, 128 + 9},
		"NoProgram": {[]string{"/no/such/program"}, exitServers},
		"Nothing":   {nil, exitUsage},
		"JustDash":  {[]string{"--"}, exitUsage},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			command, folder := withservers(t, tc.args...)
			if output, err := command.CombinedOutput(); code(err) != tc.want {
				t.Errorf("exit code %d (%v), want %d; output: %s", code(err), err, tc.want, output)
			}
			wantEmpty(t, folder)
		})
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()

	command, _ := withservers(t, "sh", "-c", `echo "$TEST_DATABASE_URL $TEST_REDIS_URL"; cat`)
	command.Stdin = strings.NewReader("from stdin")
	output, err := command.Output()
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	addresses, rest, _ := strings.Cut(string(output), "\n")
	database, redis, _ := strings.Cut(addresses, " ")
	if !strings.HasPrefix(database, "postgres://") || !strings.HasPrefix(redis, "unix://") || rest != "from stdin" {
		t.Errorf("the command saw %q, want both addresses and the input", output)
	}
}

// started runs withservers with a script and returns once that has said its
// number.
func started(t *testing.T, script string) (command *exec.Cmd, folder string, pid int) {
	t.Helper()
	command, folder = withservers(t, "sh", "-c", script)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	if _, err := fmt.Fscan(bufio.NewReader(stdout), &pid); err != nil {
		t.Fatalf("the command did not start: %v", err)
	}
	return command, folder, pid
}

func TestSignalsArePassedOn(t *testing.T) {
	t.Parallel()

	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		name := map[syscall.Signal]string{syscall.SIGINT: "INT", syscall.SIGTERM: "TERM"}[signal]
		// The shell waits in a builtin, which a signal interrupts.
		command, folder, _ := started(t, `sleep 1000 & trap "kill $!; exit 42" `+name+`; echo $$; wait $!`)
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := command.Wait(); code(err) != 42 {
			t.Errorf("%v: exit code %d, want the command's own 42", signal, code(err))
		}
		wantEmpty(t, folder)
	}
}

func TestKilled(t *testing.T) {
	t.Parallel()

	command, folder, pid := started(t, "echo $$; exec sleep 1000")
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	await(t, "the command to end", func() bool { return syscall.Kill(pid, 0) != nil })
	await(t, "the servers to end", func() bool { return len(serversIn(t, folder)) == 0 })

	left, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(left) != 1 {
		t.Fatalf("%v is left (%v), want the servers' folder", left, err)
	}
	long := time.Now().Add(-2 * sweepAfter)
	if err := os.Chtimes(left[0], long, long); err != nil {
		t.Fatal(err)
	}
	next := exec.Command(os.Args[0], "true")
	next.Env = command.Env
	if output, err := next.CombinedOutput(); err != nil {
		t.Fatalf("the next run: %v: %s", err, bytes.TrimSpace(output))
	}
	wantEmpty(t, folder)
}

// serversIn lists the processes that work in folder.
func serversIn(t *testing.T, folder string) (found []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, folder+"/") {
			found = append(found, link)
		}
	}
	return found
}

func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !happened() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
