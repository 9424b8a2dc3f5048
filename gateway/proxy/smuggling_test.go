package proxy_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/pods"
)

// recorder is the program of a pod, and all that reaches it.
type recorder struct {
	mu       sync.Mutex
	requests []string
	wire     bytes.Buffer
}

// record adds an AVAILABLE pod whose program keeps what it gets.
func (s *site) record(id string, change ...func(*pods.Networking)) *recorder {
	s.t.Helper()
	r := &recorder{}
	upstream := httptest.NewUnstartedServer(r)
	upstream.Listener = &taps{upstream.Listener, r}
	upstream.Start()
	s.t.Cleanup(upstream.Close)
	s.put(id, pods.StatusAvailable, upstream.Listener.Addr(), change...)
	return r
}

// ServeHTTP keeps each request that has come whole, and answers with its
// address. One that breaks off in the middle is none to a program.
func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var body []byte
	if !strings.HasPrefix(request.URL.Path, "/unread") {
		var err error
		if body, err = io.ReadAll(request.Body); err != nil {
			return
		}
	}
	r.mu.Lock()
	r.requests = append(r.requests, request.Method+" "+request.RequestURI+" "+string(body))
	r.mu.Unlock()
	_, _ = io.WriteString(w, request.RequestURI)
}

// seen returns the requests that have come, and their bytes.
func (r *recorder) seen() (requests []string, wire string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests), r.wire.String()
}

// taps is a listener whose connections are overheard.
type taps struct {
	net.Listener
	recorder *recorder
}

func (l *taps) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &overheard{conn, l.recorder}, err
}

type overheard struct {
	net.Conn
	recorder *recorder
}

func (o *overheard) Read(buffer []byte) (int, error) {
	n, err := o.Conn.Read(buffer)
	o.recorder.mu.Lock()
	defer o.recorder.mu.Unlock()
	o.recorder.wire.Write(buffer[:n])
	return n, err
}

// spell turns the line ends of a test into those of HTTP. <LF> and <CR> are
// ones that stand alone, and {host} is the host of the pod.
func spell(text, host string) string {
	return strings.NewReplacer("\n", "\r\n", "<LF>", "\n", "<CR>", "\r", "{host}", host).Replace(text)
}

// chunked is a body in one chunk.
func chunked(body string) string {
	return fmt.Sprintf("%x\n%s\n0\n\n", len(spell(body, "")), body)
}

// connect opens a connection that is closed with the test.
func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// converse sends text and returns the status of each answer until the gateway closes.
func converse(t *testing.T, conn net.Conn, text string) (statuses []int) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(answers, nil)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the connection stays open after %d", statuses)
		}
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, response.Body) // the next answer shows whether that is its end
		_ = response.Body.Close()
		statuses = append(statuses, response.StatusCode)
	}
}

// hidden is a request for another pod, put where it must be taken for
// something else.
const hidden = "GET /hidden HTTP/1.1\nHost: victim.pods.localhost\n\n"

