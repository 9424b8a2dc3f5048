package kube

import (
	"context"
	"log/slog"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/manifests"
)

// Source tells of every change of a pod of the service, as the cluster's own
// ApiServerSource does in its mode Reference: the event names the object and
// holds nothing of it. Just the newest change of an object waits while an older
// one is being handled, so what waits never exceeds the number of objects. It
// keeps the names and versions of the objects alone, lists again after an
// outage, and then tells of what has changed since.
type Source struct {
	options  SourceOptions
	informer cache.SharedIndexInformer
	queue    workqueue.TypedRateLimitingInterface[string] // names of pods
	slots    chan struct{}                                // one per event being handled

	mu      sync.Mutex
	changes map[string]change // by name of the pod, newest only
}

type change struct {
	eventType string
	object    metav1.ObjectMeta
}

// SourceOptions say what a Source watches and whom it tells.
type SourceOptions struct {
	Namespace string
	// Server is the API server's address, the source of the events.
	Server string
	// Send hands an event over and returns when it is dealt with. An event
	// that fails is sent again a few times, unless a newer one has come.
	Send func(ctx context.Context, event cloudevents.Event) error
	// AtOnce is how many events are handled at a time, each of another pod; 0
	// means 64.
	AtOnce int
	Logger *slog.Logger     // nil means slog.Default()
	Now    func() time.Time // nil means time.Now
}

// How often and after which waits an event that fails is sent again. The tick
// of the clock makes up for what is then still not dealt with.
const (
	maxResends  = 5
	firstResend = 200 * time.Millisecond
	lastResend  = 30 * time.Second
)

// NewSource returns a source that watches through client. Run starts it, once.
func NewSource(client metadata.Interface, options SourceOptions) *Source {
	if options.AtOnce == 0 {
		options.AtOnce = 64
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	resource := schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	return &Source{
		options: options,
		informer: metadatainformer.NewFilteredMetadataInformer(client, resource, options.Namespace, 0, nil,
			func(list *metav1.ListOptions) { list.LabelSelector = manifests.Selector }).Informer(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstResend, lastResend)),
		slots:   make(chan struct{}, options.AtOnce),
		changes: map[string]change{},
	}
}

// Synced reports whether every pod that there was at the start has been seen.
func (s *Source) Synced() bool { return s.informer.HasSynced() }

// Run watches and tells until ctx is done and every event that was being
// handled has come back.
//
// Errors: none that come from the cluster; those are logged and outlived.
func (s *Source) Run(ctx context.Context) error {
	if err := s.informer.SetTransform(keepIdentity); err != nil {
		return err
	}
	if err := s.informer.SetWatchErrorHandlerWithContext(s.logWatchError); err != nil {
		return err
	}
	if _, err := s.informer.AddEventHandler(s.handler()); err != nil {
		return err
	}
	var running sync.WaitGroup
	running.Go(func() { s.informer.RunWithContext(ctx) })
	running.Go(func() {
		<-ctx.Done()
		s.queue.ShutDown()
	})
	s.tell(ctx, &running)
	running.Wait()
	return nil
}

func (s *Source) logWatchError(ctx context.Context, _ *cache.Reflector, err error) {
	if ctx.Err() == nil {
		s.options.Logger.LogAttrs(ctx, slog.LevelWarn, "watching the cluster was interrupted", slog.Any("error", err))
	}
}

// keepIdentity drops all of an object that the source does not look at, before
// it is stored.
func keepIdentity(object any) (any, error) {
	whole, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	return &metav1.PartialObjectMetadata{ObjectMeta: identity(whole)}, nil
}

func identity(object metav1.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: object.GetName(), Namespace: object.GetNamespace(),
		UID: object.GetUID(), ResourceVersion: object.GetResourceVersion(),
	}
}

func (s *Source) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { s.note(events.TypeClusterAdded, object) },
		UpdateFunc: func(before, after any) {
			if versionOf(before) != versionOf(after) { // a list made again tells of objects that did not change
				s.note(events.TypeClusterUpdated, after)
			}
		},
		DeleteFunc: func(object any) {
			if last, ok := object.(cache.DeletedFinalStateUnknown); ok { // gone during an outage
				object = last.Obj
			}
			s.note(events.TypeClusterDeleted, object)
		},
	}
}

func versionOf(object any) string {
	if known, ok := object.(metav1.Object); ok {
		return known.GetResourceVersion()
	}
	return ""
}

// note replaces what was waiting to be told of the object. It never blocks the
// informer.
func (s *Source) note(eventType string, object any) {
	known, ok := object.(metav1.Object)
	if !ok {
		return
	}
	s.mu.Lock()
	s.changes[known.GetName()] = change{eventType: eventType, object: identity(known)}
	s.mu.Unlock()
	s.queue.Add(known.GetName())
}
