package web

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// webSocket serves /ws: every message goes back as it came, until the client
// leaves, is silent for too long or the server stops.
func (s *Server) webSocket(w http.ResponseWriter, r *http.Request) {
	s.sockets.Add(1)
	defer s.sockets.Done()

	// No answer here depends on who asks, so a page of any origin may ask.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }() // does nothing after one of the closes below
	conn.SetReadLimit(maxMessageBytes)

	idle := time.AfterFunc(s.options.WebSocketIdle, func() {
		_ = conn.Close(websocket.StatusGoingAway, "idle for too long")
	})
	defer idle.Stop()
	defer context.AfterFunc(s.stopping, func() {
		_ = conn.Close(websocket.StatusGoingAway, "server is stopping")
	})()

	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		idle.Reset(s.options.WebSocketIdle)
		if err := s.reply(r.Context(), conn, kind, message); err != nil {
			return
		}
	}
}

// reply sends one message. A client that does not take it in time is given up.
func (s *Server) reply(ctx context.Context, conn *websocket.Conn, kind websocket.MessageType, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.WebSocketIdle)
	defer cancel()
	return conn.Write(ctx, kind, message)
}
