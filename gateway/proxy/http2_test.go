package proxy_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// field is a header of HTTP/2, sent as it is.
type field struct{ name, value string }

// TestHTTP2Forms sends HTTP/2 that no client library would: above all what
// could become another request when it is passed on in HTTP/1.
func TestHTTP2Forms(t *testing.T) {
	t.Parallel()

	const (
		protocolError = "PROTOCOL_ERROR"
		either        = "400 or " + protocolError // by whether the body comes before the answer
		host          = "db.pods.localhost"
		crlf          = " HTTP/1.1\r\nHost: victim.pods.localhost\r\n\r\n"
	)
	request := func(more ...field) []field {
		return append([]field{{":method", "POST"}, {":scheme", "https"}, {":authority", host}, {":path", "/"}}, more...)
	}
	with := func(name, value string) []field {
		changed := request()
		for i := range changed {
			if changed[i].name == name {
				changed[i].value = value
			}
		}
		return changed
	}
	without := func(name string) []field {
		var kept []field
		for _, f := range request() {
			if f.name != name {
				kept = append(kept, f)
			}
		}
		return kept
	}
	tests := map[string]struct {
		header []field
		body   string
		answer string // a status, or the code of the error, or some of those
		want   string // what the pod sees
	}{
		"Plain":        {request(), "body", "200", "POST / body"},
		"Length":       {request(field{"content-length", "4"}), "body", "200", "POST / body"},
		"Trailers":     {request(field{"te", "trailers"}), "body", "200", "POST / body"},
		"HiddenInBody": {request(), hidden, "200", "POST / " + hidden},
		"SameHost":     {request(field{"host", host}), "", "200", "POST / "},
		"HostInstead":  {append(without(":authority"), field{"host", host}), "", "200", "POST / "},

		// Headers that are about the connection have no place in HTTP/2.
		"Connection":      {request(field{"connection", "x-forwarded-for"}), "", "400", ""},
		"ConnectionClose": {request(field{"connection", "close"}), "", "400", ""},
		"KeepAlive":       {request(field{"keep-alive", "timeout=5"}), "", "400", ""},
		"ProxyConnection": {request(field{"proxy-connection", "keep-alive"}), "", "400", ""},
		"Chunks":          {request(field{"transfer-encoding", "chunked"}), "0\r\n\r\n" + hidden, "400", ""},
		"Identity":        {request(field{"transfer-encoding", "identity"}), hidden, "400", ""},
		"Upgrade":         {request(field{"upgrade", "websocket"}), "", "400", ""},
		"UpgradeH2C":      {request(field{"upgrade", "h2c"}, field{"http2-settings", "AAMAAABkAAQAAP__"}), "", "400", ""},
		"TE":              {request(field{"te", "gzip"}), "", "400", ""},
		"TETwice":         {request(field{"te", "trailers"}, field{"te", "trailers"}), "", "400", ""},

		// Bodies that are not as long as they are said to be.
		"Shorter":       {request(field{"content-length", "40"}), "body", "400", ""},
		"Longer":        {request(field{"content-length", "2"}), "body", protocolError, ""},
		"LengthNoBody":  {request(field{"content-length", "4"}), "", "400", ""},
		"TwoLengths":    {request(field{"content-length", "4"}, field{"content-length", "40"}), "body", "400", ""},
		"ListOfLengths": {request(field{"content-length", "4, 4"}), "body", either, ""},
		"SignedLength":  {request(field{"content-length", "+4"}), "body", either, ""},
		"EmptyLength":   {request(field{"content-length", ""}), "body", either, ""},
		"ChunksHidden":  {request(field{"transfer_encoding", "chunked"}), "0\r\n\r\n" + hidden, "200", "POST / 0\r\n\r\n" + hidden},

		// Values that would be more than one line of HTTP/1, or another part of one.
		"LinesInValue":      {request(field{"x-a", "1\r\ntransfer-encoding: chunked"}), "", protocolError, ""},
		"LFInValue":         {request(field{"x-a", "1\ntransfer-encoding: chunked"}), "", protocolError, ""},
		"CRInValue":         {request(field{"x-a", "1\rx"}), "", protocolError, ""},
		"NULInValue":        {request(field{"x-a", "1\x00"}), "", protocolError, ""},
		"LinesInName":       {request(field{"x-a: 1\r\nx-b", "1"}), "", protocolError, ""},
		"ColonInName":       {request(field{"transfer-encoding:chunked", "1"}), "", protocolError, ""},
		"SpaceInName":       {request(field{"transfer-encoding ", "chunked"}), "", protocolError, ""},
		"UpperCaseName":     {request(field{"Transfer-Encoding", "chunked"}), "", protocolError, ""},
		"EmptyName":         {request(field{"", "x"}), "", protocolError, ""},
		"LinesInPath":       {with(":path", "/"+crlf), "", protocolError, ""},
		"VersionInPath":     {with(":path", "/ HTTP/1.1"), "", "400", ""},
		"VersionInQuery":    {with(":path", "/?a HTTP/1.1"), "", "400", ""},
		"FullURL":           {with(":path", "https://victim.pods.localhost/"), "", "400", ""},
		"NoSlash":           {with(":path", "victim"), "", protocolError, ""},
		"Star":              {with(":path", "*"), "", "400", ""},
		"EmptyPath":         {with(":path", ""), "", protocolError, ""},
		"LinesInMethod":     {with(":method", "GET /"+crlf), "", protocolError, ""},
		"RequestInMethod":   {with(":method", "GET /hidden HTTP/1.1"), "", "400", ""},
		"EmptyMethod":       {with(":method", ""), "", protocolError, ""},
		"Trace":             {with(":method", "TRACE"), "", "405", ""},
		"Connect":           {[]field{{":method", "CONNECT"}, {":authority", host}}, "", "405", ""},
		"ConnectWithPath":   {with(":method", "CONNECT"), "", protocolError, ""},
		"ConnectWebSocket":  {append(with(":method", "CONNECT"), field{":protocol", "websocket"}), "", protocolError, ""},
		"LinesInAuthority":  {with(":authority", host+crlf), "", protocolError, ""},
		"UserInAuthority":   {with(":authority", "x@"+host), "", protocolError, ""},
		"PathInAuthority":   {with(":authority", host+"/x"), "", "400", ""},
		"OtherAuthority":    {with(":authority", "victim.pods.localhost"), "", "421", ""},
		"OtherHost":         {request(field{"host", "victim.pods.localhost"}), "", "400", ""},
		"TwoHosts":          {request(field{"host", host}, field{"host", "victim.pods.localhost"}), "", "400", ""},
		"OtherHostInstead":  {append(without(":authority"), field{"host", "victim.pods.localhost"}), "", "421", ""},
		"NoAuthority":       {without(":authority"), "", "400", ""},
		"TwoAuthorities":    {append(request(), field{":authority", "victim.pods.localhost"}), "", protocolError, ""},
		"TwoPaths":          {append(request(), field{":path", "/hidden"}), "", protocolError, ""},
		"LatePath":          {append(without(":path"), field{"x-a", "1"}, field{":path", "/"}), "", protocolError, ""},
		"UnknownPseudo":     {append(request(), field{":status", "200"}), "", protocolError, ""},
		"NoScheme":          {without(":scheme"), "", protocolError, ""},
		"OtherScheme":       {with(":scheme", "gopher"), "", protocolError, ""},
		"SchemeWithoutTLS":  {with(":scheme", "http"), "", "200", "POST / "}, // what counts is the connection
		"OtherWithoutTLS":   {[]field{{":method", "GET"}, {":scheme", "http"}, {":authority", "victim.pods.localhost"}, {":path", "/"}}, "", "421", ""},
		"LinesInScheme":     {with(":scheme", "https\r\nx: y"), "", protocolError, ""},
		"ForwardedInCookie": {request(field{"cookie", "a=1\r\nx-forwarded-for: 6.6.6.6"}), "", protocolError, ""},
	}
	s := newSite(t)
	pod, victim := s.record("db"), s.record("victim")
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { // one after the other: they share the pod
			before, _ := pod.seen()
			if got := s.http2(t, host, tc.header, tc.body); !strings.Contains(tc.answer, got) {
				t.Errorf("answer %s, want %s", got, tc.answer)
			}
			if _, body := s.raw(t, "GET /after HTTP/1.1\nHost: "+host+"\nConnection: close\n\n"); body != "/after" {
				t.Errorf("the next visitor gets %q", body)
			}
			want := []string{"GET /after "}
			if tc.want != "" {
				want = append([]string{tc.want}, want...)
			}
			after, _ := pod.seen()
			if diff := cmp.Diff(want, after[len(before):]); diff != "" {
				t.Errorf("the pod has seen (-want +got):\n%s", diff)
			}
		})
	}
	if requests, _ := victim.seen(); len(requests) > 0 {
		t.Errorf("another pod has seen %q", requests)
	}
}

