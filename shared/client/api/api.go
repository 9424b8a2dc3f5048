// Package api is the client that is generated from the API's description, one
// method for each operation. Package client has what people and programs
// mostly need, in fewer words.
package api

import (
	"context"
	"net/http"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config generate.yaml ../../openapi/openapi.yaml

// WithToken has every request carry an access token.
func WithToken(token string) ClientOption {
	return WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("X-Tapis-Token", token)
		return nil
	})
}
