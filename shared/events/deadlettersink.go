package events

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/pods"
)

// The extensions in which a Knative Broker tells a dead letter sink what became
// of an event.
const (
	extensionErrorCode = "knativeerrorcode" // the last HTTP status
	extensionErrorData = "knativeerrordata" // the last body, in base64, cut off at 1 KiB
	extensionErrorDest = "knativeerrordest" // who was to take it
	knativePrefix      = "knative"          // of these and of the Broker's own notes
)

// triggerPattern is what a Kubernetes object, and so a Trigger, may be called.
var triggerPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// DeadLetterSink keeps the events that a Knative Broker could not deliver. It
// serves paths with the name of the Trigger as the value "trigger". It is safe
// for concurrent use.
type DeadLetterSink struct {
	letters  DeadLetters
	attempts map[string]int // by trigger: of an event that is retried to the end
	logger   *slog.Logger
}

// NewDeadLetterSink returns a sink that keeps letters. A Broker does not say how
// often it has tried; for those of triggers that is known.
func NewDeadLetterSink(letters DeadLetters, triggers []Trigger, logger *slog.Logger) *DeadLetterSink {
	s := &DeadLetterSink{letters: letters, attempts: map[string]int{}, logger: logger}
	for _, trigger := range triggers {
		s.attempts[trigger.Name] = trigger.Delivery.Retry + 1
	}
	return s
}

// ServeHTTP keeps the one event in r. The Broker tries again until it is kept.
func (s *DeadLetterSink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	Handle(w, r, "dead-letters", s.logger, func(ctx context.Context, event cloudevents.Event) error {
		return s.keep(ctx, r.PathValue("trigger"), event)
	})
}

func (s *DeadLetterSink) keep(ctx context.Context, trigger string, event cloudevents.Event) error {
	if !triggerPattern.MatchString(trigger) {
		return pods.Invalid("%q is no name of a Trigger", trigger)
	}
	letter := s.letter(trigger, event)
	if err := s.letters.AddDeadLetter(ctx, letter); err != nil {
		return fmt.Errorf("keep dead letter of event %s to %s: %w", event.ID(), trigger, err)
	}
	logDeadLetter(ctx, s.logger, letter)
	return nil
}

// letter takes what the Broker has noted on the event off it.
func (s *DeadLetterSink) letter(trigger string, event cloudevents.Event) DeadLetter {
	last := answerOf(event)
	letter := DeadLetter{Trigger: trigger, Reason: last.String(), Attempts: 1, Event: event.Clone()}
	if last.retryable() {
		letter.Attempts = max(1, s.attempts[trigger])
	}
	for name := range event.Extensions() {
		if strings.HasPrefix(name, knativePrefix) {
			letter.Event.SetExtension(name, nil)
		}
	}
	return letter
}

// answerOf returns the subscriber's last answer as the Broker has noted it.
func answerOf(event cloudevents.Event) answer {
	code, _ := attribute(event, extensionErrorCode)
	body, _ := attribute(event, extensionErrorData)
	status, err := strconv.Atoi(code)
	if decoded, err := base64.StdEncoding.DecodeString(body); err == nil {
		body = string(decoded)
	}
	if err != nil || status <= 0 { // Knative writes -1 when there was none
		destination, _ := attribute(event, extensionErrorDest)
		return answer{err: errors.New(strings.TrimSpace(destination + " " + body))}
	}
	return answer{status: status, body: body}
}
