package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/pods-service/pods/shared/auth"
)

// agree makes sure that both sides do the same: give the same answer, refuse the
// same token, and leave the same rows. A baseline that does less would be no
// baseline.
func (b *apiBench) agree(ctx context.Context) error {
	var read, rows [2]string
	for i, side := range []*apiSide{b.baseline, b.ours} {
		req, err := b.identity.request(ctx, http.MethodGet, "/v3/pods/bench0", "")
		if err != nil {
			return err
		}
		if read[i], err = side.result(req, http.StatusOK); err != nil {
			return err
		}
		req.Header.Set(auth.HeaderToken, b.identity.token+"x")
		if _, err := side.result(req, http.StatusUnauthorized); err != nil {
			return err
		}
		podID := fmt.Sprintf("agree%d", i)
		if req, err = b.createRequest(ctx, podID); err != nil {
			return err
		}
		if _, err := side.result(req, http.StatusOK); err != nil {
			return err
		}
		if rows[i], err = b.rowsOf(ctx, podID); err != nil {
			return err
		}
	}
	if read[0] != read[1] {
		return fmt.Errorf("a read gives %s here and %s there", read[0], read[1])
	}
	if rows[0] != rows[1] {
		return fmt.Errorf("a create leaves %s here and %s there", rows[0], rows[1])
	}
	return nil
}

// result returns the result in the envelope of an answer of that status.
func (s *apiSide) result(req *http.Request, status int) (string, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	var envelope struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(text, &envelope); err != nil || resp.StatusCode != status {
		return "", fmt.Errorf("%s answers %s %s with %d, want %d: %s", s.name, req.Method, req.URL.Path, resp.StatusCode, status, text)
	}
	return string(bytes.TrimSpace(envelope.Result)), nil
}

// rowsOf describes the rows of a new pod without what differs from pod to pod.
func (b *apiBench) rowsOf(ctx context.Context, podID string) (text string, err error) {
	const query = `
		SELECT replace(jsonb_build_object(
			'pod', to_jsonb(p) - ARRAY['uid', 'creation_ts', 'update_ts', 'status_since'],
			'permissions', (SELECT jsonb_agg(to_jsonb(e)) FROM pod_permissions AS e WHERE e.pod_id = p.pod_id),
			'actions', (SELECT jsonb_agg(to_jsonb(a) - 'occurred_at') FROM pod_actions AS a WHERE a.pod_id = p.pod_id),
			'events', (SELECT jsonb_agg(o.event #- '{id}' #- '{time}' #- '{traceparent}' #- '{data,uid}')
				FROM outbox AS o WHERE o.event ->> 'subject' = 'dev/' || p.pod_id),
			'credentials', (SELECT count(*) FROM pod_credentials AS c WHERE c.pod_id = p.pod_id)
		)::text, p.pod_id, 'ID')
		FROM pods AS p WHERE p.pod_id = $1`

	err = b.pool.QueryRow(ctx, query, podID).Scan(&text)
	return text, err
}
