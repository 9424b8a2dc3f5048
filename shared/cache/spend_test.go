package cache_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/pods"
)

// TestSpend takes from buckets that two instances share, so slowly refilled
// that the test's own time adds less than a token.
func TestSpend(t *testing.T) {
	t.Parallel()

	options := redisOptions(t)
	prefix := "test-" + rand.Text()
	through := newRelay(t)
	one, two := open(t, through.url(), prefix), open(t, through.url(), prefix)
	bucket := func(name string, taken int) cache.Spending {
		return cache.Spending{Bucket: name, Rate: 0.001, Burst: 100, Taken: taken}
	}
	steps := []struct {
		by   *cache.Cache
		list []cache.Spending
		want []float64
	}{
		{one, []cache.Spending{bucket("dev/alice", 30), bucket("dev/", 50)}, []float64{70, 50}},
		{two, []cache.Spending{bucket("dev/alice", 0), bucket("dev/bob", 1)}, []float64{70, 99}},
		{two, []cache.Spending{bucket("dev/alice", 80)}, []float64{-10}},
		{one, []cache.Spending{bucket("dev/alice", 1000)}, []float64{-100}},
		{one, []cache.Spending{bucket("dev/", 0)}, []float64{50}},
	}
	for i, step := range steps {
		got, err := step.by.Spend(t.Context(), step.list)
		if err != nil || len(got) != len(step.want) {
			t.Fatalf("step %d: %v, %v", i, got, err)
		}
		for n, want := range step.want {
			if got[n] < want || got[n] > want+1 {
				t.Errorf("step %d: %v left, want %v and what has come in since", i, got[n], want)
			}
		}
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	life, err := client.PTTL(t.Context(), "{"+prefix+":rate:v1}:dev/").Result()
	if want := 50_000 * time.Second; err != nil || life < want || life > want+time.Minute {
		t.Errorf("an idle bucket is kept for %s (%v), want until it is full", life, err)
	}
}

// TestSpendRefills: tokens come back by the clock of Redis, up to the burst.
func TestSpendRefills(t *testing.T) {
	t.Parallel()

	c := open(t, newRelay(t).url(), "test-"+rand.Text())
	bucket := cache.Spending{Bucket: "dev/alice", Rate: 1e6, Burst: 100, Taken: 100}
	if _, err := c.Spend(t.Context(), []cache.Spending{bucket}); err != nil {
		t.Fatal(err)
	}
	bucket.Taken = 0
	left, err := c.Spend(t.Context(), []cache.Spending{bucket})
	if err != nil || left[0] <= 0 || left[0] > 100 {
		t.Errorf("%v left, %v; want more than none and at most 100", left, err)
	}
}

func TestSpendWithoutRedis(t *testing.T) {
	t.Parallel()

	through := newRelay(t)
	c := open(t, through.url(), "")
	through.cut()
	_, err := c.Spend(t.Context(), []cache.Spending{{Bucket: "dev/alice", Rate: 1, Burst: 1}})
	if pods.KindOf(err) != pods.KindUnavailable {
		t.Errorf("error %v, want unavailable", err)
	}
}
