package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxFetchBytes bounds an answer with tenants or keys; a tenant takes about
// 2 KiB.
const maxFetchBytes = 4 << 20

// fetchClient never goes from https to http, where anybody on the way could put
// in keys of their own.
var fetchClient = &http.Client{CheckRedirect: func(request *http.Request, via []*http.Request) error {
	if via[0].URL.Scheme == "https" && request.URL.Scheme != "https" {
		return errors.New("redirected from https to " + request.URL.Scheme)
	}
	if len(via) > maxRedirects {
		return errors.New("redirected too often")
	}
	return nil
}}

const maxRedirects = 3

// fetch reads the JSON that is at url into into.
//
// Errors: any answer but 200, one that is too large, and one that is not JSON.
func fetch(ctx context.Context, client *http.Client, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: status %s", url, answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxFetchBytes+1))
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	if len(text) > maxFetchBytes {
		return fmt.Errorf("GET %s: more than %d bytes", url, maxFetchBytes)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}
