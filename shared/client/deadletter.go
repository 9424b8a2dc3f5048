package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// DeadLetter is an event that one Trigger's subscriber did not take, as the API
// shows it to site admins.
type DeadLetter struct {
	EventID      string          `json:"event_id"`
	Trigger      string          `json:"trigger"`
	EventType    string          `json:"event_type"`
	EventSource  string          `json:"event_source"`
	EventSubject string          `json:"event_subject"` // "<tenant>/<id>" in events about pods
	EventTime    *Time           `json:"event_time"`    // null for an event without
	Data         json.RawMessage `json:"data"`          // null for data that is no JSON
	Reason       string          `json:"reason"`        // the subscriber's last answer
	Attempts     int             `json:"attempts"`
	FailedAt     Time            `json:"failed_at"`
}

const deadLettersPath = "/v3/pods/dead-letters"

// DeadLetters lists the newest dead letters, at most limit, 1 to 1000.
func (c *Client) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	var list []DeadLetter
	return list, c.Do(ctx, http.MethodGet, deadLettersPath+"?limit="+strconv.Itoa(limit), nil, &list)
}

// ResendDeadLetter has the event of a dead letter sent again.
func (c *Client) ResendDeadLetter(ctx context.Context, eventID, trigger string) error {
	return c.Do(ctx, http.MethodPost, deadLetterPath(eventID, "/resend", trigger), nil, nil)
}

// DeleteDeadLetter drops a dead letter.
func (c *Client) DeleteDeadLetter(ctx context.Context, eventID, trigger string) error {
	return c.Do(ctx, http.MethodDelete, deadLetterPath(eventID, "", trigger), nil, nil)
}

func deadLetterPath(eventID, verb, trigger string) string {
	return deadLettersPath + "/" + url.PathEscape(eventID) + verb + "?trigger=" + url.QueryEscape(trigger)
}
