package function

import (
	"context"
	"testing"

	"github.com/pods-service/pods/shared/templates"
)

// counter is a Source that has every tag.
type counter struct{ calls int }

func (c *counter) Tag(_ context.Context, reference templates.Reference) (templates.Tag, error) {
	c.calls++
	if reference.TemplateID == "gone" {
		return templates.Tag{}, templates.Unknown("gone")
	}
	if reference.Timestamp == "" {
		reference.Timestamp = "2026-01-02-03:04:05"
	}
	return templates.Tag{Reference: reference}, nil
}

// Only what cannot change is remembered: which tag is the newest can.
func TestRemember(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]int{"app:1@2026-01-02-03:04:05": 1, "app:1": 3, "app": 3, "gone:1@2026-01-02-03:04:05": 3} {
		reference, err := templates.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		source := &counter{}
		tags := remember(source)
		for range 3 {
			tag, err := tags.Tag(t.Context(), reference)
			if (err == nil) != (reference.TemplateID != "gone") || err == nil && tag.Reference.Timestamp == "" {
				t.Errorf("%s: %v, %v", text, tag.Reference, err)
			}
		}
		if source.calls != want {
			t.Errorf("%s asked for three times is read %d times, want %d", text, source.calls, want)
		}
	}
}
