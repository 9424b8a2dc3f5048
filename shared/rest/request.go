package rest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// Request is a request whose caller is known. A route that is open has the
// zero Caller.
type Request struct {
	*http.Request
	Caller pods.Caller
	// Level is what the route asks of its object.
	Level permissions.Level
}

// ReadJSON returns the body of a request that must carry JSON.
//
// Errors: KindInvalid for another content type; those of ReadBody, whose limit is
// 1 MiB here.
func (r *Request) ReadJSON() ([]byte, error) {
	contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(contentType), "application/json") {
		return nil, invalidBody("the request needs the header Content-Type: application/json")
	}
	return r.ReadBody(maxBody)
}

func invalidBody(message string) error {
	return pods.InvalidFields([]pods.FieldError{{Location: []string{"body"}, Message: message}})
}

// QueryFlag reads a boolean query parameter, standard when it is not there.
//
// Errors: KindInvalid for any text but true and false.
func (r *Request) QueryFlag(name string, standard bool) (bool, error) {
	switch strings.ToLower(r.URL.Query().Get(name)) {
	case "":
		return standard, nil
	case "false", "0", "no":
		return false, nil
	case "true", "1", "yes":
		return true, nil
	}
	return false, pods.InvalidFields([]pods.FieldError{{Location: []string{"query", name}, Message: name + " must be true or false"}})
}

// QueryInt reads a query parameter that is a whole number between low and high,
// or standard when it is not there.
//
// Errors: KindInvalid for anything else.
func (r *Request) QueryInt(name string, standard, low, high int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return standard, nil
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < low || value > high {
		return 0, pods.InvalidFields([]pods.FieldError{{
			Location: []string{"query", name},
			Message:  fmt.Sprintf("%s must be a whole number from %d to %d", name, low, high),
		}})
	}
	return value, nil
}
