package web_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/pods-service/pods/images/hello/web"
)

// testTimeout bounds a wait that should end at once.
const testTimeout = 20 * time.Second

func dial(t *testing.T, server *web.Server) (context.Context, *websocket.Conn) {
	t.Helper()
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	conn, response, err := websocket.Dial(ctx, listener.URL+"/ws", &websocket.DialOptions{HTTPClient: listener.Client()})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	if response.Body != nil {
		t.Cleanup(func() { _ = response.Body.Close() })
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(2 << 20)
	return ctx, conn
}

func TestWebSocketEchoes(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		kind    websocket.MessageType
		message []byte
	}{
		"Text":    {websocket.MessageText, []byte("grüezi")},
		"Empty":   {websocket.MessageText, nil},
		"Binary":  {websocket.MessageBinary, []byte{0, 1, 2, 255, 0}},
		"Largest": {websocket.MessageBinary, bytes.Repeat([]byte("x"), 1<<20)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			ctx, conn := dial(t, newServer(web.Options{}))
			for range 2 { // the connection stays open
				if err := conn.Write(ctx, tc.kind, tc.message); err != nil {
					t.Fatal(err)
				}
				kind, got, err := conn.Read(ctx)
				if err != nil || kind != tc.kind || !bytes.Equal(got, tc.message) {
					t.Fatalf("got %d bytes of kind %v, %v, want %d bytes of kind %v", len(got), kind, err, len(tc.message), tc.kind)
				}
			}
			if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func TestWebSocketRefusesHugeMessages(t *testing.T) {
	t.Parallel()

	ctx, conn := dial(t, newServer(web.Options{}))
	if err := conn.Write(ctx, websocket.MessageText, []byte(strings.Repeat("x", 1<<20+1))); err != nil {
		t.Fatal(err)
	}
	_, _, err := conn.Read(ctx)
	if got := websocket.CloseStatus(err); got != websocket.StatusMessageTooBig {
		t.Errorf("closed with %v (%v), want message too big", got, err)
	}
}

func TestWebSocketClosesWhenIdle(t *testing.T) {
	t.Parallel()

	ctx, conn := dial(t, newServer(web.Options{WebSocketIdle: 10 * time.Millisecond}))
	_, _, err := conn.Read(ctx)
	if got := websocket.CloseStatus(err); got != websocket.StatusGoingAway {
		t.Errorf("closed with %v (%v), want going away", got, err)
	}
}

func TestWebSocketClosesWhenTheServerStops(t *testing.T) {
	t.Parallel()

	server := newServer(web.Options{})
	ctx, conn := dial(t, server)
	if err := conn.Write(ctx, websocket.MessageText, []byte("open")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(ctx); err != nil { // the echo: the socket is served
		t.Fatal(err)
	}

	expired, cancel := context.WithCancel(ctx)
	cancel()
	if err := server.Wait(expired); err == nil {
		t.Error("Wait returned while a socket was open")
	}
	server.Stop()
	_, _, err := conn.Read(ctx)
	if got := websocket.CloseStatus(err); got != websocket.StatusGoingAway {
		t.Errorf("closed with %v (%v), want going away", got, err)
	}
	if err := server.Wait(ctx); err != nil {
		t.Errorf("Wait after the socket closed: %v", err)
	}
}
