package postgres

import (
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
)

// podColumns are what scanPod reads, in that order, of a table or subquery named p.
const podColumns = `
	p.tenant_id, p.pod_id, p.site_id, p.uid, p.instance, p.k8s_name,
	p.image, p.template, p.description, p.command, p.arguments, p.environment_variables, p.volume_mounts,
	p.time_to_stop_default, p.time_to_stop_instance, p.networking, p.resources, p.compute_queue, p.modified,
	p.status, p.status_requested, p.status_container, p.status_since, p.address, p.started_by,
	p.creation_ts, p.update_ts, p.start_instance_ts, p.time_to_stop_ts`

// permissionsColumn lists the entries of the pod p in their order.
const permissionsColumn = `
	(SELECT coalesce(jsonb_agg(jsonb_build_object('User', e.username, 'Level', e.level) ORDER BY e.position), '[]')
		FROM pod_permissions AS e WHERE e.tenant_id = p.tenant_id AND e.pod_id = p.pod_id) AS permissions`

// scanPod reads a row of podColumns, and more behind them. Named strings are read
// as what they are, for which pgx need not look.
func scanPod(row pgx.Row, more ...any) (pods.Pod, error) {
	var p pods.Pod
	columns := append(make(planned, 0, 32),
		&p.TenantID, &p.ID, &p.SiteID, &p.UID, &p.Instance, &p.K8sName,
		&p.Image, &p.Template, &p.Description, &p.Command, &p.Arguments, &p.EnvironmentVariables, &p.VolumeMounts,
		&p.TimeToStopDefault, &p.TimeToStopInstance, &p.Networking, &p.Resources, &p.ComputeQueue, &p.Modified,
		(*string)(&p.Status), (*string)(&p.StatusRequested), &p.StatusContainer, &p.StatusSince, &p.Address, &p.StartedBy,
		&p.CreationTS, &p.UpdateTS, &p.StartInstanceTS, &p.TimeToStopTS,
	)
	err := row.Scan(append(columns, more...))
	for _, at := range [...]*time.Time{&p.StatusSince, &p.CreationTS, &p.UpdateTS, p.StartInstanceTS, p.TimeToStopTS} {
		if at != nil {
			*at = at.UTC()
		}
	}
	return p, err
}

// scanOne reads the one row of podColumns that a query gives.
func scanOne(row pgx.CollectableRow) (pods.Pod, error) { return scanPod(row) }

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