// TestSmuggling sends requests that servers are known to read in different
// ways, each with another behind it. The pod must see what the gateway has
// seen, or nothing, and no other pod anything.
func TestSmuggling(t *testing.T) {
	t.Parallel()

	const (
		get    = "GET / HTTP/1.1\nHost: {host}\n"
		post   = "POST / HTTP/1.1\nHost: {host}\n"
		length = "Content-Length: 53\n" // of hidden
		chunks = "Transfer-Encoding: chunked\n"
	)
	if n := len(spell(hidden, "")); !strings.Contains(length, fmt.Sprint(n)) {
		t.Fatalf("hidden has %d bytes", n)
	}
	refused, served := []int{400}, []int{200, 200}
	tests := map[string]struct {
		request string
		answers []int // until the gateway closes; the last is to GET /last
		want    string
	}{
		// A body is a body, however much it looks like a request.
		"Length":        {post + length + "\n" + hidden, served, "POST / " + hidden},
		"Chunks":        {post + chunks + "\n" + chunked(hidden), served, "POST / " + hidden},
		"UnreadLength":  {"POST /unread HTTP/1.1\nHost: {host}\n" + length + "\n" + hidden, served, "POST /unread "},
		"UnreadChunks":  {"POST /unread HTTP/1.1\nHost: {host}\n" + chunks + "\n" + chunked(hidden), served, "POST /unread "},
		"GetWithLength": {get + length + "\n" + hidden, served, "GET / " + hidden},
		"ExpectedBody":  {post + length + "Expect: 100-continue\n\n" + hidden, []int{100, 200, 200}, "POST / " + hidden},

		// Forms that can be read in one way only reach the pod in the usual one.
		"SameLengthTwice":  {post + length + length + "\n" + hidden, served, "POST / " + hidden},
		"LengthAndChunks":  {post + "Content-Length: 4\n" + chunks + "\n" + chunked(hidden), served, "POST / " + hidden},
		"ChunksAndLength":  {post + chunks + "Content-Length: 400\n\n" + chunked(hidden), served, "POST / " + hidden},
		"LengthZeroChunks": {post + "Content-Length: 0\n" + chunks + "\n" + chunked(hidden), served, "POST / " + hidden},
		"FoldedEncoding":   {post + "Transfer-Encoding:\n chunked\n\n" + chunked(hidden), served, "POST / " + hidden},
		"SpacedEncoding":   {post + "Transfer-Encoding: \t chunked \t\n\n" + chunked(hidden), served, "POST / " + hidden},
		"UpperCase":        {post + "TRANSFER-encoding: CHUNKED\n\n" + chunked(hidden), served, "POST / " + hidden},
		"ChunkExtension":   {post + chunks + "\n" + strings.Replace(chunked(hidden), "\n", ";a=\"b\"\n", 1), served, "POST / " + hidden},
		"LonelyLF":         {"GET / HTTP/1.1<LF>Host: {host}<LF>X-A: 1<LF><LF>", served, "GET / "},
		"NoBodyButForm":    {post + "Content_Length: 53\n\n", served, "POST / "},

		// HTTP/1.0 has neither chunks nor upgrades, and its connections end.
		"HTTP10":          {"GET / HTTP/1.0\nHost: {host}\nConnection: keep-alive\n\n" + hidden, []int{200}, "GET / "},
		"HTTP10Length":    {"POST / HTTP/1.0\nHost: {host}\nConnection: keep-alive\n" + length + "\n" + hidden, []int{200}, "POST / " + hidden},
		"HTTP10Chunks":    {"POST / HTTP/1.0\nHost: {host}\nConnection: keep-alive\n" + chunks + "\n" + hidden, []int{200}, "POST / "},
		"UnderscoreForms": {post + "Transfer_Encoding: chunked\nContent_Length: 4\n\n" + chunked(hidden), []int{200, 400}, "POST / "},

		// Bodies of which it is not clear where they end.
		"TwoLengths":       {post + length + "Content-Length: 4\n\n" + hidden, refused, ""},
		"ListOfLengths":    {post + "Content-Length: 53, 53\n\n" + hidden, refused, ""},
		"EmptyLength":      {post + "Content-Length: \n\n" + hidden, refused, ""},
		"SignedLength":     {post + "Content-Length: +53\n\n" + hidden, refused, ""},
		"NegativeLength":   {post + "Content-Length: -1\n\n" + hidden, refused, ""},
		"HexLength":        {post + "Content-Length: 0x35\n\n" + hidden, refused, ""},
		"SpacedLength":     {post + "Content-Length: 5 3\n\n" + hidden, refused, ""},
		"OverflowLength":   {post + "Content-Length: 18446744073709551669\n\n" + hidden, refused, ""},
		"BadLengthChunks":  {post + "Content-Length: x\n" + chunks + "\n" + chunked(hidden), refused, ""},
		"FormFeedLength":   {post + "Content-Length: \f53\n\n" + hidden, refused, ""},
		"ChunksTwice":      {post + chunks + chunks + "\n" + chunked(hidden), []int{501}, ""},
		"ChunksAndMore":    {post + chunks + "Transfer-Encoding: identity\n\n" + chunked(hidden), []int{501}, ""},
		"ChunksIdentity":   {post + "Transfer-Encoding: chunked, identity\n\n" + chunked(hidden), []int{501}, ""},
		"IdentityChunks":   {post + "Transfer-Encoding: identity, chunked\n\n" + chunked(hidden), []int{501}, ""},
		"Identity":         {post + "Transfer-Encoding: identity\n" + length + "\n" + hidden, []int{501}, ""},
		"Compressed":       {post + "Transfer-Encoding: gzip, chunked\n\n" + chunked(hidden), []int{501}, ""},
		"OddEncoding":      {post + "Transfer-Encoding: xchunked\n" + length + "\n" + hidden, []int{501}, ""},
		"QuotedEncoding":   {post + "Transfer-Encoding: \"chunked\"\n" + length + "\n" + hidden, []int{501}, ""},
		"Parameter":        {post + "Transfer-Encoding: chunked;q=1\n" + length + "\n" + hidden, []int{501}, ""},
		"EmptyEncoding":    {post + "Transfer-Encoding:\n" + length + "\n" + hidden, []int{501}, ""},
		"VerticalTab":      {post + "Transfer-Encoding: \vchunked\n" + length + "\n" + hidden, refused, ""},
		"FoldedTwice":      {post + "Transfer-Encoding: chunked\n , identity\n" + length + "\n" + hidden, []int{501}, ""},
		"TrailingLength":   {post + chunks + "Trailer: Content-Length\n\n4\nbody\n0\nContent-Length: 53\n\n" + hidden, refused, ""},
		"TrailingEncoding": {post + chunks + "Trailer: Transfer-Encoding\n\n4\nbody\n0\nTransfer-Encoding: chunked\n\n" + hidden, refused, ""},

		// Chunks that are none.
		"ChunkOverflow":    {post + chunks + "\n10000000000000004\nbody\n0\n\n" + hidden, refused, ""},
		"ChunkSigned":      {post + chunks + "\n+4\nbody\n0\n\n" + hidden, refused, ""},
		"ChunkPrefix":      {post + chunks + "\n0x4\nbody\n0\n\n" + hidden, refused, ""},
		"ChunkUnderscore":  {post + chunks + "\n0_4\nbody\n0\n\n" + hidden, refused, ""},
		"ChunkSpace":       {post + chunks + "\n 4\nbody\n0\n\n" + hidden, refused, ""},
		"ChunkNoSize":      {post + chunks + "\n\nbody\n0\n\n" + hidden, refused, ""},
		"ChunkSizeLF":      {post + chunks + "\n4<LF>body\n0\n\n" + hidden, refused, ""},
		"ChunkSizeCR":      {post + chunks + "\n4<CR>body\n0\n\n" + hidden, refused, ""},
		"ChunkExtensionLF": {post + chunks + "\n4;a<LF>body\n0\n\n" + hidden, refused, ""},
		"ChunkExtensionCR": {post + chunks + "\n4;a<CR>b\nbody\n0\n\n" + hidden, refused, ""},
		"ChunkEndLF":       {post + chunks + "\n4\nbody<LF>0\n\n" + hidden, refused, ""},
		"ChunkEndCR":       {post + chunks + "\n4\nbody<CR>0\n\n" + hidden, refused, ""},
		"ChunkTooLong":     {post + chunks + "\n4\nbodybody\n0\n\n" + hidden, refused, ""},
		"ChunkTooShort":    {post + chunks + "\n8\nbody\n0\n\n" + hidden, refused, ""},
		"LastChunkLF":      {post + chunks + "\n4\nbody\n0<LF>\n" + hidden, refused, ""},
		"ManyExtensions":   {post + chunks + "\n" + strings.Repeat("1;"+strings.Repeat("a", 2000)+"\nx\n", 20) + "0\n\n" + hidden, refused, ""},

		// Lines that could be read as others.
		"SpaceBeforeColon":  {post + "Transfer-Encoding : chunked\n" + length + "\n" + hidden, refused, ""},
		"TabBeforeColon":    {post + "Content-Length\t: 53\n\n" + hidden, refused, ""},
		"NULInName":         {post + "Transfer-Encoding\x00: chunked\n" + length + "\n" + hidden, refused, ""},
		"NULInValue":        {post + "X-A: \x00\n" + length + "\n" + hidden, refused, ""},
		"CRInValue":         {post + "X-A: 1<CR>Content-Length: 53\n\n" + hidden, refused, ""},
		"CRInName":          {post + "<CR>Content-Length: 53\n\n" + hidden, refused, ""},
		"NoColon":           {post + "Transfer-Encoding\n" + length + "\n" + hidden, refused, ""},
		"NoName":            {post + ": chunked\n" + length + "\n" + hidden, refused, ""},
		"FoldedFirst":       {"POST / HTTP/1.1\n Transfer-Encoding: chunked\nHost: {host}\n" + length + "\n" + hidden, refused, ""},
		"TwoHosts":          {"GET / HTTP/1.1\nHost: victim.pods.localhost\nHost: {host}\n\n", refused, ""},
		"TwoHostsOtherWay":  {get + "Host: victim.pods.localhost\n\n", refused, ""},
		"FoldedHost":        {"GET / HTTP/1.1\nHost: victim.pods.localhost\n {host}\n\n", refused, ""},
		"URLOfOther":        {"GET http://victim.pods.localhost/ HTTP/1.1\nHost: {host}\n\n", []int{400, 200}, ""},
		"URLAndHostOfOther": {"GET http://{host}/ HTTP/1.1\nHost: victim.pods.localhost\n\n", []int{400, 200}, ""},
		"TwoSpaces":         {"GET  / HTTP/1.1\nHost: {host}\n\n", refused, ""},
		"SpaceInPath":       {"GET /a b HTTP/1.1\nHost: {host}\n\n", refused, ""},
		"VersionTwice":      {"GET / HTTP/1.1 HTTP/1.1\nHost: {host}\n\n", refused, ""},
		"VersionLowerCase":  {"GET / http/1.1\nHost: {host}\n\n", refused, ""},
		"NoVersion":         {"GET /\nHost: {host}\n\n", refused, ""},
		"OldVersion":        {"GET / HTTP/0.9\nHost: {host}\n\n", []int{505}, ""},
		"NewVersion":        {"GET / HTTP/2.0\nHost: {host}\n\n", []int{505}, ""},
		"NULInPath":         {"GET /\x00 HTTP/1.1\nHost: {host}\n\n", refused, ""},
		"NULInMethod":       {"GET\x00 / HTTP/1.1\nHost: {host}\n\n", refused, ""},
		"HTTP2Unasked":      {"PRI * HTTP/2.0\n\nSM\n\n", refused, ""},
	}
	s := newSite(t)
	victim := s.record("victim")
	t.Cleanup(func() {
		if requests, _ := victim.seen(); len(requests) > 0 {
			t.Errorf("another pod has seen %q", requests)
		}
	})
	for name, tc := range tests {
		id := "p" + strings.ToLower(name)
		pod, host := s.record(id), id+".pods.localhost"
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			statuses := converse(t, connect(t, s.plain), spell(tc.request+"GET /last HTTP/1.1\nHost: {host}\nConnection: close\n\n", host))
			if diff := cmp.Diff(tc.answers, statuses); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			// Anything left on a connection to the pod would come before this,
			// or be the answer to it.
			if response, body := s.raw(t, "GET /after HTTP/1.1\nHost: "+host+"\nConnection: close\n\n"); body != "/after" {
				t.Errorf("the next visitor gets %d %q", response.StatusCode, body)
			}
			want := []string{}
			if tc.want != "" {
				want = append(want, spell(tc.want, host))
			}
			if tc.answers[len(tc.answers)-1] == http.StatusOK && len(tc.answers) > 1 {
				want = append(want, "GET /last ")
			}
			requests, wire := pod.seen()
			if diff := cmp.Diff(append(want, "GET /after "), requests); diff != "" {
				t.Errorf("the pod has seen (-want +got):\n%s", diff)
			}
			wantPlain(t, wire)
		})
	}
}

// wantPlain looks at the header of the first request that a pod has got: there
// must be nothing in it of which servers think differently.
func wantPlain(t *testing.T, wire string) {
	t.Helper()
	header, _, _ := strings.Cut(wire, "\r\n\r\n")
	lines := strings.Split(header, "\r\n")
	lengths := 0
	for _, line := range lines[1:] {
		name, value, found := strings.Cut(line, ": ")
		if !found || strings.ContainsAny(line, "\r\n\x00") || strings.ContainsAny(name, " \t") || strings.TrimSpace(value) != value {
			t.Errorf("the pod gets the line %q", line)
		}
		switch strings.ReplaceAll(strings.ToLower(name), "_", "-") {
		case "content-length", "transfer-encoding":
			lengths++
		}
	}
	if lengths > 1 || strings.Count(lines[0], " ") != 2 {
		t.Errorf("the pod gets %q", header)
	}
}
