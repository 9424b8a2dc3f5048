package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asHello makes the test binary behave as the program.
const asHello = "HELLO_TEST_AS_PROGRAM"

// testTimeout bounds a wait that should end at once.
const testTimeout = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(asHello) != "" {
		main()
	}
	os.Exit(m.Run())
}

// command returns the program as its own process, with nothing but env in its
// environment, and a place to write to when the tests measure coverage.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append([]string{asHello + "=1", "GOCOVERDIR=" + t.TempDir()}, env...)
	return cmd
}

// exitCode returns the exit code behind the error of Run or Wait.
func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		t.Fatal(err)
		return -1
	}
}

func TestProgramExitCodes(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		args       []string
		env        []string
		wantCode   int
		wantStdout string // a pattern
		wantStderr string
	}{
		"Version":            {args: []string{"--version"}, wantStdout: `^hello \S+\n$`},
		"VersionInBadPlaces": {args: []string{"-version"}, env: []string{"PORT=x"}, wantStdout: `^hello \S+\n$`},
		"Help":               {args: []string{"--help"}, wantStdout: `HELLO_EXIT_AFTER`},
		"UnknownFlag":        {args: []string{"--colour"}, wantCode: 2, wantStderr: `colour`},
		"Argument":           {args: []string{"now"}, wantCode: 2, wantStderr: `"now"`},
		"BadSetting":         {env: []string{"HELLO_EXIT_CODE=many"}, wantCode: 2, wantStderr: `HELLO_EXIT_CODE`},
		"EndsWell":           {args: []string{"--port=0"}, env: []string{"HELLO_EXIT_AFTER=1ms"}, wantStdout: `code=0`},
		"EndsBadly":          {args: []string{"--port=0"}, env: []string{"HELLO_EXIT_CODE=7", "HELLO_LOG_LINES=3"}, wantCode: 7, wantStdout: `(?s)line 1\nline 2\nline 3\n.*code=7\n$`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			cmd := command(t, tc.env, tc.args...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if got := exitCode(t, cmd.Run()); got != tc.wantCode {
				t.Errorf("exit code %d, want %d", got, tc.wantCode)
			}
			if !regexp.MustCompile(tc.wantStdout).Match(stdout.Bytes()) {
				t.Errorf("stdout %q does not match %q", stdout.String(), tc.wantStdout)
			}
			if tc.wantStderr == "" && stderr.Len() > 0 || !strings.Contains(stderr.String(), tc.wantStderr) {
				t.Errorf("stderr %q, want %q", stderr.String(), tc.wantStderr)
			}
		})
	}
}

func TestProgramServesUntilSIGTERM(t *testing.T) {
	t.Parallel()

	for name, signal := range map[string]os.Signal{"SIGTERM": syscall.SIGTERM, "Interrupt": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			cmd := command(t, []string{"POD_ID=docpod", "PORT=0", "HELLO_FINAL_LINE=good bye"})
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(stdout)
			started, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("no start line: %v", err)
			}
			match := regexp.MustCompile(`msg="hello is listening" version=\S+ address=\S*:(\d+) pod=docpod\n$`).FindStringSubmatch(started)
			if match == nil {
				t.Fatalf("start line %q lacks version, address or pod", started)
			}
			if got := get(t, "http://127.0.0.1:"+match[1]+"/"); !strings.Contains(got, "docpod") {
				t.Errorf("GET / = %q, want the pod's name", got)
			}

			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(lines)
			if err != nil {
				t.Fatal(err)
			}
			if got := exitCode(t, cmd.Wait()); got != 0 {
				t.Errorf("exit code %d, want 0", got)
			}
			if !strings.Contains(string(rest), "hello is stopping") || !strings.HasSuffix(string(rest), "\ngood bye\n") {
				t.Errorf("output after the signal: %q, want the stop line first and the final line last", rest)
			}
		})
	}
}

// get fetches a page over a connection that is closed afterwards.
func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: status %d, %v", url, response.StatusCode, err)
	}
	return string(body)
}
