// Command hello is the program of the hello image: a small web server that
// shows a pod at work and lets the platform's tests provoke every behaviour a
// container can have. It needs no files, no privileges and no writable folder.
//
//	hello [--port N] [--version] [--help]
//
// # What it serves
//
// It listens on port 5000 (--port or PORT) and logs one line per request:
// method, path, status and duration, never a query, header or body.
//
//	GET  /                a page naming the pod; plain text unless HTML is accepted
//	     /headers         what the request looked like on arrival, as JSON
//	     /ws              WebSocket echo, text and binary, at most 1 MiB a message
//	GET  /stream          server-sent events; ?n= (1-1000, default 10) ?interval= (0s-10s, default 1s)
//	POST /echo            the body sent back while it arrives
//	GET  /bytes           ?n= pseudo-random bytes (at most 1 GiB), the same on every call
//	     /status/{code}   an empty answer with that status (200-599)
//	GET  /healthz         200 once it serves
//
// # What can be set
//
// POD_ID names the pod; without it the host name does. The other variables
// exist to test the platform that runs the image:
//
//	HELLO_START_DELAY=D   wait this long before listening
//	HELLO_LOG_LINES=N     print "line 1" to "line N" at the start
//	HELLO_LOG_NUL=1       print one line that contains NUL bytes
//	HELLO_LOG_EVERY=D     print "tick 1", "tick 2", ... at this interval
//	HELLO_EXIT_AFTER=D    end by itself this long after it began to listen
//	HELLO_EXIT_CODE=N     the exit code for that (0-255); alone it means after 0s
//	HELLO_FINAL_LINE=TEXT print this line on SIGTERM, just before the exit
//
// Durations are written as in 500ms, 3s or 2m.
//
// # How it ends
//
// On SIGTERM or SIGINT it says so, lets open requests finish for at most 5 s
// and exits 0. It exits 1 when it cannot listen and 2 for a wrong command line
// or setting.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes besides those asked for with HELLO_EXIT_CODE.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// The first signal starts the drain. From then on the default action is
	// back, so that a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run is main with its surroundings passed in. It returns the exit code.
func run(ctx context.Context, args []string, lookup lookupFunc, stdout, stderr io.Writer) int {
	cfg, err := parse(args, lookup)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stdout, usage)
		return exitOK
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "hello: %v\nTry hello --help.\n", err)
		return exitUsage
	case cfg.showVersion:
		_, _ = fmt.Fprintln(stdout, "hello", programVersion())
		return exitOK
	}
	return newProcess(cfg, stdout, net.Listen).run(ctx)
}
