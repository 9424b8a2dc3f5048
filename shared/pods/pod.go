// Package pods is the domain of the service: what a pod is, which values its
// fields may take, which status may follow which, who may do what. It imports
// the standard library only, so the rules hold whatever stores or serves them.
package pods

import (
	"maps"
	"slices"
	"time"
)

// Pod is one container of a user: what they asked for and where it is.
type Pod struct {
	TenantID string
	SiteID   string
	ID       string
	// UID tells one life of a pod id from the next: a pod created again after
	// a delete has another one.
	UID string
	// Instance counts the starts of this pod, from 1. Zero means never started.
	Instance int64

	Spec
	// Modified names the fields the user has set, at create or later, in
	// alphabetical order; resources are named key by key, as
	// "resources.cpu_request".
	Modified []string

	Status          Status
	StatusRequested Desired
	StatusContainer ContainerStatus
	// StatusSince is when Status was entered; deadlines count from it.
	StatusSince time.Time

	// StartedBy is the user who last asked for a start, or made the pod.
	StartedBy string

	// K8sName names the Kubernetes objects: see Name.
	K8sName string
	// Address is the pod's IP address while it is AVAILABLE, else empty.
	Address string

	CreationTS      time.Time
	UpdateTS        time.Time  // the last change a user can see
	StartInstanceTS *time.Time // when the container became AVAILABLE; nil while stopped
	TimeToStopTS    *time.Time // when it will be stopped; nil means never
}

// Spec is the part of a pod that users and templates describe.
type Spec struct {
	Image       string
	Template    string // "id:tag@timestamp" once resolved, or empty
	Description string
	Command     []string // nil leaves the image's own
	Arguments   []string // nil leaves the image's own

	EnvironmentVariables map[string]string
	// VolumeMounts is keyed by volume id or by mount path, as it was sent. A
	// nil value removes a mount that a template brings.
	VolumeMounts map[string]*VolumeMount

	TimeToStopDefault  int64  // seconds after the start; -1 means never
	TimeToStopInstance *int64 // seconds, for this run only; nil means the default

	Networking   map[string]Networking
	Resources    Resources
	ComputeQueue string
}

// Clone returns a copy that shares no map, slice or pointer with s.
func (s Spec) Clone() Spec {
	s.Command = slices.Clone(s.Command)
	s.Arguments = slices.Clone(s.Arguments)
	s.EnvironmentVariables = maps.Clone(s.EnvironmentVariables)
	if s.TimeToStopInstance != nil {
		s.TimeToStopInstance = new(*s.TimeToStopInstance)
	}
	s.VolumeMounts = maps.Clone(s.VolumeMounts)
	for key, mount := range s.VolumeMounts {
		if mount != nil {
			s.VolumeMounts[key] = new(*mount)
		}
	}
	s.Networking = maps.Clone(s.Networking)
	for key, entry := range s.Networking {
		s.Networking[key] = entry.Clone()
	}
	return s
}

// ContainerStatus is what Kubernetes last said of the pod's container. The zero
// value means that nothing runs.
type ContainerStatus struct {
	Phase        string `json:"phase,omitempty"`
	StartTime    string `json:"start_time,omitempty"` // RFC 3339, UTC
	Message      string `json:"message,omitempty"`
	Ready        bool   `json:"ready,omitempty"`
	RestartCount int32  `json:"restart_count,omitempty"`
}

// Tombstone remembers a deleted pod until its Kubernetes objects are gone.
type Tombstone struct {
	TenantID  string
	PodID     string
	UID       string
	K8sName   string
	DeletedAt time.Time
}

// HasModified reports whether the user has set the field of that name.
func (p Pod) HasModified(field string) bool {
	return slices.Contains(p.Modified, field)
}

// TimeToStop returns when a pod of this spec that started at start is to be
// stopped, nil for never.
func (s Spec) TimeToStop(start time.Time) *time.Time {
	seconds := s.TimeToStopDefault
	if s.TimeToStopInstance != nil {
		seconds = *s.TimeToStopInstance
	}
	if seconds < 0 {
		return nil
	}
	return new(start.Add(time.Duration(seconds) * time.Second))
}

// Ref names one run of one life of a pod: what an event is about. A Ref that
// no longer matches the stored pod is out of date.
type Ref struct {
	TenantID string
	PodID    string
	UID      string
	Instance int64
}

// Ref returns the run that p is in.
func (p Pod) Ref() Ref {
	return Ref{TenantID: p.TenantID, PodID: p.ID, UID: p.UID, Instance: p.Instance}
}

// Move is one step in the life of a pod, made only if the pod is still in the
// run that Ref names and in a status from which By may move it to To.
type Move struct {
	Ref
	By Actor
	To Status
	// Container replaces what is known of the container; nil leaves it.
	Container *ContainerStatus
	// Address is the pod's IP address when To is AVAILABLE.
	Address string
	// StartedAt and TimeToStop are kept when To is AVAILABLE.
	StartedAt  *time.Time
	TimeToStop *time.Time
	// Traceparent is the W3C trace context in which the move's event goes on;
	// empty means that of whoever makes the move.
	Traceparent string
}

// PodNotFound is the error for a pod that is not there, and for one that the
// caller may not see.
func PodNotFound(podID string) *Error {
	return NotFound("Pod with identifier pod_id: '%s' not found", podID)
}
