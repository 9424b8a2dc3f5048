package function

import (
	"context"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"

	"github.com/pods-service/pods/shared/templates"
)

// How many tags a process remembers and for how long. A tag never changes; the
// time is how long a deleted one can still be used.
const (
	rememberedTags = 4096
	rememberTag    = time.Minute
)

// remembered is a Source that remembers the tags of pinned references.
type remembered struct {
	source templates.Source
	tags   *expirable.LRU[templates.Reference, templates.Tag]
}

func remember(source templates.Source) remembered {
	return remembered{source, expirable.NewLRU[templates.Reference, templates.Tag](rememberedTags, nil, rememberTag)}
}

// Tag implements templates.Source.
func (r remembered) Tag(ctx context.Context, reference templates.Reference) (templates.Tag, error) {
	if tag, found := r.tags.Get(reference); found {
		return tag, nil
	}
	tag, err := r.source.Tag(ctx, reference)
	if err == nil && reference.Timestamp != "" {
		r.tags.Add(reference, tag)
	}
	return tag, err
}
