package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer bounds what is read of one answer: the log of a pod and a margin.
const maxAnswer = 32 << 20

// Client calls the API of one tenant as one user.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New returns a client of the API at base, such as "http://localhost:8080". It
// has no token until Login.
func New(base string, httpClient *http.Client) *Client {
	return &Client{base: strings.TrimRight(base, "/"), http: httpClient}
}

// Error is an answer that is not a success.
type Error struct {
	StatusCode int
	Messages   []string
}

// Error gives the status and what the service said.
func (e *Error) Error() string {
	return fmt.Sprintf("%d %s: %s", e.StatusCode, http.StatusText(e.StatusCode), strings.Join(e.Messages, "; "))
}

// Login gets an access token for a user by their password.
func (c *Client) Login(ctx context.Context, username, password string) error {
	request := map[string]string{"username": username, "password": password, "grant_type": "password"}
	var result struct {
		AccessToken struct {
			AccessToken string `json:"access_token"`
		} `json:"access_token"`
	}
	if err := c.Do(ctx, http.MethodPost, "/v3/oauth2/tokens", request, &result); err != nil {
		return fmt.Errorf("log in as %s: %w", username, err)
	}
	c.token = result.AccessToken.AccessToken
	return nil
}

// Token returns the access token, empty before Login.
func (c *Client) Token() string { return c.token }

// WithToken returns a client that sends token.
func (c *Client) WithToken(token string) *Client {
	other := *c
	other.token = token
	return &other
}

// CreatePod sends the fields of a new pod.
func (c *Client) CreatePod(ctx context.Context, fields map[string]any) (Pod, error) {
	var pod Pod
	return pod, c.Do(ctx, http.MethodPost, "/v3/pods", fields, &pod)
}

// Pod returns one pod.
func (c *Client) Pod(ctx context.Context, podID string) (Pod, error) {
	var pod Pod
	return pod, c.Do(ctx, http.MethodGet, podPath(podID), nil, &pod)
}

// Pods lists the pods that the user may see.
func (c *Client) Pods(ctx context.Context) ([]Pod, error) {
	var list []Pod
	return list, c.Do(ctx, http.MethodGet, "/v3/pods", nil, &list)
}

// UpdatePod sends the fields of a pod that are to change.
func (c *Client) UpdatePod(ctx context.Context, podID string, fields map[string]any) (Pod, error) {
	var pod Pod
	return pod, c.Do(ctx, http.MethodPut, podPath(podID), fields, &pod)
}

// DeletePod deletes a pod.
func (c *Client) DeletePod(ctx context.Context, podID string) error {
	return c.Do(ctx, http.MethodDelete, podPath(podID), nil, nil)
}

// StartPod asks for a stopped pod to start. Like StopPod and RestartPod it only
// writes what is wanted: read the pod to see what has come of it.
func (c *Client) StartPod(ctx context.Context, podID string) (Pod, error) {
	return c.wish(ctx, podID, "start")
}

// StopPod asks for the pod to stop.
func (c *Client) StopPod(ctx context.Context, podID string) (Pod, error) {
	return c.wish(ctx, podID, "stop")
}

// RestartPod asks for the pod to stop and start again.
func (c *Client) RestartPod(ctx context.Context, podID string) (Pod, error) {
	return c.wish(ctx, podID, "restart")
}

func (c *Client) wish(ctx context.Context, podID, verb string) (Pod, error) {
	var pod Pod
	return pod, c.Do(ctx, http.MethodGet, podPath(podID)+"/"+verb, nil, &pod)
}

// PodLogs returns a pod's output and action log.
func (c *Client) PodLogs(ctx context.Context, podID string) (Logs, error) {
	var logs Logs
	return logs, c.Do(ctx, http.MethodGet, podPath(podID)+"/logs", nil, &logs)
}

// PodCredentials returns a pod's credentials.
func (c *Client) PodCredentials(ctx context.Context, podID string) (Credentials, error) {
	var credentials Credentials
	return credentials, c.Do(ctx, http.MethodGet, podPath(podID)+"/credentials", nil, &credentials)
}

func podPath(podID string) string { return "/v3/pods/" + url.PathEscape(podID) }

// Do sends one request and reads the result in its envelope into result, which
// may be nil. A nil body sends none.
//
// Errors: *Error for every answer but a success, and those of the transport.
func (c *Client) Do(ctx context.Context, method, path string, body, result any) error {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, payload)
	if err != nil {
		return fmt.Errorf("build request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("X-Tapis-Token", c.token)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("call the service: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return decode(answer.StatusCode, data, result)
}

func decode(statusCode int, data []byte, result any) error {
	var envelope struct {
		Message json.RawMessage `json:"message"`
		Result  json.RawMessage `json:"result"`
		Status  string          `json:"status"`
	}
	if err := json.Unmarshal(data, &envelope); err != nil {
		return &Error{StatusCode: statusCode, Messages: []string{"the answer is not in the service's envelope"}}
	}
	if statusCode >= http.StatusMultipleChoices || envelope.Status != "success" {
		return &Error{StatusCode: statusCode, Messages: messages(envelope.Message)}
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(envelope.Result, result); err != nil {
		return fmt.Errorf("read result: %w", err)
	}
	return nil
}

// messages reads one message or a list of them.
func messages(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one string
	_ = json.Unmarshal(raw, &one) // anything else is shown as empty
	return []string{one}
}
