package server

import (
	"context"
	"encoding/json"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// How many dead letters are listed: unless asked for otherwise, and at most.
const (
	defaultDeadLetters = 100
	maxDeadLetters     = 1000
)

// listDeadLetters serves GET /pods/dead-letters: the newest ones of all tenants
// and events that belong to none.
//
// Errors: KindInvalid for a limit that is not 1 to 1000.
func (s *Server) listDeadLetters(ctx context.Context, req *rest.Request) (rest.Result, error) {
	limit, err := req.QueryInt("limit", defaultDeadLetters, 1, maxDeadLetters)
	if err != nil {
		return rest.Result{}, err
	}
	letters, err := s.Store.DeadLetters(ctx, limit)
	if err != nil {
		return rest.Result{}, err
	}
	shown := make([]client.DeadLetter, len(letters))
	for i, letter := range letters {
		shown[i] = showDeadLetter(letter)
	}
	return rest.Result{Message: "Dead letters retrieved successfully.", Value: shown}, nil
}

func showDeadLetter(letter events.DeadLetter) client.DeadLetter {
	event := letter.Event
	shown := client.DeadLetter{
		EventID: event.ID(), Trigger: letter.Trigger,
		EventType: event.Type(), EventSource: event.Source(), EventSubject: event.Subject(),
		Reason: letter.Reason, Attempts: letter.Attempts, FailedAt: client.Time{Time: letter.FailedAt},
	}
	if at := event.Time(); !at.IsZero() {
		shown.EventTime = &client.Time{Time: at}
	}
	if data := event.Data(); json.Valid(data) {
		shown.Data = data
	}
	return shown
}

// resendDeadLetter serves POST /pods/dead-letters/{event_id}/resend: the event
// is sent again as it was, to every Trigger that it fits.
//
// Errors: KindNotFound, KindConflict while the event is still being delivered.
func (s *Server) resendDeadLetter(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.takeDeadLetter(ctx, req, s.Store.ResendDeadLetter, "Dead letter is being sent again.")
}

// deleteDeadLetter serves DELETE /pods/dead-letters/{event_id}.
//
// Errors: KindNotFound.
func (s *Server) deleteDeadLetter(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.takeDeadLetter(ctx, req, s.Store.DeleteDeadLetter, "Dead letter successfully deleted.")
}

// takeDeadLetter does what is to be done with the dead letter that path and
// query name.
func (s *Server) takeDeadLetter(
	ctx context.Context, req *rest.Request, do func(ctx context.Context, eventID, trigger string) error, message string,
) (rest.Result, error) {
	trigger := req.URL.Query().Get("trigger")
	if trigger == "" {
		return rest.Result{}, pods.InvalidFields([]pods.FieldError{{
			Location: []string{"query", "trigger"}, Message: "trigger is required: one event can be the dead letter of several Triggers",
		}})
	}
	if err := do(ctx, req.PathValue("event_id"), trigger); err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: message, Value: ""}, nil
}
