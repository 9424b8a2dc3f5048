package servers

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// stubborn runs a program of the given name in dir that takes no notice of
// SIGINT.
func stubborn(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(program, binary, 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "-c", `trap "" INT; echo ready; read line`)
	command.Dir = dir
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	if _, err := bufio.NewReader(io.LimitReader(stdout, 64)).ReadString('\n'); err != nil {
		t.Fatalf("the program did not start: %v", err)
	}
	return command
}

func TestEndOrphans(t *testing.T) {
	t.Parallel()

	home := t.TempDir()
	inside := filepath.Join(home, "data")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	orphan := stubborn(t, "redis-server", inside)
	others := map[string]*exec.Cmd{
		"another program in the folder": stubborn(t, "shell", inside),
		"a server of another folder":    stubborn(t, "redis-server", t.TempDir()),
	}
	exited := make(chan struct{})
	go func() { // a process that nobody waits for stays in the list
		_ = orphan.Wait()
		close(exited)
	}()

	if err := endOrphans(t.Context(), home, 50*time.Millisecond); err != nil {
		t.Fatalf("endOrphans: %v", err)
	}
	<-exited
	if status, ok := orphan.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("the stubborn server ended by %v, want SIGKILL", orphan.ProcessState)
	}
	for name, other := range others {
		if err := other.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("%s was ended too: %v", name, err)
		}
	}
}

func TestParseVersion(t *testing.T) {
	t.Parallel()

	for output, want := range map[string]int{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": 15,
		"postgres (PostgreSQL) 18beta1\n":                        18,
		"postgres (PostgreSQL) 9.6.24\n":                         9,
		"something else":                                         0,
		"postgres (PostgreSQL) 17":                               17,
	} {
		if got := parseVersion(output); got != want {
			t.Errorf("parseVersion(%q) = %d, want %d", output, got, want)
		}
	}
}
