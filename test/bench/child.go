package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// sideVariable holds the name of the side that this process is to be. Without
// it the process is the one that measures.
const (
	sideVariable     = "PODS_BENCH_SIDE"
	settingsVariable = "PODS_BENCH_SETTINGS" // JSON of sideSettings
)

// childTimeout bounds the start and the end of a side.
const childTimeout = 2 * time.Minute

// connections is how many each side has to the database: as many as a function,
// unless PODS_DATABASE_CONNECTIONS says otherwise.
const connections = 4

// sideSettings are what a side may need to know.
type sideSettings struct {
	DatabaseURL string
	Kubeconfig  string
	Namespace   string
	Sink        string // URL that takes events
	TenantsFile string // as auth.FileSource reads it
	Backend     string // IP and port of the program behind a proxy
	CertFile    string // of a proxy, in PEM
	KeyFile     string
	Dir         string // for files
	Routes      int    // of a gateway, besides those that are visited
	Rate        int    // events per second
	Part, Parts int    // which of the pods are this process's: every Parts-th from Part
}

// answer is what a side says: once when it works, and then each time it is
// asked.
type answer struct {
	Address string           // where it listens, if it does
	CPU     time.Duration    // used so far
	Counts  map[string]int64 // what it has done so far
}

// side is one role in a benchmark, in a process of its own. It works until ctx
// ends and calls ready once, when it has begun.
type side func(ctx context.Context, settings sideSettings, ready func(address string, counts func() map[string]int64)) error

var sides = map[string]side{
	"apibaseline":  apiBaselineSide,
	"backend":      backendSide,
	"echo":         echoSide,
	"files":        filesSide,
	"gateway":      gatewaySide,
	"reverseproxy": reverseProxySide,
	"health":       healthSide,
	"rewriter":     rewriterSide,
	"producer":     producerSide,
	"handler":      handlerSide,
}

// runSide is the main function of a side. It ends when its standard input does,
// and so also when the process that measures has died.
func runSide(name string) error {
	work, found := sides[name]
	if !found {
		return fmt.Errorf("there is no side %q", name)
	}
	var settings sideSettings
	if err := json.Unmarshal([]byte(os.Getenv(settingsVariable)), &settings); err != nil {
		return fmt.Errorf("read the settings of side %s: %w", name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := work(ctx, settings, func(address string, counts func() map[string]int64) {
		go func() {
			defer cancel()
			answerQuestions(address, counts)
		}()
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("side %s: %w", name, err)
	}
	return nil
}

// serveSide serves handler on a free port until ctx ends, over TLS if secure is
// not nil.
func serveSide(ctx context.Context, handler http.Handler, secure *tls.Config, ready func(string, func() map[string]int64), counts func() map[string]int64) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: handler, TLSConfig: secure}
	context.AfterFunc(ctx, func() { _ = server.Shutdown(context.WithoutCancel(ctx)) })
	ready(listener.Addr().String(), counts)
	if secure != nil {
		err = server.ServeTLS(listener, "", "")
	} else {
		err = server.Serve(listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// answerQuestions says at once that the side works, and again for every byte
// of standard input.
func answerQuestions(address string, counts func() map[string]int64) {
	out, question := json.NewEncoder(os.Stdout), make([]byte, 1)
	for {
		a := answer{Address: address, Counts: counts()}
		var err error
		if a.CPU, err = ownCPU(); err != nil || out.Encode(a) != nil {
			return
		}
		if _, err := os.Stdin.Read(question); err != nil {
			return
		}
	}
}

// child is a running side.
type child struct {
	name    string
	process *exec.Cmd
	in      io.WriteCloser
	answers *json.Decoder
	address string
}

// startChild starts a side and waits until it works.
func startChild(ctx context.Context, name string, settings sideSettings) (*child, error) {
	document, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{name: name, process: exec.Command(path)} //nolint:gosec // this very program
	c.process.Env = append(os.Environ(), sideVariable+"="+name, settingsVariable+"="+string(document))
	c.process.Stderr = os.Stderr
	if c.in, err = c.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.answers = json.NewDecoder(out)
	if err := c.process.Start(); err != nil {
		return nil, fmt.Errorf("start side %s: %w", name, err)
	}
	first, err := c.read(ctx)
	if err != nil {
		c.kill()
		return nil, err
	}
	c.address = first.Address
	return c, nil
}

// read waits for an answer; a side that hangs is killed.
func (c *child) read(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, childTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.process.Process.Kill() })
	defer stop()
	var a answer
	if err := c.answers.Decode(&a); err != nil {
		return answer{}, fmt.Errorf("side %s does not answer: %w", c.name, errors.Join(ctx.Err(), err))
	}
	return a, nil
}

// ask returns what the side has used and done so far.
func (c *child) ask(ctx context.Context) (answer, error) {
	if _, err := c.in.Write([]byte{'\n'}); err != nil {
		return answer{}, fmt.Errorf("side %s has ended: %w", c.name, err)
	}
	return c.read(ctx)
}

// stop has the side end gently.
func (c *child) stop() error {
	_ = c.in.Close()
	overdue := time.AfterFunc(childTimeout, func() { _ = c.process.Process.Kill() })
	defer overdue.Stop()
	if err := c.process.Wait(); err != nil {
		return fmt.Errorf("side %s: %w", c.name, err)
	}
	return nil
}

// kill ends the side with SIGKILL, in the middle of whatever it does.
func (c *child) kill() {
	_ = c.process.Process.Kill()
	_ = c.process.Wait()
}