// http2 sends one request on a connection for host and returns the status of
// the answer, or the code with which the gateway ends the stream or the
// connection.
func (s *site) http2(t *testing.T, host string, header []field, body string) string {
	t.Helper()
	conn := tls.Client(connect(t, s.secure), &tls.Config{RootCAs: s.trusted, ServerName: host, NextProtos: []string{http2.NextProtoTLS}})
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range header {
		_ = encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}) // a buffer takes everything
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(
		framer.WriteSettings(),
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == ""}),
	)
	if body != "" {
		err = errors.Join(err, framer.WriteData(1, true, []byte(body)))
	}
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("there is no answer")
		}
		if err != nil {
			return err.Error()
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return frame.ErrCode.String()
		case *http2.GoAwayFrame:
			return frame.ErrCode.String()
		}
	}
}

// TestHTTP2OnThePlainPort: who asks for HTTP/2 without TLS gets HTTP/1 or
// nothing.
func TestHTTP2OnThePlainPort(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	pod := s.record("db")
	// The settings and the request behind them are those of HTTP/2.
	statuses := converse(t, connect(t, s.plain), spell("GET / HTTP/1.1\nHost: {host}\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\n"+
		"HTTP2-Settings: AAMAAABkAAQAAP__\n\n"+strings.ReplaceAll(http2.ClientPreface, "\r", ""), "db.pods.localhost"))
	if diff := cmp.Diff([]int{200, 400}, statuses); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if requests, _ := pod.seen(); !cmp.Equal(requests, []string{"GET / "}) {
		t.Errorf("the pod has seen %q", requests)
	}
}
