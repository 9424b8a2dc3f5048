package issuer

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/pods"
)

// Records are where clients and codes are kept, as cache.Cache keeps them for
// all instances. All methods may fail with KindUnavailable.
type Records interface {
	// AddRecord fails with KindConflict for a kind and name that is taken, with
	// KindExhausted when the owner has most of the kind. A life of 0 has no end.
	AddRecord(ctx context.Context, r cache.Record, most int, life time.Duration) error
	// Record fails with KindNotFound.
	Record(ctx context.Context, kind, name string) (cache.Record, error)
	Records(ctx context.Context, kind, owner string) ([]cache.Record, error)
	// ReplaceRecord fails with KindConflict when the record is not as r has it.
	ReplaceRecord(ctx context.Context, r cache.Record, value []byte) error
	// TakeRecord removes a record and returns it to one caller alone. It fails with
	// KindNotFound, for another owner's too.
	TakeRecord(ctx context.Context, kind, owner, name string) (cache.Record, error)
}

// memory keeps records for a process that is alone; they end with it. It is safe
// for concurrent use.
type memory struct {
	now func() time.Time

	mu   sync.Mutex
	held map[place]held
}

type place struct{ kind, name string }

type held struct {
	cache.Record
	ends time.Time // zero: never
}

func (h held) hasEnded(now time.Time) bool { return !h.ends.IsZero() && !now.Before(h.ends) }

func newMemory(now func() time.Time) *memory { return &memory{now: now, held: map[place]held{}} }

var errNoRecord = pods.NotFound("There is no such record.")

// find returns a record that has not ended. The caller holds the lock.
func (m *memory) find(kind, name string) (held, bool) {
	h, found := m.held[place{kind, name}]
	return h, found && !h.hasEnded(m.now())
}

// AddRecord implements Records.
func (m *memory) AddRecord(_ context.Context, r cache.Record, most int, life time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	maps.DeleteFunc(m.held, func(_ place, h held) bool { return h.hasEnded(now) })
	if _, taken := m.held[place{r.Kind, r.Name}]; taken {
		return pods.Conflict("There is such a record already.")
	}
	count := 0
	for at, h := range m.held {
		if at.kind == r.Kind && h.Owner == r.Owner {
			count++
		}
	}
	if count >= most {
		return pods.Exhausted("There are %d such records already.", most)
	}
	added := held{Record: r}
	if life > 0 {
		added.ends = now.Add(life)
	}
	m.held[place{r.Kind, r.Name}] = added
	return nil
}

// Record implements Records.
func (m *memory) Record(_ context.Context, kind, name string) (cache.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, found := m.find(kind, name)
	if !found {
		return cache.Record{}, errNoRecord
	}
	return h.Record, nil
}

// Records implements Records.
func (m *memory) Records(_ context.Context, kind, owner string) ([]cache.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	var list []cache.Record
	for at, h := range m.held {
		if at.kind == kind && h.Owner == owner && !h.hasEnded(now) {
			list = append(list, h.Record)
		}
	}
	slices.SortFunc(list, func(a, b cache.Record) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// ReplaceRecord implements Records.
func (m *memory) ReplaceRecord(_ context.Context, r cache.Record, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, found := m.find(r.Kind, r.Name)
	if !found || h.Owner != r.Owner || string(h.Value) != string(r.Value) {
		return pods.Conflict("The record has changed. Try again.")
	}
	h.Value = value
	m.held[place{r.Kind, r.Name}] = h
	return nil
}

// TakeRecord implements Records.
func (m *memory) TakeRecord(_ context.Context, kind, owner, name string) (cache.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, found := m.find(kind, name)
	if !found || h.Owner != owner {
		return cache.Record{}, errNoRecord
	}
	delete(m.held, place{kind, name})
	return h.Record, nil
}
