// Package events owns the wire format of what the functions tell one another:
// CloudEvents, their types and data, how one is read, acknowledged, delivered
// and sent again.
package events

import (
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/uuid"

	"github.com/pods-service/pods/shared/pods"
)

// The types of events the service sends.
const (
	// TypePodRequested: a pod is to be started. Read by the spawner.
	TypePodRequested = "io.pods.pod.requested.v1"
	// TypePodStopRequested: a pod's objects are to be removed, and made again
	// if it is wanted RESTART. Read by the spawner and by logs.
	TypePodStopRequested = "io.pods.pod.stop_requested.v1"
	// TypePodDeleted: a pod's row is gone, its objects are to follow. Read by
	// the spawner.
	TypePodDeleted = "io.pods.pod.deleted.v1"
	// TypePodStatusChanged: a pod has reached the status in the data.
	TypePodStatusChanged = "io.pods.pod.status_changed.v1"
	// TypePodUpdated: what users asked of a pod, or who may use it, has changed
	// and nothing else is to be done about it. For those who keep copies.
	TypePodUpdated = "io.pods.pod.updated.v1"
	// TypePodLogsDue: the new output of some pods is to be collected; the store
	// says of which. Read by logs.
	TypePodLogsDue = "io.pods.pod.logs_due.v1"
	// TypeSnapshotDue: another copy of a schedule is to be made, as the data
	// says. Read by api.
	TypeSnapshotDue = "io.pods.snapshot.due.v1"
	// TypeVolumeMeasureDue: some volumes are to be measured; the store says which.
	// Read by api.
	TypeVolumeMeasureDue = "io.pods.volume.measure_due.v1"
	// TypeVolumeCleanUpDue: work on volumes or snapshots was left undone, or what
	// was deleted is to go for good; the store says which. Read by api.
	TypeVolumeCleanUpDue = "io.pods.volume.clean_up_due.v1"
)

// The types of events that come from the cluster: a tick of the clock, and
// references to objects that changed. The names are those of Knative's
// PingSource and ApiServerSource (mode Reference).
const (
	TypeTick           = "dev.knative.sources.ping"
	TypeClusterAdded   = "dev.knative.apiserver.ref.add"
	TypeClusterUpdated = "dev.knative.apiserver.ref.update"
	TypeClusterDeleted = "dev.knative.apiserver.ref.delete"
)

// PodData is the data of every pod event: identifiers and the state reached,
// never credentials.
type PodData struct {
	TenantID string      `json:"tenant_id"`
	PodID    string      `json:"pod_id"`
	UID      string      `json:"uid"`
	Instance int64       `json:"instance"`
	K8sName  string      `json:"k8s_name"`
	Status   pods.Status `json:"status,omitempty"`
}

// Ref returns the life of the pod that the event is about.
func (d PodData) Ref() pods.Ref {
	return pods.Ref{TenantID: d.TenantID, PodID: d.PodID, UID: d.UID, Instance: d.Instance}
}

// Data returns the event data for pod.
func Data(pod pods.Pod) PodData {
	return PodData{
		TenantID: pod.TenantID, PodID: pod.ID, UID: pod.UID, Instance: pod.Instance,
		K8sName: pod.K8sName, Status: pod.Status,
	}
}

// NewLogsDue returns an event pod.logs_due. It is about no pod in particular.
func NewLogsDue(source pods.Actor, now time.Time) cloudevents.Event {
	return newEvent(TypePodLogsDue, source, now)
}

// NewVolumeMeasureDue returns an event volume.measure_due. It is about no volume
// in particular.
func NewVolumeMeasureDue(source pods.Actor, now time.Time) cloudevents.Event {
	return newEvent(TypeVolumeMeasureDue, source, now)
}

// NewVolumeCleanUpDue returns an event volume.clean_up_due. It is about no volume
// in particular.
func NewVolumeCleanUpDue(source pods.Actor, now time.Time) cloudevents.Event {
	return newEvent(TypeVolumeCleanUpDue, source, now)
}

// SnapshotDue is the data of snapshot.due.
type SnapshotDue struct {
	TenantID   string    `json:"tenant_id"`
	SnapshotID string    `json:"snapshot_id"` // of the schedule
	DueAt      time.Time `json:"due_at"`
}

// NewSnapshotDue returns an event snapshot.due.
func NewSnapshotDue(source pods.Actor, data SnapshotDue, now time.Time) cloudevents.Event {
	event := newEvent(TypeSnapshotDue, source, now)
	event.SetSubject(data.TenantID + "/" + data.SnapshotID)
	// Marshalling strings and a time of this era cannot fail.
	_ = event.SetData(cloudevents.ApplicationJSON, data)
	return event
}

func newEvent(eventType string, source pods.Actor, now time.Time) cloudevents.Event {
	event := cloudevents.NewEvent()
	event.SetID(uuid.NewString())
	event.SetType(eventType)
	event.SetSource("/pods/" + string(source))
	event.SetTime(now.UTC())
	return event
}

// NewPod returns an event of the given type about pod. Source names the
// function that sends it.
func NewPod(eventType string, source pods.Actor, data PodData, now time.Time) cloudevents.Event {
	event := newEvent(eventType, source, now)
	event.SetSubject(data.TenantID + "/" + data.PodID)
	// Marshalling strings and integers cannot fail.
	_ = event.SetData(cloudevents.ApplicationJSON, data)
	return event
}
