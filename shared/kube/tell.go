package kube

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/pods-service/pods/shared/events"
)

// tell hands changes over until the queue is shut down. The queue never gives
// out a name twice at a time.
func (s *Source) tell(ctx context.Context, running *sync.WaitGroup) {
	for {
		name, shutdown := s.queue.Get()
		if shutdown {
			return
		}
		s.slots <- struct{}{}
		running.Go(func() {
			defer func() {
				s.queue.Done(name)
				<-s.slots
			}()
			s.tellOf(ctx, name)
		})
	}
}

// tellOf sends what is new of one pod.
func (s *Source) tellOf(ctx context.Context, name string) {
	news, found := s.take(name)
	if !found {
		return
	}
	err := s.send(ctx, news)
	switch {
	case err == nil:
		s.queue.Forget(name)
	case ctx.Err() != nil:
		return
	case s.queue.NumRequeues(name) >= maxResends:
		s.queue.Forget(name)
		s.logLost(ctx, news, "cluster change left to the next tick", err)
	default:
		s.putBack(name, news)
		s.queue.AddRateLimited(name)
		s.logLost(ctx, news, "cluster change to be told again", err)
	}
}

func (s *Source) take(name string) (change, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news, found := s.changes[name]
	delete(s.changes, name)
	return news, found
}

// putBack lets what failed wait again, unless there is something newer.
func (s *Source) putBack(name string, news change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.changes[name]; !found {
		s.changes[name] = news
	}
}

func (s *Source) logLost(ctx context.Context, news change, message string, err error) {
	s.options.Logger.LogAttrs(ctx, slog.LevelWarn, message,
		slog.String("event_type", news.eventType), slog.String("k8s_name", news.object.Name), slog.Any("error", err))
}

func (s *Source) send(ctx context.Context, news change) error {
	event, err := s.event(news)
	if err != nil {
		return err
	}
	return s.options.Send(ctx, event)
}

// event returns what an ApiServerSource would send. The id is made of the
// object's version, so a change that is told twice can be known as one.
func (s *Source) event(news change) (cloudevents.Event, error) {
	object := news.object
	event := cloudevents.NewEvent()
	verb := news.eventType[strings.LastIndexByte(news.eventType, '.')+1:]
	event.SetID(string(object.UID) + "-" + object.ResourceVersion + "-" + verb)
	event.SetType(news.eventType)
	event.SetSource(s.options.Server)
	event.SetSubject("/apis/v1/namespaces/" + object.Namespace + "/pods/" + object.Name)
	event.SetTime(s.options.Now().UTC())
	event.SetExtension("apiversion", "v1")
	event.SetExtension("kind", "Pod")
	event.SetExtension("name", object.Name)
	event.SetExtension("namespace", object.Namespace)
	reference := corev1.ObjectReference{Kind: "Pod", Namespace: object.Namespace, Name: object.Name, APIVersion: "v1"}
	if err := event.SetData(cloudevents.ApplicationJSON, reference); err != nil {
		return event, fmt.Errorf("%s of pod %s: %w", verb, object.Name, err)
	}
	return event, nil
}

// PodNameOf returns the name of the pod that an event of a cluster change is
// about, or "" for one about another kind of object.
func PodNameOf(event cloudevents.Event) string {
	switch event.Type() {
	case events.TypeClusterAdded, events.TypeClusterUpdated, events.TypeClusterDeleted:
	default:
		return ""
	}
	var reference corev1.ObjectReference
	if event.DataAs(&reference) != nil || reference.Kind != "Pod" {
		return ""
	}
	return reference.Name
}
