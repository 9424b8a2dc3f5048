package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// long is an item of which a hundred are more than is gathered before a list is
// sent.
var long = map[string]string{"text": strings.Repeat("<&\u00fc", 300)}

// itemsThen yields count long items and then err, unless it is nil.
func itemsThen(count int, err error) rest.List {
	return func(yield func(any, error) bool) {
		for range count {
			if !yield(long, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// TestListIsWrittenAsASlice: a client cannot tell the difference.
func TestListIsWrittenAsASlice(t *testing.T) {
	t.Parallel()

	for _, count := range []int{0, 1, 2, 100} {
		t.Run(strconv.Itoa(count), func(t *testing.T) {
			t.Parallel()

			items := []any{}
			for range count {
				items = append(items, long)
			}
			answer := rest.Envelope{
				Metadata: map[string]any{"result": []any{}, "note": `"result":[]`}, Status: rest.StatusSuccess, Version: `1"result":[]`,
			}
			want, got := httptest.NewRecorder(), httptest.NewRecorder()
			answer.Result = items
			if err := answer.Write(want, http.StatusOK); err != nil {
				t.Fatal(err)
			}
			answer.Result = itemsThen(count, nil)
			if err := answer.Write(got, http.StatusOK); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.Body.String(), got.Body.String()); diff != "" {
				t.Errorf("body (-slice +list):\n%s", diff)
			}
			if length := got.Header().Get("Content-Length"); (length != "") != (count < 100) {
				t.Errorf("Content-Length %q", length)
			}
			got.Header().Del("Content-Length")
			want.Header().Del("Content-Length")
			if diff := cmp.Diff(want.Header(), got.Header()); diff != "" {
				t.Errorf("header (-slice +list):\n%s", diff)
			}
		})
	}
}

func listServer(t *testing.T, list rest.List) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(rest.NewRouter(rest.Config{Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute}, []rest.Route{{
		Pattern: "GET /pods", Open: true,
		Handle: func(context.Context, *rest.Request) (rest.Result, error) { return rest.Result{Value: list}, nil },
	}}))
	t.Cleanup(server.Close)
	return server
}

func getList(t *testing.T, list rest.List) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, listServer(t, list).URL+"/pods", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// TestListThatFails: an error has its own status while that can be sent, and
// later nobody takes what came for the whole list.
func TestListThatFails(t *testing.T) {
	t.Parallel()

	down := pods.Unavailable("The database is down.", nil)
	for name, count := range map[string]int{"AtOnce": 0, "BeforeAnythingIsSent": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			answer := getList(t, itemsThen(count, down))
			body, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), `"result":null`) {
				t.Errorf("status %d, %v: %s", answer.StatusCode, err, body)
			}
		})
	}
	t.Run("Midway", func(t *testing.T) {
		t.Parallel()

		answer := getList(t, itemsThen(100, down))
		body, err := io.ReadAll(answer.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the answer of %d bytes ends with %v, want it broken off", len(body), err)
		}
		if json.Valid(body) {
			t.Error("what came is a whole document")
		}
	})
	t.Run("DoesNotEncode", func(t *testing.T) {
		t.Parallel()

		answer := getList(t, func(yield func(any, error) bool) { yield(make(chan int), nil) })
		if answer.StatusCode != http.StatusInternalServerError {
			t.Errorf("status %d, want 500", answer.StatusCode)
		}
	})
}

// TestListStreams: the first items arrive while the last is not there yet, and
// nothing more is read for a client that has gone.
func TestListStreams(t *testing.T) {
	t.Parallel()

	more, ended := make(chan struct{}), make(chan int, 1)
	answer := getList(t, func(yield func(any, error) bool) {
		yielded := 0
		defer func() { ended <- yielded }()
		for range 100_000 {
			if yielded == 100 {
				<-more
			}
			if !yield(long, nil) {
				return
			}
			yielded++
		}
	})
	start := make([]byte, 16<<10)
	if _, err := io.ReadFull(answer.Body, start); err != nil || !strings.HasPrefix(string(start), `{"message":`) {
		t.Fatalf("the start is %.40q, %v", start, err)
	}
	close(more)
	_ = answer.Body.Close()
	if yielded := <-ended; yielded == 100_000 {
		t.Error("the whole list was read for nobody")
	}
}
