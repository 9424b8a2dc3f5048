package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"
)

// idleCount is how many WebSockets B9 holds open.
const idleCount = 2000

// idleSockets measures B9: the memory of the gateway, a process of its own as in
// B3 but with few routes, while visitors hold WebSockets over TLS on which
// nothing is said.
func idleSockets(ctx context.Context, _ options) (_ []figure, err error) {
	if err := checkFiles(2*idleCount + 100); err != nil { // the gateway has two for each WebSocket
		return nil, err
	}
	b := &visitBench{}
	defer func() { err = errors.Join(err, b.close()) }()
	settings, roots, err := b.prepare()
	if err != nil {
		return nil, err
	}
	pod, err := b.start(ctx, "echo", settings)
	if err != nil {
		return nil, err
	}
	settings.Backend = pod.address
	gateway, err := b.start(ctx, "gateway", settings)
	if err != nil {
		return nil, err
	}
	visitors, err := newSecureTarget(gateway.address, roots)
	if err != nil {
		return nil, err
	}
	before, err := residentMiB(gateway.process.Process.Pid)
	if err != nil {
		return nil, err
	}
	sockets, err := openSockets(ctx, visitors.client, idleCount)
	defer func() {
		for _, socket := range sockets {
			_ = socket.CloseNow()
		}
	}()
	if err != nil {
		return nil, err
	}
	during, err := residentMiB(gateway.process.Process.Pid)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("gateway resident with %d idle WebSockets, against none", idleCount)
	return []figure{plain("B9", what, "MiB", during).against(before).most(200)}, nil
}

// checkFiles returns an error if a process may not have that many files open.
func checkFiles(count uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Max < count {
		return fmt.Errorf("a process may have %d files open, and %d are needed: raise the limit with ulimit -Hn", limit.Max, count)
	}
	return nil
}

// openSockets opens WebSockets to the open pod. On each something was said once,
// so that all the memory it ever needs is there. The result holds no nil.
func openSockets(ctx context.Context, visitor *http.Client, count int) ([]*websocket.Conn, error) {
	opened := make(chan *websocket.Conn, count)
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for range count {
		group.Go(func() error {
			socket, _, err := websocket.Dial(within, "wss://"+openHost+"/", &websocket.DialOptions{HTTPClient: visitor}) //nolint:bodyclose // the socket has the body
			if err != nil {
				return fmt.Errorf("open a WebSocket: %w", err)
			}
			opened <- socket
			if err := socket.Write(within, websocket.MessageText, []byte("hello")); err != nil {
				return fmt.Errorf("send: %w", err)
			}
			if _, got, err := socket.Read(within); err != nil || string(got) != "hello" {
				return fmt.Errorf("receive: %q, %w", got, err)
			}
			return nil
		})
	}
	err := group.Wait()
	close(opened)
	var sockets []*websocket.Conn
	for socket := range opened {
		sockets = append(sockets, socket)
	}
	return sockets, err
}

// echoSide is a program in the place of a pod's that says over WebSockets what
// it is told.
func echoSide(ctx context.Context, _ sideSettings, ready func(string, func() map[string]int64)) error {
	return serveSide(ctx, http.HandlerFunc(echo), nil, ready, noCounts)
}

func echo(w http.ResponseWriter, r *http.Request) {
	socket, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has been answered
	}
	defer func() { _ = socket.CloseNow() }()
	for {
		kind, message, err := socket.Read(r.Context())
		if err != nil || socket.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}
