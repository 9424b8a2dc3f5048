package commands_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pods-service/pods/shared/commands"
	"github.com/pods-service/pods/shared/pods"
)

// script is a Runner whose programs are functions by name.
type script map[string]func(ctx context.Context, streams commands.Streams) (int, error)

func (s script) Exec(ctx context.Context, _ commands.Target, argv []string, streams commands.Streams) (int, error) {
	program, found := s[argv[0]]
	if !found {
		return 0, commands.ErrNoProgram
	}
	return program(ctx, streams)
}

var programs = script{
	"true":  func(context.Context, commands.Streams) (int, error) { return 0, nil },
	"false": func(context.Context, commands.Streams) (int, error) { return 3, nil },
	"sleep": func(ctx context.Context, _ commands.Streams) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	},
	"yes": func(_ context.Context, streams commands.Streams) (int, error) {
		for range 100 {
			_, _ = streams.Stdout.Write(bytes.Repeat([]byte("y\n"), 32<<10))
		}
		return 0, nil
	},
	"refused": func(context.Context, commands.Streams) (int, error) { return 0, pods.Invalid("it cannot be started") },
	"gone":    func(context.Context, commands.Streams) (int, error) { return 0, pods.NotFound("no container") },
}

func TestRun(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		programs string
		goOn     bool
		outcomes string
		reason   string
		kind     pods.Kind
	}{
		"All":            {"true true", false, "ok, ok", "", ""},
		"StopsAtFailure": {"true false true", false, "ok, exit 3", "command failure", ""},
		"LastMayFail":    {"true false", false, "ok, exit 3", "", ""},
		"GoesOn":         {"false true", true, "exit 3, ok", "", ""},
		"Timeout":        {"sleep true", true, "timeout", "command timeout", ""},
		"TotalTimeout":   {"sleep5 sleep5 sleep5 true", true, "ok, ok, timeout", "total timeout", ""},
		"NoProgram":      {"nothing true", false, "failed", "command failure", ""},
		"NotStarted":     {"refused true", true, "failed, ok", "", ""},
		"NoContainer":    {"gone true", false, "", "", pods.KindNotFound},
		"ContainerEnds":  {"true gone true", false, "ok, failed", "command failure", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				with := script{"sleep5": func(ctx context.Context, _ commands.Streams) (int, error) {
					select {
					case <-time.After(5 * time.Second):
						return 0, nil
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				}}
				for name, program := range programs {
					with[name] = program
				}
				list := commands.List{Total: 12 * time.Second, Each: 10 * time.Second, StopOnFailure: !tc.goOn}
				for program := range strings.FieldsSeq(tc.programs) {
					list.Commands = append(list.Commands, []string{program})
				}
				results, reason, err := commands.Run(t.Context(), with, commands.Target{}, list)
				var outcomes []string
				for _, result := range results {
					outcomes = append(outcomes, result.Outcome)
					if ended := result.Outcome != "timeout" && result.Outcome != "failed"; ended != (result.ExitCode != nil) {
						t.Errorf("%s has exit code %v", result.Outcome, result.ExitCode)
					}
				}
				if got := strings.Join(outcomes, ", "); got != tc.outcomes || pods.KindOf(err) != tc.kind {
					t.Errorf("ended as %s, %v; want %s and kind %q", got, err, tc.outcomes, tc.kind)
				}
				if tc.reason == "" && reason != "" || !strings.Contains(reason, tc.reason) {
					t.Errorf("cut short because %q, want %q", reason, tc.reason)
				}
			})
		})
	}
}

func TestRunBoundsOutput(t *testing.T) {
	t.Parallel()

	list := commands.List{Total: time.Minute, Each: time.Minute, Commands: slices.Repeat([][]string{{"yes"}}, 20)}
	results, _, err := commands.Run(t.Context(), programs, commands.Target{}, list)
	if err != nil || len(results) != 20 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	total := 0
	for _, result := range results {
		total += len(result.Stdout)
	}
	if total > 9<<20 || len(results[0].Stdout) < 1<<20 {
		t.Errorf("%d bytes in all, %d of the first command", total, len(results[0].Stdout))
	}
	if !strings.Contains(results[0].Stdout, "more bytes were left out") {
		t.Error("nothing says that output was left out")
	}
}

func TestRunEndsWithItsCaller(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	with := script{"hangup": func(ctx context.Context, _ commands.Streams) (int, error) {
		cancel()
		<-ctx.Done()
		return 0, ctx.Err()
	}}
	list := commands.List{Total: time.Minute, Each: time.Minute, Commands: [][]string{{"hangup"}, {"hangup"}}}
	results, _, err := commands.Run(ctx, with, commands.Target{}, list)
	if !errors.Is(err, context.Canceled) || len(results) != 1 || results[0].Outcome != "given up" {
		t.Errorf("%+v, %v; want the first command to be the last, and given up", results, err)
	}
}

// local runs programs on this machine.
type local struct{}

