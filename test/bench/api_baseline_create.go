package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

var baselineName = regexp.MustCompile(`^[a-z][a-z0-9]{2,63}$`)

// create makes a pod of an image, with the defaults of the service.
func (b *apiBaseline) create(w http.ResponseWriter, r *http.Request) {
	var fields struct {
		PodID       string            `json:"pod_id"`
		Image       string            `json:"image"`
		Description string            `json:"description"`
		Environment map[string]string `json:"environment_variables"`
	}
	caller, err := b.authenticator.Authenticate(r.Context(), r)
	if err != nil {
		respond(w, http.StatusUnauthorized, err.Error(), nil)
		return
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&fields); err != nil || !baselineName.MatchString(fields.PodID) {
		respond(w, http.StatusBadRequest, "the body is not valid", nil)
		return
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	rules := pods.NewRules()
	pod := pods.Pod{
		TenantID: caller.TenantID, SiteID: caller.SiteID, ID: fields.PodID, UID: uuid.NewString(), Instance: 1,
		K8sName: pods.Name(caller.SiteID, caller.TenantID, fields.PodID),
		Spec: pods.Spec{
			Image: fields.Image, Description: fields.Description, EnvironmentVariables: fields.Environment,
			VolumeMounts: map[string]*pods.VolumeMount{}, TimeToStopDefault: rules.TimeToStop,
			Networking: pods.WithURLs(map[string]pods.Networking{pods.DefaultNetworkKey: pods.NewNetworking()}, fields.PodID, fleetTenant.PodsDomain),
			Resources:  rules.Defaults, ComputeQueue: "default",
		},
		Modified: []string{"description", "environment_variables", "image", "pod_id"},
		Status:   pods.StatusRequested, StatusRequested: pods.DesiredOn,
		CreationTS: now, UpdateTS: now, StatusSince: now,
	}
	created, err := b.insert(r.Context(), pod, caller.Username)
	taken, isAnswer := errors.AsType[*pgconn.PgError](err)
	switch {
	case isAnswer && taken.Code == "23505":
		respond(w, http.StatusConflict, "the name is taken", nil)
	case err != nil:
		respond(w, http.StatusInternalServerError, err.Error(), nil)
	default:
		respond(w, http.StatusOK, "Pod created successfully.", created)
	}
}

// insert writes a pod and all that belongs to it in one transaction.
func (b *apiBaseline) insert(ctx context.Context, pod pods.Pod, owner string) (created client.Pod, err error) {
	const insertPod = `
		INSERT INTO pods AS p (
			tenant_id, pod_id, site_id, uid, instance, k8s_name,
			image, template, description, command, arguments, environment_variables, volume_mounts,
			time_to_stop_default, time_to_stop_instance, networking, resources, compute_queue, modified,
			status, status_requested, status_container, status_since, address, creation_ts, update_ts, started_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
			$20, $21, '{}', $22, '', $22, $22, $23)
		RETURNING` + baselineColumns
	const removePermissions = `DELETE FROM pod_permissions WHERE tenant_id = $1 AND pod_id = $2`
	const insertPermissions = `
		INSERT INTO pod_permissions (tenant_id, pod_id, username, level, position)
		SELECT $1, $2, entry.username, entry.level, entry.position
		FROM unnest($3::text[], $4::smallint[]) WITH ORDINALITY AS entry (username, level, position)`
	const insertSealed = `
		INSERT INTO pod_credentials (tenant_id, pod_id, user_username, user_password, admin_username, admin_password)
		VALUES ($1, $2, $3, $4, $5, $6)`
	const insertAction = `
		WITH last AS (
			SELECT line, text FROM pod_actions WHERE tenant_id = $1 AND pod_id = $2 ORDER BY line DESC LIMIT 1
		), added AS (
			INSERT INTO pod_actions (tenant_id, pod_id, line, occurred_at, text)
			SELECT $1, $2, coalesce((SELECT line FROM last), 0) + 1, $3, $4
			WHERE (SELECT text FROM last) IS DISTINCT FROM $4
			RETURNING line
		)
		DELETE FROM pod_actions AS old USING added
		WHERE old.tenant_id = $1 AND old.pod_id = $2 AND old.line > 1 AND old.line <= added.line - $5::bigint`
	const insertEvent = `INSERT INTO outbox (tenant_id, event_id, event, created_at) VALUES ($1, $2, $3, $4)`

	event := events.NewPod(events.TypePodRequested, pods.ActorAPI, events.Data(pod), pod.CreationTS)
	document, err := json.Marshal(event)
	if err != nil {
		return client.Pod{}, fmt.Errorf("encode the event: %w", err)
	}
	seal := func(field, text string) []byte {
		return b.sealer.Seal([]byte{1}, nil, []byte(text), []byte(pod.TenantID+pod.UID+field))
	}
	batch := &pgx.Batch{}
	batch.Queue(insertPod, pod.TenantID, pod.ID, pod.SiteID, pod.UID, pod.Instance, pod.K8sName,
		pod.Image, pod.Template, pod.Description, pod.Command, pod.Arguments, pod.EnvironmentVariables, pod.VolumeMounts,
		pod.TimeToStopDefault, pod.TimeToStopInstance, pod.Networking, pod.Resources, pod.ComputeQueue, pod.Modified,
		pod.Status, pod.StatusRequested, pod.CreationTS, owner)
	batch.Queue(removePermissions, pod.TenantID, pod.ID)
	batch.Queue(insertPermissions, pod.TenantID, pod.ID, []string{owner}, []permissions.Level{permissions.Admin})
	batch.Queue(insertSealed, pod.TenantID, pod.ID,
		seal("user_username", pod.ID), seal("user_password", rand.Text()), seal("admin_username", "podsservice"), seal("admin_password", rand.Text()))
	batch.Queue(insertAction, pod.TenantID, pod.ID, pod.CreationTS, pods.ActionCreated(owner), pods.MaxActionLogs-1)
	batch.Queue(insertEvent, pod.TenantID, event.ID(), document, pod.CreationTS)
	err = pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		results := tx.SendBatch(ctx, batch)
		var err error
		created, err = scanBaseline(results.QueryRow())
		return errors.Join(err, results.Close())
	})
	return created, err
}
