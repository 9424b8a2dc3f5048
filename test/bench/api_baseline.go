package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/permissions"
)

// apiBaseline answers reads and creates of pods as the API does, and does
// nothing else: it checks the token by the same package, runs the same
// statements, and answers in the same envelope. There are no templates, no
// rules but for the name, no log, no metrics, and nobody is told of the events.
type apiBaseline struct {
	authenticator *auth.Authenticator
	pool          *pgxpool.Pool
	sealer        cipher.AEAD // of credentials
}

func apiBaselineSide(ctx context.Context, settings sideSettings, ready func(string, func() map[string]int64)) error {
	registry, err := auth.NewRegistry(ctx, auth.FileSource(settings.TenantsFile), auth.RegistryOptions{})
	if err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(settings.DatabaseURL)
	if err != nil {
		return err
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return err
	}
	b := &apiBaseline{authenticator: auth.NewAuthenticator(registry, fleetTenant.SiteID), pool: pool, sealer: sealer}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v3/pods/{pod_id}", b.read)
	mux.HandleFunc("POST /v3/pods", b.create)
	return serveSide(ctx, mux, nil, ready, func() map[string]int64 { return nil })
}

// baselineColumns are those that the API reads of a pod p.
const baselineColumns = `
	p.tenant_id, p.pod_id, p.site_id, p.uid, p.instance, p.k8s_name,
	p.image, p.template, p.description, p.command, p.arguments, p.environment_variables, p.volume_mounts,
	p.time_to_stop_default, p.time_to_stop_instance, p.networking, p.resources, p.compute_queue, p.modified,
	p.status, p.status_requested, p.status_container, p.status_since, p.address, p.started_by,
	p.creation_ts, p.update_ts, p.start_instance_ts, p.time_to_stop_ts`

// scanBaseline reads baselineColumns, and what more holds.
func scanBaseline(row pgx.Row, more ...any) (client.Pod, error) {
	var pod client.Pod
	var started, toStop *time.Time
	err := row.Scan(append([]any{
		nil, &pod.PodID, nil, nil, nil, nil,
		&pod.Image, &pod.Template, &pod.Description, &pod.Command, &pod.Arguments, &pod.EnvironmentVariables, &pod.VolumeMounts,
		&pod.TimeToStopDefault, &pod.TimeToStopInstance, &pod.Networking, &pod.Resources, &pod.ComputeQueue, nil,
		&pod.Status, &pod.StatusRequested, &pod.StatusContainer, nil, nil, nil,
		&pod.CreationTS.Time, &pod.UpdateTS.Time, &started, &toStop,
	}, more...)...)
	if started != nil {
		pod.StartInstanceTS = &client.Time{Time: *started}
	}
	if toStop != nil {
		pod.TimeToStopTS = &client.Time{Time: *toStop}
	}
	return pod, err
}

func (b *apiBaseline) read(w http.ResponseWriter, r *http.Request) {
	const query = `
		SELECT` + baselineColumns + `,
			(SELECT coalesce(jsonb_agg(jsonb_build_object('User', e.username, 'Level', e.level) ORDER BY e.position), '[]')
				FROM pod_permissions AS e WHERE e.tenant_id = p.tenant_id AND e.pod_id = p.pod_id) AS permissions
		FROM pods AS p WHERE p.tenant_id = $1 AND p.pod_id = $2`

	caller, err := b.authenticator.Authenticate(r.Context(), r)
	if err != nil {
		respond(w, http.StatusUnauthorized, err.Error(), nil)
		return
	}
	var set permissions.Set
	pod, err := scanBaseline(b.pool.QueryRow(r.Context(), query, caller.TenantID, r.PathValue("pod_id")), &set)
	mayRead := func(entry permissions.Entry) bool {
		return entry.User == caller.Username && entry.Level >= permissions.Read
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows), err == nil && !slices.ContainsFunc(set, mayRead):
		respond(w, http.StatusNotFound, "not found", nil)
	case err != nil:
		respond(w, http.StatusInternalServerError, err.Error(), nil)
	default:
		respond(w, http.StatusOK, "Pod retrieved successfully.", pod)
	}
}

// respond writes the envelope.
func respond(w http.ResponseWriter, code int, message string, result any) {
	status := "success"
	if code != http.StatusOK {
		status = "error"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(struct { // fails only when the client is gone
		Message  string         `json:"message"`
		Metadata map[string]any `json:"metadata"`
		Result   any            `json:"result"`
		Status   string         `json:"status"`
		Version  string         `json:"version"`
	}{message, map[string]any{}, result, status, "1"})
}
