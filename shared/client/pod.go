// Package client holds the JSON shapes of the API and a client that speaks
// them. It needs nothing of the server.
package client

import (
	"time"

	"github.com/pods-service/pods/shared/client/api"
	"github.com/pods-service/pods/shared/pods"
)

// Time is a moment as the API writes it: UTC, microseconds, no offset.
type Time = api.Time

// Pod is a pod as the API shows it.
type Pod struct {
	PodID                string                       `json:"pod_id"`
	Image                string                       `json:"image"`
	Template             string                       `json:"template"`
	Description          string                       `json:"description"`
	Command              []string                     `json:"command"`
	Arguments            []string                     `json:"arguments"`
	EnvironmentVariables map[string]string            `json:"environment_variables"`
	StatusRequested      pods.Desired                 `json:"status_requested"`
	VolumeMounts         map[string]*pods.VolumeMount `json:"volume_mounts"`
	TimeToStopDefault    int64                        `json:"time_to_stop_default"`
	TimeToStopInstance   *int64                       `json:"time_to_stop_instance"`
	Networking           map[string]pods.Networking   `json:"networking"`
	Resources            pods.Resources               `json:"resources"`
	ComputeQueue         string                       `json:"compute_queue"`
	TimeToStopTS         *Time                        `json:"time_to_stop_ts"`
	Status               pods.Status                  `json:"status"`
	StatusContainer      pods.ContainerStatus         `json:"status_container"`
	CreationTS           Time                         `json:"creation_ts"`
	UpdateTS             Time                         `json:"update_ts"`
	StartInstanceTS      *Time                        `json:"start_instance_ts"`
}

// FromPod returns pod as the API shows it; maps are never null.
func FromPod(pod pods.Pod) Pod {
	return Pod{
		PodID:                pod.ID,
		Image:                pod.Image,
		Template:             pod.Template,
		Description:          pod.Description,
		Command:              pod.Command,
		Arguments:            pod.Arguments,
		EnvironmentVariables: orEmpty(pod.EnvironmentVariables),
		StatusRequested:      pod.StatusRequested,
		VolumeMounts:         fromMounts(pod.VolumeMounts),
		TimeToStopDefault:    pod.TimeToStopDefault,
		TimeToStopInstance:   pod.TimeToStopInstance,
		Networking:           orEmpty(pod.Networking),
		Resources:            pod.Resources,
		ComputeQueue:         pod.ComputeQueue,
		TimeToStopTS:         fromTime(pod.TimeToStopTS),
		Status:               pod.Status,
		StatusContainer:      pod.StatusContainer,
		CreationTS:           Time{Time: pod.CreationTS},
		UpdateTS:             Time{Time: pod.UpdateTS},
		StartInstanceTS:      fromTime(pod.StartInstanceTS),
	}
}

// fromMounts leaves out who added mounts that are keyed by volume id: that form
// does not tell.
func fromMounts(mounts map[string]*pods.VolumeMount) map[string]*pods.VolumeMount {
	shown := make(map[string]*pods.VolumeMount, len(mounts))
	for key, mount := range mounts {
		if mount != nil && mount.MountedBy != "" && !pods.KeyedByPath(key) {
			mount = new(*mount)
			mount.MountedBy = ""
		}
		shown[key] = mount
	}
	return shown
}

func fromTime(t *time.Time) *Time {
	if t == nil {
		return nil
	}
	return &Time{Time: *t}
}

func orEmpty[T any](m map[string]T) map[string]T {
	if m == nil {
		return map[string]T{}
	}
	return m
}

// Logs is the output of a pod and what was done to it.
type Logs = api.LogsModel

// Credentials is the name and password that a pod's containers were given.
type Credentials = api.CredentialsModel

// Permissions lists who may do what, each "user:LEVEL".
type Permissions = api.PermissionsModel
