// Package openapitest holds what the service answers in tests to its OpenAPI
// document.
package openapitest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Check returns a handler that answers as next does and fails t when the answer
// to an operation of the document is not as the document has it: in its status,
// its media type, the type of a field, or because it has a field that is not
// described. Paths are those of the document, with or without "/v3".
func Check(t testing.TB, next http.Handler) http.Handler {
	t.Helper()
	doc, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if operation, found := doc.find(r.Method, r.URL.Path); found {
			if err := operation.check(answer); err != nil {
				t.Errorf("%s %s answers what is not in the OpenAPI document: %v\n%s", r.Method, r.URL, err, answer.Body)
			}
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // fails only when the client is gone
	})
}

// OperationID returns the id of the operation that a request is for, empty for
// none.
func OperationID(t testing.TB, method, path string) string {
	t.Helper()
	doc, err := load()
	if err != nil {
		t.Fatal(err)
	}
	operation, _ := doc.find(method, path)
	return operation.id
}
