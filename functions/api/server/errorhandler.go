package server

import (
	"context"
	"strconv"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// errorHandler serves GET /error-handler/{status}: the answer that a proxy gives
// in the place of one that it could not get.
//
// Errors: KindInvalid for a status that is no number from 200 to 599.
func (s *Server) errorHandler(_ context.Context, req *rest.Request) (rest.Result, error) {
	status, err := strconv.Atoi(req.PathValue("status"))
	if err != nil || status < 200 || status > 599 {
		return rest.Result{}, pods.InvalidFields([]pods.FieldError{{
			Location: []string{"path", "status"}, Message: "status must be an integer from 200 to 599",
		}})
	}
	message := "The Pods service does not know how to fulfill the request."
	switch status {
	case 404:
		message = "The requested URL is not an Pods endpoint. See the documentation for those there are."
	case 502:
		message = "Timeout error waiting on Pods service response. Try again in a moment."
	case 500, 501, 503, 504:
		message = "Unable to parse Pods service response. Try again in a moment."
	}
	return rest.Result{Message: message, HTTPStatus: status, IsError: true}, nil
}
