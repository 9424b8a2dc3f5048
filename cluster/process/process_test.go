package process_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/cluster/process"
)

// launch starts a program and returns it with the file of its output. It is
// killed when the test ends.
func launch(t *testing.T, program string, args ...string) (child *process.Child, log string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	log = filepath.Join(t.TempDir(), "log")
	child, err = process.Start(process.Command{Path: path, Args: args, Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := child.Stop(context.Background(), 0); err != nil {
			t.Errorf("stop %s: %v", program, err)
		}
	})
	return child, log
}

func TestIdentifySelf(t *testing.T) {
	t.Parallel()

	first, err := process.Identify(os.Getpid())
	if err != nil {
		t.Fatalf("Identify: %v", err)
	}
	second, err := process.Identify(os.Getpid())
	if err != nil {
		t.Fatalf("Identify again: %v", err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the same process has two identities:\n%s", diff)
	}
	if first.PID != os.Getpid() || first.StartTicks == 0 || first.Boot == "" {
		t.Errorf("Identify = %+v", first)
	}
}

// A process stays the same when it becomes another program.
func TestIdentitySurvivesExec(t *testing.T) {
	t.Parallel()

	child, _ := launch(t, "sh", "-c", "exec sleep 60")
	waitUntil(t, "the shell has become sleep", func() bool {
		arguments := process.Arguments(child.PID)
		return len(arguments) > 0 && arguments[0] == "sleep"
	})
	if !child.Running() {
		t.Error("it counts as gone")
	}
}

func TestIdentifyEnded(t *testing.T) {
	t.Parallel()

	child, _ := launch(t, "sleep", "0.1")
	<-child.Exited

	if _, err := process.Identify(child.PID); !errors.Is(err, process.ErrGone) {
		t.Errorf("Identify of an ended process: %v, want ErrGone", err)
	}
}

// A process nobody has collected yet still has a number but does nothing.
func TestIdentifyZombie(t *testing.T) {
	t.Parallel()

	command := exec.Command("sh", "-c", "exit 0")
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := output.Read(make([]byte, 1)); err == nil {
		t.Fatal("the script printed something")
	}
	defer func() { _ = command.Wait() }() // only now is it collected

	waitUntil(t, "the process is a zombie", func() bool {
		_, err := process.Identify(command.Process.Pid)
		return errors.Is(err, process.ErrGone)
	})
}

func TestStartDetaches(t *testing.T) {
	t.Parallel()

	child, _ := launch(t, "sleep", "60")
	session, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(child.PID), 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	if int(session) != child.PID {
		t.Errorf("process %d is in session %d, want one of its own", child.PID, session)
	}
}

func TestStartEmptiesLog(t *testing.T) {
	t.Parallel()

	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("from an earlier run\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	child, err := process.Start(process.Command{
		Path: shell, Args: []string{"-c", "echo out; echo err >&2; sleep 0.2"}, Dir: t.TempDir(), Log: log,
	})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	<-child.Exited

	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(content), "out\nerr\n"; got != want {
		t.Errorf("log = %q, want %q", got, want)
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()

	child, _ := launch(t, "sleep", "60")
	running := child.Identity
	reused := running
	reused.StartTicks--
	rebooted := running
	rebooted.Boot = "other"

	tests := map[string]struct {
		recorded process.Identity
		wantErr  error
	}{
		"Running":      {running, nil},
		"NumberReused": {reused, process.ErrGone},
		"Rebooted":     {rebooted, process.ErrGone},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "etcd.pid")
			if err := tc.recorded.Save(path); err != nil {
				t.Fatalf("Save: %v", err)
			}
			got, err := process.Load(path)
			if !errors.Is(err, tc.wantErr) {
				t.Fatalf("Load: %v, want %v", err, tc.wantErr)
			}
			if err == nil && got != tc.recorded {
				t.Errorf("Load = %+v, want %+v", got, tc.recorded)
			}
		})
	}
}

func TestLoadNothing(t *testing.T) {
	t.Parallel()

	folder := t.TempDir()
	damaged := filepath.Join(folder, "damaged.pid")
	if err := os.WriteFile(damaged, []byte("12"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(folder, "absent.pid"), damaged} {
		if _, err := process.Load(path); !errors.Is(err, process.ErrGone) {
			t.Errorf("Load(%s): %v, want ErrGone", filepath.Base(path), err)
		}
	}
}

// A number that was given to another program since must not be signalled.
func TestSignalSparesOthers(t *testing.T) {
	t.Parallel()

	child, _ := launch(t, "sleep", "60")
	stale := child.Identity
	stale.StartTicks--

	if err := stale.Signal(syscall.SIGKILL); !errors.Is(err, process.ErrGone) {
		t.Errorf("Signal: %v, want ErrGone", err)
	}
	if err := stale.Stop(t.Context(), time.Second); err != nil {
		t.Errorf("Stop of what is gone: %v", err)
	}
	if !child.Running() {
		t.Error("the process that has the number now was ended")
	}
}

func TestStop(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		script string
		grace  time.Duration
	}{
		"Asked":   {"echo up; while :; do sleep 0.05; done", time.Minute},
		"Killed":  {"echo up; while :; do sleep 0.05; done", 0},
		"Refuses": {"trap '' TERM; echo up; while :; do sleep 0.05; done", 100 * time.Millisecond},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			child, log := launch(t, "sh", "-c", tc.script)
			waitUntil(t, "the script says it is up", func() bool {
				content, err := os.ReadFile(log)
				return err == nil && string(content) == "up\n"
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := child.Stop(ctx, tc.grace); err != nil {
				t.Fatalf("Stop: %v", err)
			}
			<-child.Exited
		})
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()

	child, _ := launch(t, "sleep", "60.25")
	arguments := process.Arguments(child.PID)
	if len(arguments) != 2 || filepath.Base(arguments[0]) != "sleep" || arguments[1] != "60.25" {
		t.Errorf("Arguments = %q", arguments)
	}
	if got := process.Arguments(1 << 30); got != nil {
		t.Errorf("Arguments of no process = %q", got)
	}
}

func TestPIDsHoldSelf(t *testing.T) {
	t.Parallel()

	pids, err := process.PIDs()
	if err != nil {
		t.Fatal(err)
	}
	var found bool
	for _, pid := range pids {
		found = found || pid == os.Getpid()
	}
	if !found {
		t.Errorf("PIDs lacks %d: %v", os.Getpid(), pids)
	}
	if !process.SameNetwork(os.Getpid()) {
		t.Error("a process does not share its own network")
	}
}

func TestStartMissingProgram(t *testing.T) {
	t.Parallel()

	_, err := process.Start(process.Command{Path: "/no/such/program", Dir: "/", Log: filepath.Join(t.TempDir(), "log")})
	if err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("Start: %v, want an error that names the program", err)
	}
}

// waitUntil polls a condition that nothing announces.
func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("waited too long until %s", what)
		case <-ticker.C:
		}
	}
}
