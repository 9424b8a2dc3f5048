package cache_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/pods"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// redisOptions tells where the test Redis is. Tests need a real one.
func redisOptions(t *testing.T) *redis.Options {
	t.Helper()
	url := os.Getenv("TEST_REDIS_URL")
	if url == "" {
		t.Fatal("TEST_REDIS_URL is not set: these tests need a Redis server")
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatalf("TEST_REDIS_URL cannot be read: %v", err)
	}
	return options
}

// relay stands between the cache and Redis, and can be cut.
type relay struct {
	path string // of the socket on which it listens
	t    *testing.T
	to   *redis.Options

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	mute     bool // takes everything and passes nothing on
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	r := &relay{path: filepath.Join(t.TempDir(), "redis.sock"), t: t, to: redisOptions(t), conns: map[net.Conn]bool{}}
	r.open()
	t.Cleanup(r.cut)
	return r
}

func (r *relay) url() string { return "unix://" + r.path }

func (r *relay) open() {
	r.t.Helper()
	listener, err := net.Listen("unix", r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.listener = listener
	r.mu.Unlock()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go r.pass(conn)
		}
	}()
}

// pass copies both ways until either end is gone.
func (r *relay) pass(conn net.Conn) {
	r.mu.Lock()
	r.conns[conn] = true
	r.mu.Unlock()
	back, err := net.Dial(r.to.Network, r.to.Addr)
	if err != nil {
		_ = conn.Close()
		return
	}
	r.mu.Lock()
	r.conns[back] = true
	r.mu.Unlock()
	copyUntilClosed := func(to, from net.Conn) {
		buffer := make([]byte, 4096)
		for {
			n, err := from.Read(buffer)
			if err == nil && !r.isMute() {
				_, err = to.Write(buffer[:n])
			}
			if err != nil {
				_, _ = to.Close(), from.Close()
				return
			}
		}
	}
	go copyUntilClosed(conn, back)
	copyUntilClosed(back, conn)
}

// cut closes the way to Redis and everything on it.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.listener.Close()
	for conn := range r.conns {
		_ = conn.Close()
		delete(r.conns, conn)
	}
}

func (r *relay) setMute() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mute = true
}

func (r *relay) isMute() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mute
}

