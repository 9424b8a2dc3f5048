package login

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// How long the permissions of a pod are remembered, and for how long they are
// used while the store cannot be asked. A permission that is taken away counts
// for no longer.
const (
	rememberFor = 5 * time.Second
	useFor      = 15 * time.Second
	readTimeout = 3 * time.Second
)

// maxMembers bounds the pods whose permissions are remembered.
const maxMembers = 4096

type podKey struct{ tenantID, podID string }

type remembered struct {
	set  permissions.Set
	read time.Time
}

// members knows the permissions on pods, as they were a moment ago.
type members struct {
	source Permissions
	now    func() time.Time
	recent *lru.Cache[podKey, remembered]
	reads  singleflight.Group
}

func newMembers(source Permissions, now func() time.Time) *members {
	recent, _ := lru.New[podKey, remembered](maxMembers) // fails for no positive size
	return &members{source: source, now: now, recent: recent}
}

// of returns the permissions on a pod, none for one that is gone.
//
// Errors: those of the store while it cannot be asked.
func (m *members) of(ctx context.Context, tenantID, podID string) (permissions.Set, error) {
	key := podKey{tenantID, podID}
	known, found := m.recent.Get(key)
	age := m.now().Sub(known.read)
	if found && age < rememberFor {
		return known.set, nil
	}
	set, err := m.read(ctx, key)
	if err != nil && found && age < useFor {
		return known.set, nil
	}
	return set, err
}

// read asks the store once, however many visitors wait for it.
func (m *members) read(ctx context.Context, key podKey) (permissions.Set, error) {
	answer := m.reads.DoChan(key.tenantID+"/"+key.podID, func() (any, error) {
		// A visitor who leaves must not fail the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		asked := m.now()
		_, set, err := m.source.Pod(ctx, key.tenantID, key.podID)
		if pods.KindOf(err) == pods.KindNotFound {
			set, err = nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the permissions on pod %s: %w", key.podID, err)
		}
		m.recent.Add(key, remembered{set, asked})
		return set, nil
	})
	select {
	case result := <-answer:
		set, _ := result.Val.(permissions.Set)
		return set, result.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
