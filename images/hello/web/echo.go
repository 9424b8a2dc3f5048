package web

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// copyBuffer is the size of the pieces in which bodies are copied.
const copyBuffer = 32 << 10

// requestView is the answer of /headers.
type requestView struct {
	Method           string      `json:"method"`
	Host             string      `json:"host"`
	Proto            string      `json:"proto"`
	RequestURI       string      `json:"request_uri"`
	RemoteAddr       string      `json:"remote_addr"`
	ContentLength    int64       `json:"content_length"` // -1 means unknown
	TransferEncoding []string    `json:"transfer_encoding,omitempty"`
	Headers          http.Header `json:"headers"`
}

// headers serves /headers: the request as it reached this server, so that one
// can see what the proxies on the way added and removed.
func (s *Server) headers(w http.ResponseWriter, r *http.Request) {
	body, err := json.MarshalIndent(requestView{
		Method:           r.Method,
		Host:             r.Host,
		Proto:            r.Proto,
		RequestURI:       r.RequestURI,
		RemoteAddr:       r.RemoteAddr,
		ContentLength:    r.ContentLength,
		TransferEncoding: r.TransferEncoding,
		Headers:          r.Header,
	}, "", "  ")
	if err != nil {
		http.Error(w, "cannot show the request", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(body, '\n')) // fails only when the client is gone
}

// echo serves POST /echo: each piece of the body goes back as soon as it is
// there, whatever the length.
func (s *Server) echo(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	// HTTP/1 needs to be told that answering starts before the body ends.
	// HTTP/2 always does and reports that it cannot be told.
	_ = control.EnableFullDuplex()

	contentType := r.Header.Get("Content-Type")
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if r.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	// The first write sends the status. Sending it before the first read would
	// keep a client waiting that asked to be told to continue.
	if _, err := io.CopyBuffer(flushWriter{w, control}, onlyReader{r.Body}, make([]byte, copyBuffer)); err != nil {
		// The status may be out already: only a cut connection tells the client.
		panic(http.ErrAbortHandler)
	}
}

// status serves /status/{code}.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil || code < 200 || code > 599 {
		http.Error(w, "the status must be a number from 200 to 599", http.StatusBadRequest)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if code == http.StatusNoContent || code == http.StatusResetContent || code == http.StatusNotModified {
		w.WriteHeader(code) // these have no body
		return
	}
	plain(w, code, strconv.Itoa(code)+" "+http.StatusText(code)+"\n")
}

// flushWriter sends every write at once.
type flushWriter struct {
	w       io.Writer
	control *http.ResponseController
}

func (f flushWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, f.control.Flush()
}

// onlyReader hides WriteTo, which would bypass the flushing.
type onlyReader struct{ io.Reader }
