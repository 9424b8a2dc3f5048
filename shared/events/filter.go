package events

import (
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"
)

// Filter chooses events by their context attributes, in the dialects of the
// CloudEvents Subscriptions API that are set here; all of those set must hold.
// The zero value lets every event through.
type Filter struct {
	All []Filter `yaml:"all"`
	Any []Filter `yaml:"any"`
	Not *Filter  `yaml:"not"`
	// The values compare with attributes of that name, extensions included. An
	// event without the attribute does not match.
	Exact  map[string]string `yaml:"exact"`
	Prefix map[string]string `yaml:"prefix"`
	Suffix map[string]string `yaml:"suffix"`
}

// Matches reports whether event passes the filter.
func (f Filter) Matches(event cloudevents.Event) bool {
	return f.matchesAll(event) && f.matchesAny(event) &&
		(f.Not == nil || !f.Not.Matches(event)) &&
		compare(event, f.Exact, func(value, want string) bool { return value == want }) &&
		compare(event, f.Prefix, strings.HasPrefix) &&
		compare(event, f.Suffix, strings.HasSuffix)
}

func (f Filter) matchesAll(event cloudevents.Event) bool {
	for _, part := range f.All {
		if !part.Matches(event) {
			return false
		}
	}
	return true
}

func (f Filter) matchesAny(event cloudevents.Event) bool {
	for _, part := range f.Any {
		if part.Matches(event) {
			return true
		}
	}
	return len(f.Any) == 0
}

func compare(event cloudevents.Event, wanted map[string]string, holds func(value, want string) bool) bool {
	for name, want := range wanted {
		value, found := attribute(event, name)
		if !found || !holds(value, want) {
			return false
		}
	}
	return true
}

// attribute returns the context attribute or extension of that name in its
// string form, and whether event has it.
func attribute(event cloudevents.Event, name string) (string, bool) {
	var value string
	switch name {
	case "id":
		value = event.ID()
	case "source":
		value = event.Source()
	case "specversion":
		value = event.SpecVersion()
	case "type":
		value = event.Type()
	case "subject":
		value = event.Subject()
	case "datacontenttype":
		value = event.DataContentType()
	case "dataschema":
		value = event.DataSchema()
	case "time":
		if !event.Time().IsZero() {
			value = types.FormatTime(event.Time())
		}
	default:
		extension, found := event.Extensions()[name]
		if !found {
			return "", false
		}
		text, err := types.Format(extension)
		return text, err == nil
	}
	return value, value != ""
}
