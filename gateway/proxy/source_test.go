package proxy_test

import (
	"context"
	"net"
	"sync"

	"github.com/pods-service/pods/shared/pods"
)

// source is a store of pods in memory.
type source struct {
	all []pods.Pod

	mu   sync.Mutex
	pods map[string]pods.Pod
}

func (s *source) add(id string, address *net.TCPAddr) {
	networking := pods.NewNetworking()
	networking.Port = address.Port
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods[id] = pods.Pod{
		TenantID: "tenantone", ID: id, Status: pods.StatusAvailable, Address: address.IP.String(),
		Spec: pods.Spec{Networking: pods.WithURLs(map[string]pods.Networking{pods.DefaultNetworkKey: networking}, id, "pods.localhost")},
	}
}

func (s *source) Pods(context.Context) ([]pods.Pod, error) { return s.all, nil }

func (s *source) Pod(_ context.Context, _, podID string) (pods.Pod, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pod, found := s.pods[podID]
	if !found {
		return pods.Pod{}, pods.NotFound("no pod %s", podID)
	}
	return pod, nil
}
