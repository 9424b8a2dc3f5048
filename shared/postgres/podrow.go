package postgres

import (
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// podColumns are the columns of podRow in the order of its fields, by which they
// are read, of a table or subquery named p.
const podColumns = `
	p.tenant_id, p.pod_id, p.site_id, p.uid, p.instance, p.k8s_name,
	p.image, p.template, p.description, p.command, p.arguments, p.environment_variables, p.volume_mounts,
	p.time_to_stop_default, p.time_to_stop_instance, p.networking, p.resources, p.compute_queue, p.modified,
	p.status, p.status_requested, p.status_container, p.status_since, p.address,
	p.creation_ts, p.update_ts, p.start_instance_ts, p.time_to_stop_ts`

// permissionsColumn lists the entries of the pod p in their order.
const permissionsColumn = `
	(SELECT coalesce(jsonb_agg(jsonb_build_object('User', e.username, 'Level', e.level) ORDER BY e.position), '[]')
		FROM pod_permissions AS e WHERE e.tenant_id = p.tenant_id AND e.pod_id = p.pod_id) AS permissions`

type podRow struct {
	TenantID string `db:"tenant_id"`
	PodID    string `db:"pod_id"`
	SiteID   string `db:"site_id"`
	UID      string `db:"uid"`
	Instance int64  `db:"instance"`
	K8sName  string `db:"k8s_name"`

	Image                string                       `db:"image"`
	Template             string                       `db:"template"`
	Description          string                       `db:"description"`
	Command              []string                     `db:"command"`
	Arguments            []string                     `db:"arguments"`
	EnvironmentVariables map[string]string            `db:"environment_variables"`
	VolumeMounts         map[string]*pods.VolumeMount `db:"volume_mounts"`
	TimeToStopDefault    int64                        `db:"time_to_stop_default"`
	TimeToStopInstance   *int64                       `db:"time_to_stop_instance"`
	Networking           map[string]pods.Networking   `db:"networking"`
	Resources            pods.Resources               `db:"resources"`
	ComputeQueue         string                       `db:"compute_queue"`
	Modified             []string                     `db:"modified"`

	Status          pods.Status          `db:"status"`
	StatusRequested pods.Desired         `db:"status_requested"`
	StatusContainer pods.ContainerStatus `db:"status_container"`
	StatusSince     time.Time            `db:"status_since"`
	Address         string               `db:"address"`
	CreationTS      time.Time            `db:"creation_ts"`
	UpdateTS        time.Time            `db:"update_ts"`
	StartInstanceTS *time.Time           `db:"start_instance_ts"`
	TimeToStopTS    *time.Time           `db:"time_to_stop_ts"`
}

// podWithPermissions is a podRow with permissionsColumn behind it.
type podWithPermissions struct {
	podRow
	Permissions permissions.Set `db:"permissions"`
}

func (r podRow) toPod() pods.Pod {
	return pods.Pod{
		TenantID: r.TenantID, SiteID: r.SiteID, ID: r.PodID, UID: r.UID, Instance: r.Instance, K8sName: r.K8sName,
		Spec: pods.Spec{
			Image: r.Image, Template: r.Template, Description: r.Description,
			Command: r.Command, Arguments: r.Arguments,
			EnvironmentVariables: r.EnvironmentVariables, VolumeMounts: r.VolumeMounts,
			TimeToStopDefault: r.TimeToStopDefault, TimeToStopInstance: r.TimeToStopInstance,
			Networking: r.Networking, Resources: r.Resources, ComputeQueue: r.ComputeQueue,
		},
		Modified: r.Modified,
		Status:   r.Status, StatusRequested: r.StatusRequested, StatusContainer: r.StatusContainer,
		StatusSince: r.StatusSince.UTC(), Address: r.Address,
		CreationTS: r.CreationTS.UTC(), UpdateTS: r.UpdateTS.UTC(),
		StartInstanceTS: inUTC(r.StartInstanceTS), TimeToStopTS: inUTC(r.TimeToStopTS),
	}
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(t.UTC())
}

// specArgs are the arguments for the columns that users set.
func specArgs(spec pods.Spec, modified []string) pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{
		"image": spec.Image, "template": spec.Template, "description": spec.Description,
		"command": spec.Command, "arguments": spec.Arguments,
		"environment_variables": orEmpty(spec.EnvironmentVariables), "volume_mounts": orEmpty(spec.VolumeMounts),
		"time_to_stop_default": spec.TimeToStopDefault, "time_to_stop_instance": spec.TimeToStopInstance,
		"networking": orEmpty(spec.Networking), "resources": spec.Resources, "compute_queue": spec.ComputeQueue,
		"modified": append([]string{}, modified...),
	}
}

// refArgs are the arguments that name one run of a pod, and more.
func refArgs(ref pods.Ref, more pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	args := pgx.StrictNamedArgs{
		"tenant_id": ref.TenantID, "pod_id": ref.PodID, "uid": ref.UID, "instance": ref.Instance,
	}
	maps.Copy(args, more)
	return args
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// storable returns text without what a text column cannot hold: NUL bytes and
// bytes that are not UTF-8.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}

// storableStatus is storable for what Kubernetes says of a container.
func storableStatus(status pods.ContainerStatus) pods.ContainerStatus {
	status.Phase, status.Message = storable(status.Phase), storable(status.Message)
	status.StartTime = storable(status.StartTime)
	return status
}
