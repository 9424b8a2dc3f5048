package cache_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/pods"
)

// twoCaches are those of two instances.
func twoCaches(t *testing.T) (one, two *cache.Cache) {
	t.Helper()
	through, prefix := newRelay(t), "test-"+rand.Text()
	return open(t, through.url(), prefix), open(t, through.url(), prefix)
}

func TestRecords(t *testing.T) {
	t.Parallel()

	one, two := twoCaches(t)
	ctx := t.Context()
	record := func(name, owner string) cache.Record {
		return cache.Record{Kind: "client", Name: name, Owner: owner, Value: []byte("value of " + name)}
	}
	b, a := record("b", "alice"), record("a", "alice")
	other := record("c", "")
	other.Value = nil
	steps := []struct {
		name string
		err  error
		want pods.Kind
	}{
		{"Add", one.AddRecord(ctx, b, 2, 0), ""},
		{"AddAnother", two.AddRecord(ctx, a, 2, 0), ""},
		{"Taken", two.AddRecord(ctx, record("a", "bob"), 2, 0), pods.KindConflict},
		{"Full", two.AddRecord(ctx, record("d", "alice"), 2, 0), pods.KindExhausted},
		{"NobodysAndEmpty", two.AddRecord(ctx, other, 2, 0), ""},
		{"OtherKind", two.AddRecord(ctx, cache.Record{Kind: "code", Name: "a", Owner: "alice"}, 1, time.Minute), ""},
	}
	for _, step := range steps {
		if pods.KindOf(step.err) != step.want {
			t.Errorf("%s: %v, want %q", step.name, step.err, step.want)
		}
	}
	list, err := one.Records(ctx, "client", "alice")
	if diff := cmp.Diff([]cache.Record{a, b}, list); err != nil || diff != "" {
		t.Errorf("records of alice, %v (-want +got):\n%s", err, diff)
	}
	if list, err := one.Records(ctx, "client", "bob"); err != nil || len(list) != 0 {
		t.Errorf("records of bob: %v, %v", list, err)
	}
	if got, err := one.Record(ctx, "client", "c"); err != nil || got.Owner != "" || len(got.Value) != 0 {
		t.Errorf("nobody's record: %+v, %v", got, err)
	}

	if err := one.ReplaceRecord(ctx, b, []byte("new")); err != nil {
		t.Fatal(err)
	}
	stranger := cache.Record{Kind: "client", Name: "b", Owner: "bob", Value: []byte("new")}
	for name, stale := range map[string]cache.Record{"Changed": b, "OtherOwner": stranger, "NotThere": record("z", "alice")} {
		if err := two.ReplaceRecord(ctx, stale, []byte("x")); pods.KindOf(err) != pods.KindConflict {
			t.Errorf("replace %s: %v", name, err)
		}
	}
	if _, err := two.TakeRecord(ctx, "client", "bob", "b"); pods.KindOf(err) != pods.KindNotFound {
		t.Errorf("bob takes what alice has: %v", err)
	}
	if got, err := two.TakeRecord(ctx, "client", "alice", "b"); err != nil || string(got.Value) != "new" {
		t.Errorf("taken: %+v, %v", got, err)
	}
	if _, err := one.Record(ctx, "client", "b"); pods.KindOf(err) != pods.KindNotFound {
		t.Errorf("what was taken is there: %v", err)
	}
	if err := one.AddRecord(ctx, record("d", "alice"), 2, 0); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

// TestRecordIsTakenOnce by many at once.
func TestRecordIsTakenOnce(t *testing.T) {
	t.Parallel()

	one, two := twoCaches(t)
	if err := one.AddRecord(t.Context(), cache.Record{Kind: "code", Name: "a"}, 1, time.Minute); err != nil {
		t.Fatal(err)
	}
	var taken atomic.Int32
	var group sync.WaitGroup
	for _, c := range []*cache.Cache{one, two, one, two, one, two} {
		group.Go(func() {
			if _, err := c.TakeRecord(t.Context(), "code", "", "a"); err == nil {
				taken.Add(1)
			}
		})
	}
	group.Wait()
	if taken.Load() != 1 {
		t.Errorf("%d have taken the record", taken.Load())
	}
}

// TestRecordsEnd and leave room when they do.
func TestRecordsEnd(t *testing.T) {
	t.Parallel()

	c, _ := twoCaches(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := range 3 {
		record := cache.Record{Kind: "code", Name: fmt.Sprint(n)}
		for {
			err := c.AddRecord(ctx, record, 1, time.Millisecond)
			if err == nil {
				break
			}
			if pods.KindOf(err) != pods.KindExhausted {
				t.Fatal(err)
			}
		}
	}
	for {
		if _, err := c.Record(ctx, "code", "2"); pods.KindOf(err) == pods.KindNotFound {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordsWithoutRedis(t *testing.T) {
	t.Parallel()

	through := newRelay(t)
	c := open(t, through.url(), "")
	through.cut()
	ctx := t.Context()
	_, one := c.Record(ctx, "client", "a")
	_, all := c.Records(ctx, "client", "alice")
	_, taken := c.TakeRecord(ctx, "client", "alice", "a")
	for name, err := range map[string]error{
		"Add": c.AddRecord(ctx, cache.Record{Kind: "client", Name: "a"}, 1, 0), "Record": one, "Records": all, "Take": taken,
		"Replace": c.ReplaceRecord(ctx, cache.Record{Kind: "client", Name: "a"}, nil),
	} {
		if pods.KindOf(err) != pods.KindUnavailable {
			t.Errorf("%s: %v, want unavailable", name, err)
		}
	}
}
