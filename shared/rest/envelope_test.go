package rest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

func TestWriteResult(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		message  string
		metadata map[string]any
		result   any
		want     string
	}{
		"Defaults": {
			want: `{"message":"The request was successful","metadata":{},"result":null,"status":"success","version":"1.2.3"}`,
		},
		"EmptyText": {
			message: "Pod deleted.",
			result:  "",
			want:    `{"message":"Pod deleted.","metadata":{},"result":"","status":"success","version":"1.2.3"}`,
		},
		"Metadata": {
			message:  "<TAPIS_x>",
			metadata: map[string]any{"warning": "a & b"},
			result:   []string{},
			want:     `{"message":"<TAPIS_x>","metadata":{"warning":"a & b"},"result":[],"status":"success","version":"1.2.3"}`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := httptest.NewRecorder()
			if err := rest.WriteResult(w, http.StatusOK, tc.message, tc.metadata, tc.result, "1.2.3"); err != nil {
				t.Fatalf("WriteResult: %v", err)
			}
			if diff := cmp.Diff(tc.want+"\n", w.Body.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if got := w.Header()["Content-Type"]; !cmp.Equal(got, []string{"application/json"}) {
				t.Errorf("Content-Type = %q, want exactly application/json", got)
			}
		})
	}
}

func TestWriteResultThatDoesNotEncode(t *testing.T) {
	t.Parallel()

	w := httptest.NewRecorder()
	err := rest.WriteResult(w, http.StatusOK, "", nil, make(chan int), "1")
	if err == nil {
		t.Error("WriteResult hid that the result cannot be encoded")
	}
	if w.Code != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", w.Code)
	}
	const want = `{"message":"Unexpected. The request failed inside the service.","metadata":{},"result":null,"status":"error","version":"1"}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// TestEnvelopeWriteErrorWithResult covers an update that changes nothing: status
// 200, marked as an error, with the object.
func TestEnvelopeWriteErrorWithResult(t *testing.T) {
	t.Parallel()

	w := httptest.NewRecorder()
	answer := rest.Envelope{Message: "no change", Result: map[string]any{"pod_id": "db"}, Status: rest.StatusError, Version: "1"}
	if err := answer.Write(w, http.StatusOK); err != nil {
		t.Fatalf("Write: %v", err)
	}
	const want = `{"message":"no change","metadata":{},"result":{"pod_id":"db"},"status":"error","version":"1"}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" || w.Code != http.StatusOK {
		t.Errorf("status %d, body (-want +got):\n%s", w.Code, diff)
	}
}

func TestWriteError(t *testing.T) {
	t.Parallel()

	const unexpected = `"Unexpected. The request failed inside the service."`
	cause := errors.New("dial 10.0.0.7:5432")
	tests := map[string]struct {
		err         error
		wantStatus  int
		wantMessage string // JSON
		wantRetry   bool
	}{
		"Invalid": {pods.Invalid("level must be in READ"), 400, `"level must be in READ"`, false},
		"InvalidFields": {
			fmt.Errorf("create: %w", pods.InvalidFields([]pods.FieldError{
				{Location: []string{"body", "pod_id"}, Message: "is required"},
				{Location: []string{"query"}, Message: "is odd"},
			})),
			400, `["body, pod_id: is required","query: is odd"]`, false,
		},
		"Unauthenticated": {pods.Unauthenticated("Invalid Tapis token."), 401, `"Invalid Tapis token."`, false},
		"Forbidden":       {pods.Forbidden("no"), 403, `"no"`, false},
		"NotFound":        {fmt.Errorf("load pod db: %w", pods.NotFound("Pod not found")), 404, `"Pod not found"`, false},
		"Conflict":        {pods.Conflict("taken"), 409, `"taken"`, false},
		"TooLarge":        {pods.TooLarge("big"), 413, `"big"`, false},
		"Exhausted":       {pods.Exhausted("slow down"), 429, `"slow down"`, true},
		"Unavailable":     {pods.Unavailable("The database is not reachable.", cause), 503, `"The database is not reachable."`, true},
		"Timeout":         {pods.Timeout("Too slow.", cause), 504, `"Too slow."`, false},
		"Internal":        {&pods.Error{Kind: pods.KindInternal, Message: "row 7", Err: cause}, 500, unexpected, false},
		"UnknownKind":     {&pods.Error{Kind: "new", Message: "row 7"}, 500, unexpected, false},
		"Foreign":         {cause, 500, unexpected, false},
		"NoText":          {&pods.Error{Kind: pods.KindConflict}, 409, `"Conflict"`, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := httptest.NewRecorder()
			rest.WriteError(w, tc.err, "1")
			if w.Code != tc.wantStatus {
				t.Errorf("status %d, want %d", w.Code, tc.wantStatus)
			}
			want := `{"message":` + tc.wantMessage + `,"metadata":{},"result":null,"status":"error","version":"1"}` + "\n"
			if diff := cmp.Diff(want, w.Body.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if strings.Contains(w.Body.String(), "10.0.0.7") {
				t.Error("the cause is shown to the user")
			}
			if got := w.Header().Get("Retry-After") != ""; got != tc.wantRetry {
				t.Errorf("Retry-After present = %t, want %t", got, tc.wantRetry)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type = %q", got)
			}
		})
	}
}

func TestWriteErrorKeepsRetryAfter(t *testing.T) {
	t.Parallel()

	w := httptest.NewRecorder()
	w.Header().Set("Retry-After", "42")
	rest.WriteError(w, pods.Exhausted("slow down"), "1")
	if got := w.Header().Values("Retry-After"); !cmp.Equal(got, []string{"42"}) {
		t.Errorf("Retry-After = %q, want the handler's 42", got)
	}
}
