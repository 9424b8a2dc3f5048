package reconcile

import (
	"time"

	"github.com/pods-service/pods/shared/kube"
)

const (
	// WholeEvery is how often everything is compared at most, which costs in
	// proportion to the number of pods. It is the net of the net: what has changed
	// is compared at every tick, and the API server forgets no change.
	WholeEvery = time.Hour
	// WholeAtLeast is how often everything is compared however long it takes.
	WholeAtLeast = 24 * time.Hour
	// wholeShare is which part of the time goes into comparing everything, at most.
	wholeShare = 10_000
	// recheckFor is for how long a pod is compared again at every tick after it
	// has changed: its row may change at the same moment, and a leftover counts
	// as one only when it is resendAfter old.
	recheckFor = 2 * resendAfter
)

// WholeAfter returns how long after a comparison of everything that took so long
// the next one comes, so that health costs no more at rest for having many pods:
// between WholeEvery and WholeAtLeast.
func WholeAfter(took time.Duration) time.Duration {
	return min(max(took*wholeShare, WholeEvery), WholeAtLeast)
}

// view is what the last tick knew of the cluster. Each process has its own.
type view struct {
	pods    map[string]*kube.Observed // by name
	version string                    // of the API server
	wholeAt time.Time                 // when everything is compared again
	changed map[string]time.Time      // pods to compare again, by name: when they changed
}

func newView(listing kube.Listing, now time.Time) *view {
	v := &view{
		pods: make(map[string]*kube.Observed, len(listing.Pods)), version: listing.Version,
		changed: map[string]time.Time{},
	}
	for i := range listing.Pods {
		seen := &listing.Pods[i]
		v.pods[seen.Name] = seen
		if seen.IsTerminating() || now.Sub(seen.CreatedAt) < recheckFor {
			v.changed[seen.Name] = now
		}
	}
	return v
}

// follow takes the changes down.
func (v *view) follow(changes kube.Changes, now time.Time) {
	for i := range changes.Pods {
		seen := &changes.Pods[i]
		v.pods[seen.Name] = seen
		v.changed[seen.Name] = now
	}
	for _, name := range changes.Gone {
		delete(v.pods, name)
		v.changed[name] = now
	}
	v.version = changes.Version
}

// recent returns the pods to compare again that are there.
func (v *view) recent() []*kube.Observed {
	var found []*kube.Observed
	for name := range v.changed {
		if seen := v.pods[name]; seen != nil {
			found = append(found, seen)
		}
	}
	return found
}

// settle forgets the changes that have been compared often enough. A pod that
// is being removed is not among them: it may take too long.
func (v *view) settle(now time.Time) {
	for name, at := range v.changed {
		seen := v.pods[name]
		if now.Sub(at) >= recheckFor && (seen == nil || !seen.IsTerminating()) {
			delete(v.changed, name)
		}
	}
}
