package main

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lookupIn returns a lookupFunc over a map.
func lookupIn(env map[string]string) lookupFunc {
	return func(name string) (string, bool) {
		value, found := env[name]
		return value, found
	}
}

func TestParse(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		args []string
		env  map[string]string
		want config
	}{
		"Defaults": {
			env:  map[string]string{"POD_ID": "docpod"},
			want: config{port: 5000, podID: "docpod"},
		},
		"FlagWins": {
			args: []string{"--port", "8080"},
			env:  map[string]string{"POD_ID": "docpod", "PORT": "9090"},
			want: config{port: 8080, podID: "docpod"},
		},
		"EmptyCountsAsUnset": {
			env:  map[string]string{"POD_ID": "docpod", "PORT": "", "HELLO_EXIT_AFTER": "", "HELLO_LOG_NUL": ""},
			want: config{port: 5000, podID: "docpod"},
		},
		"Everything": {
			env: map[string]string{
				"POD_ID": "docpod", "PORT": "0", "HELLO_START_DELAY": "3s", "HELLO_LOG_LINES": "20", "HELLO_LOG_NUL": "1",
				"HELLO_LOG_EVERY": "500ms", "HELLO_EXIT_AFTER": "2m", "HELLO_EXIT_CODE": "7", "HELLO_FINAL_LINE": "good bye",
			},
			want: config{
				podID: "docpod", startDelay: 3 * time.Second, logLines: 20, logNUL: true, logEvery: 500 * time.Millisecond,
				exits: true, exitAfter: 2 * time.Minute, exitCode: 7, finalLine: "good bye",
			},
		},
		"CodeAloneMeansAtOnce": {
			env:  map[string]string{"POD_ID": "docpod", "HELLO_EXIT_CODE": "3"},
			want: config{port: 5000, podID: "docpod", exits: true, exitCode: 3},
		},
		"TimeAloneMeansSuccess": {
			env:  map[string]string{"POD_ID": "docpod", "HELLO_EXIT_AFTER": "1s"},
			want: config{port: 5000, podID: "docpod", exits: true, exitAfter: time.Second},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := parse(tc.args, lookupIn(tc.env))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(config{})); diff != "" {
				t.Errorf("parse (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		args []string
		env  map[string]string
		want []string // parts of the message
	}{
		"UnknownFlag":  {args: []string{"--colour"}, want: []string{"colour"}},
		"Argument":     {args: []string{"serve"}, want: []string{`"serve"`}},
		"PortFlag":     {args: []string{"--port", "65536"}, want: []string{"--port"}},
		"Port":         {env: map[string]string{"PORT": "http"}, want: []string{"PORT", "65535"}},
		"ExitCode":     {env: map[string]string{"HELLO_EXIT_CODE": "256"}, want: []string{"HELLO_EXIT_CODE", "255"}},
		"NoUnit":       {env: map[string]string{"HELLO_LOG_EVERY": "5"}, want: []string{"HELLO_LOG_EVERY", "3s"}},
		"Negative":     {env: map[string]string{"HELLO_START_DELAY": "-1s"}, want: []string{"HELLO_START_DELAY"}},
		"TooManyLines": {env: map[string]string{"HELLO_LOG_LINES": "10000001"}, want: []string{"HELLO_LOG_LINES"}},
		"NotBoolean":   {env: map[string]string{"HELLO_LOG_NUL": "perhaps"}, want: []string{"HELLO_LOG_NUL"}},
		"AllAtOnce": {
			env:  map[string]string{"PORT": "x", "HELLO_EXIT_AFTER": "soon"},
			want: []string{"PORT", "HELLO_EXIT_AFTER"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := parse(tc.args, lookupIn(tc.env))
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not name %q", err, part)
				}
			}
		})
	}
}

func TestParseFallsBackToTheHostName(t *testing.T) {
	t.Parallel()

	cfg, err := parse(nil, lookupIn(nil))
	if err != nil || cfg.podID == "" {
		t.Errorf("pod %q, %v, want the host name", cfg.podID, err)
	}
}

func TestParseHelp(t *testing.T) {
	t.Parallel()

	if _, err := parse([]string{"--help"}, lookupIn(nil)); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v, want flag.ErrHelp", err)
	}
}

// TestUsageNamesEverySetting keeps the help text complete.
func TestUsageNamesEverySetting(t *testing.T) {
	t.Parallel()

	asked := map[string]bool{}
	if _, err := parse(nil, func(name string) (string, bool) {
		asked[name] = true
		return "", false
	}); err != nil {
		t.Fatal(err)
	}
	for name := range asked {
		if !strings.Contains(usage, "\n  "+name) {
			t.Errorf("--help does not name %s", name)
		}
	}
}
