package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

const (
	defaultPort = 5000
	maxLogLines = 10_000_000
	maxDuration = 24 * time.Hour
	// unnamedPod is used when neither POD_ID nor the host name can be had.
	unnamedPod = "pod"
)

// lookupFunc returns the value of an environment variable, as os.LookupEnv does.
type lookupFunc func(name string) (value string, found bool)

// config is everything that can be set from outside.
type config struct {
	showVersion bool
	port        int // 0 means any free port
	podID       string

	startDelay time.Duration
	logLines   int
	logNUL     bool
	logEvery   time.Duration // 0 means never
	exits      bool          // whether to end by itself
	exitAfter  time.Duration // counted from the moment it listens
	exitCode   int
	finalLine  string
}

// parse reads the command line and the environment. A flag wins over its
// variable. It returns flag.ErrHelp when help was asked for.
func parse(args []string, lookup lookupFunc) (config, error) {
	env := environment{lookup: lookup}
	cfg := config{
		port:       env.integer("PORT", defaultPort, 0, 65535),
		podID:      env.text("POD_ID"),
		startDelay: env.duration("HELLO_START_DELAY", 0),
		logLines:   env.integer("HELLO_LOG_LINES", 0, 0, maxLogLines),
		logNUL:     env.boolean("HELLO_LOG_NUL"),
		logEvery:   env.duration("HELLO_LOG_EVERY", 0),
		exits:      env.isSet("HELLO_EXIT_AFTER") || env.isSet("HELLO_EXIT_CODE"),
		exitAfter:  env.duration("HELLO_EXIT_AFTER", 0),
		exitCode:   env.integer("HELLO_EXIT_CODE", exitOK, 0, 255),
		finalLine:  env.text("HELLO_FINAL_LINE"),
	}
	if cfg.podID == "" {
		cfg.podID = hostName()
	}

	flags := flag.NewFlagSet("hello", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run reports the error itself
	flags.IntVar(&cfg.port, "port", cfg.port, "")
	flags.BoolVar(&cfg.showVersion, "version", false, "")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if cfg.showVersion {
		return cfg, nil // answered whatever the environment holds
	}
	if cfg.port < 0 || cfg.port > 65535 {
		return config{}, fmt.Errorf("--port must be between 0 and 65535, not %d", cfg.port)
	}
	return cfg, errors.Join(env.errs...)
}

// hostName returns the name of this machine: in a container, the pod's.
func hostName() string {
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return unnamedPod
}

// environment reads variables and collects what is wrong with them, so that
// one start reports all mistakes. An empty variable counts as not set.
type environment struct {
	lookup lookupFunc
	errs   []error
}

func (e *environment) text(name string) string {
	value, _ := e.lookup(name)
	return value
}

func (e *environment) isSet(name string) bool { return e.text(name) != "" }

func (e *environment) integer(name string, fallback, least, most int) int {
	text := e.text(name)
	if text == "" {
		return fallback
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < least || value > most {
		e.errs = append(e.errs, fmt.Errorf("%s must be a number between %d and %d, not %q", name, least, most, text))
		return fallback
	}
	return value
}

func (e *environment) duration(name string, fallback time.Duration) time.Duration {
	text := e.text(name)
	if text == "" {
		return fallback
	}
	value, err := time.ParseDuration(text)
	if err != nil || value < 0 || value > maxDuration {
		e.errs = append(e.errs, fmt.Errorf("%s must be a duration such as 500ms or 3s, at most %s, not %q", name, maxDuration, text))
		return fallback
	}
	return value
}

func (e *environment) boolean(name string) bool {
	text := e.text(name)
	if text == "" {
		return false
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		e.errs = append(e.errs, fmt.Errorf("%s must be 1 or 0, not %q", name, text))
	}
	return value
}