func open(t *testing.T, url, prefix string) *cache.Cache {
	t.Helper()
	c, err := cache.Open(cache.Options{URL: url, Prefix: prefix, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// listener runs a subscription and hands on what it is told.
type listener struct {
	t      *testing.T
	events chan any // cache.Change, or "connected", or "disconnected"
	done   chan struct{}
	cancel context.CancelFunc
}

func listen(t *testing.T, c *cache.Cache) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &listener{t: t, events: make(chan any, 100), done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(l.done)
		c.Subscribe(ctx, cache.Subscriber{
			Changed:      func(change cache.Change) { l.events <- change },
			Connected:    func() { l.events <- "connected" },
			Disconnected: func() { l.events <- "disconnected" },
		})
	}()
	t.Cleanup(l.stop)
	return l
}

func (l *listener) stop() {
	l.cancel()
	select {
	case <-l.done:
	case <-time.After(patience):
		l.t.Error("Subscribe does not return after its context ended")
	}
}

func (l *listener) want(want any) {
	l.t.Helper()
	select {
	case got := <-l.events:
		if got != want {
			l.t.Fatalf("heard %v, want %v", got, want)
		}
	case <-time.After(patience):
		l.t.Fatalf("heard nothing, want %v", want)
	}
}

func TestPublishReachesEverySubscriber(t *testing.T) {
	t.Parallel()

	prefix := "test-" + t.Name()
	via := newRelay(t)
	publisher := open(t, via.url(), prefix)
	first, second := listen(t, open(t, via.url(), prefix)), listen(t, open(t, via.url(), prefix))
	stranger := listen(t, open(t, via.url(), prefix+"-other"))
	for _, l := range []*listener{first, second, stranger} {
		l.want("connected")
	}

	changes := []cache.Change{{TenantID: "dev", PodID: "db"}, {TenantID: "dev2", PodID: "web"}}
	for _, change := range changes {
		publisher.Publish(t.Context(), change)
	}
	for _, change := range changes {
		first.want(change)
		second.want(change)
	}
	if len(stranger.events) > 0 {
		t.Errorf("another deployment heard %v", <-stranger.events)
	}
	if diff := cmp.Diff(cache.Stats{Published: 2}, publisher.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func TestMalformedMessageIsSkipped(t *testing.T) {
	t.Parallel()

	prefix := "test-" + t.Name()
	via := newRelay(t)
	c := open(t, via.url(), prefix)
	l := listen(t, c)
	l.want("connected")

	options := redisOptions(t)
	options.MaintNotificationsConfig = nil
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	for _, message := range []string{"", "{", "[]", `{"tenant_id":"dev"}`, `{"pod_id":"db"}`, `{"tenant_id":1}`, strings.Repeat(" ", 1<<20) + "{}"} {
		if err := client.Publish(t.Context(), prefix+":changes:v1", message).Err(); err != nil {
			t.Fatal(err)
		}
	}
	c.Publish(t.Context(), cache.Change{TenantID: "dev", PodID: "db"})
	l.want(cache.Change{TenantID: "dev", PodID: "db"})
	if diff := cmp.Diff(cache.Stats{Published: 1, Received: 1, Malformed: 7}, c.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func TestSubscriptionComesBack(t *testing.T) {
	t.Parallel()

	via := newRelay(t)
	c := open(t, via.url(), "test-"+t.Name())
	l := listen(t, c)
	l.want("connected")
	for range 2 {
		via.cut()
		l.want("disconnected") // once, however often it tries
		via.open()
		l.want("connected")
		c.Publish(t.Context(), cache.Change{TenantID: "dev", PodID: "db"})
		l.want(cache.Change{TenantID: "dev", PodID: "db"})
	}
	if got := c.Stats().Interruptions; got != 2 {
		t.Errorf("%d interruptions counted, want 2", got)
	}
}

func TestRedisDownFromTheStart(t *testing.T) {
	t.Parallel()

	via := newRelay(t)
	via.cut()
	c := open(t, via.url(), "test-"+t.Name())
	if err := c.Ping(t.Context()); pods.KindOf(err) != pods.KindUnavailable {
		t.Errorf("Ping: %v, want unavailable", err)
	}
	l := listen(t, c)
	l.want("disconnected")
	via.open()
	l.want("connected")
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

// TestSilentRedis covers a server that takes connections and never answers:
// nobody may wait for it long, and the subscription must notice.
func TestSilentRedis(t *testing.T) {
	t.Parallel()

	via := newRelay(t)
	via.setMute()
	c := open(t, via.url(), "test-"+t.Name())
	start := time.Now()
	c.Publish(t.Context(), cache.Change{TenantID: "dev", PodID: "db"})
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Publish took %s", took)
	}
	if got := c.Stats(); got.PublishErrors != 1 || got.Published != 0 {
		t.Errorf("stats %+v, want one error", got)
	}
	listen(t, c).want("disconnected")
}

// TestSubscriptionThatFallsSilent covers a connection that is dead without
// either end having been told.
func TestSubscriptionThatFallsSilent(t *testing.T) {
	t.Parallel()

	via := newRelay(t)
	c := open(t, via.url(), "test-"+t.Name())
	c.SetPingEvery(20 * time.Millisecond)
	l := listen(t, c)
	l.want("connected")
	via.setMute()
	l.want("disconnected")
}

func TestSubscribeEndsWithItsContext(t *testing.T) {
	t.Parallel()

	via := newRelay(t)
	l := listen(t, open(t, via.url(), "test-"+t.Name()))
	l.want("connected")
	l.stop()
	if len(l.events) > 0 {
		t.Errorf("heard %v at the end", <-l.events)
	}
}

func TestOpenHidesThePassword(t *testing.T) {
	t.Parallel()

	for name, url := range map[string]string{
		"Scheme": "http://:hunter2@localhost", "Unparsable": "redis://:hunter2@local host:x/\x7f", "Option": "redis://:hunter2@localhost?x=1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := cache.Open(cache.Options{URL: url, Logger: slog.New(slog.DiscardHandler)})
			if pods.KindOf(err) != pods.KindInvalid {
				t.Fatalf("Open: %v, want invalid", err)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), "hunter2") {
					t.Errorf("error shows the password: %v", e)
				}
			}
		})
	}
}

func TestFailuresAreLoggedWithoutThePassword(t *testing.T) {
	t.Parallel()

	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	url := "unix://user:hunter2@" + filepath.Join(t.TempDir(), "none.sock")
	c, err := cache.Open(cache.Options{URL: url, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	c.Publish(t.Context(), cache.Change{TenantID: "dev", PodID: "db"})
	if got := log.String(); !strings.Contains(got, "change not published") || !strings.Contains(got, "pod_id=db") || strings.Contains(got, "hunter2") {
		t.Errorf("log: %s", got)
	}
}
