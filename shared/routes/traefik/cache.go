package traefik

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"github.com/pods-service/pods/shared/routes"
)

// renewAfter is how long a rendering of an unchanged table is kept: addresses
// of tenants, which are in it too, may change.
const renewAfter = time.Minute

// Configuration is one rendering.
type Configuration struct {
	JSON []byte // must not be changed
	// ETag names the content, in quotes as HTTP wants it.
	ETag string
}

// Renderer renders tables and keeps what it has rendered last. It is safe for
// concurrent use. Make one with NewRenderer.
type Renderer struct {
	options Options
	logger  *slog.Logger
	now     func() time.Time

	mu       sync.Mutex
	last     *Configuration
	version  string // of the table that last is of
	at       time.Time
	reported map[routes.Problem]bool // of the last rendering
}

// NewRenderer returns a Renderer that logs each problem when it is new.
//
// Errors: for options that make no sense.
func NewRenderer(options Options, now func() time.Time, logger *slog.Logger) (*Renderer, error) {
	if _, _, err := Render(&routes.Table{}, options); err != nil {
		return nil, err
	}
	return &Renderer{options: options, logger: logger, now: now}, nil
}

// Render returns the configuration of table, or the last good one when there is
// an error. A table that is the same as the last time costs nothing.
//
// Errors: only while there has been no good one.
func (r *Renderer) Render(table *routes.Table) (*Configuration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != nil && r.version == table.Version() && r.now().Sub(r.at) < renewAfter {
		return r.last, nil
	}
	content, problems, err := Render(table, r.options)
	if err != nil {
		if r.last == nil {
			return nil, err
		}
		r.logger.Error("Traefik keeps its last good configuration", "error", err)
		return r.last, nil
	}
	r.report(problems)
	sum := sha256.Sum256(content)
	r.last = &Configuration{JSON: content, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`}
	r.version, r.at = table.Version(), r.now()
	return r.last, nil
}

// report logs problems that are new. Called with mu held.
func (r *Renderer) report(problems []routes.Problem) {
	current := make(map[routes.Problem]bool, len(problems))
	for _, problem := range problems {
		current[problem] = true
		if !r.reported[problem] {
			r.logger.Warn("networking entry not rendered for Traefik", "tenant_id", problem.TenantID,
				"pod_id", problem.PodID, "key", problem.Key, "reason", problem.Reason)
		}
	}
	r.reported = current
}