func (l local) Exec(ctx context.Context, _ commands.Target, argv []string, streams commands.Streams) (int, error) {
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Stdin, command.Stdout, command.Stderr = streams.Stdin, streams.Stdout, streams.Stderr
	err := command.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return ended.ExitCode(), nil
	}
	return 0, err
}

func TestUpload(t *testing.T) {
	t.Parallel()

	for name, file := range map[string]string{
		"Plain": "data.bin", "Deep": "new/folder/data.bin", "Spaces": "a b/c d.txt", "Hostile": "$(touch pwned);`touch pwned`'\"\n",
		"Dash": "-rf",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir := t.TempDir()
			destination := filepath.Join(dir, file)
			content := bytes.Repeat([]byte{0, 1, 2, 255}, 100_000)
			part := commands.PartOf(destination, "unique")
			size, err := commands.Upload(t.Context(), local{}, commands.Target{}, part, bytes.NewReader(content))
			if err != nil || size != int64(len(content)) {
				t.Fatalf("uploaded %d bytes, %v", size, err)
			}
			if _, err := os.Stat(destination); err == nil {
				t.Error("the file is there before it is complete")
			}
			if err := commands.Place(t.Context(), local{}, commands.Target{}, part, destination); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(destination)
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("read %d bytes back, %v", len(got), err)
			}
			for _, left := range []string{part, "pwned", filepath.Join(dir, "pwned")} {
				if _, err := os.Stat(left); err == nil {
					t.Errorf("%s is there", left)
				}
			}
		})
	}
}

func TestUploadFailures(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	part := commands.PartOf(filepath.Join(dir, "file"), "unique")
	broken := io.MultiReader(strings.NewReader("half of it"), failing{})
	if _, err := commands.Upload(t.Context(), local{}, commands.Target{}, part, broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("content that breaks off = %v", err)
	}
	commands.Discard(t.Context(), local{}, commands.Target{}, part, "")
	if _, err := os.Stat(part); err == nil {
		t.Error("the part is left")
	}
	if _, err := commands.Upload(t.Context(), script{}, commands.Target{}, part, strings.NewReader("x")); pods.KindOf(err) != pods.KindInvalid || !strings.Contains(err.Error(), "no shell") {
		t.Errorf("without a shell = %v", err)
	}
	if _, err := commands.Upload(t.Context(), local{}, commands.Target{}, "/dev/null/x", strings.NewReader("x")); pods.KindOf(err) != pods.KindInvalid {
		t.Errorf("where no file can be = %v", err)
	}
	lying := script{"sh": func(_ context.Context, streams commands.Streams) (int, error) {
		_, _ = io.Copy(io.Discard, streams.Stdin)
		_, _ = streams.Stdout.Write([]byte("3\n"))
		return 0, nil
	}}
	if _, err := commands.Upload(t.Context(), lying, commands.Target{}, part, strings.NewReader("more than three")); pods.KindOf(err) != pods.KindUnavailable {
		t.Errorf("a file that did not arrive whole = %v", err)
	}
	size, err := commands.Upload(t.Context(), local{}, commands.Target{}, part, strings.NewReader("x"))
	if err != nil || size != 1 {
		t.Fatal(err)
	}
	if err := commands.Place(t.Context(), local{}, commands.Target{}, part, dir); pods.KindOf(err) != pods.KindInvalid || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder as the destination = %v", err)
	}
}

// TestPlaceFromElsewhere has a part that was sent before its destination was
// known, and a connection that ends before the script does.
func TestPlaceFromElsewhere(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	destination := filepath.Join(dir, "folder", "file")
	part := commands.PartOf("", rand.Text())
	if _, err := commands.Upload(t.Context(), local{}, commands.Target{}, part, strings.NewReader("new")); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(part)
	silent := script{"sh": func(context.Context, commands.Streams) (int, error) { return 0, nil }}
	if err := commands.Place(t.Context(), silent, commands.Target{}, part, destination); pods.KindOf(err) != pods.KindUnavailable {
		t.Errorf("a script that says nothing = %v", err)
	}
	if err := commands.Place(t.Context(), local{}, commands.Target{}, part, destination); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(destination))
	if data, _ := os.ReadFile(destination); err != nil || len(entries) != 1 || string(data) != "new" {
		t.Errorf("the file holds %q beside %v, %v", data, entries, err)
	}
	if _, err := os.Stat(part); err == nil {
		t.Error("the part is left")
	}
}

// TestDiscardBeside has a move to the destination break off halfway.
func TestDiscardBeside(t *testing.T) {
	t.Parallel()

	destination := filepath.Join(t.TempDir(), "file")
	part := commands.PartOf("", rand.Text())
	half := filepath.Join(filepath.Dir(destination), filepath.Base(part))
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	commands.Discard(t.Context(), local{}, commands.Target{}, part, destination)
	if _, err := os.Stat(half); err == nil {
		t.Error("half a file is left beside the destination")
	}
}

// failing is a connection that breaks.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
