package postgres

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
)

// sealVersion is the first byte of every sealed value, so that the way of
// sealing can change.
const sealVersion = 1

// newSealer returns AES-256-GCM with a random nonce in front of each text.
func newSealer(key [32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // the block is the standard library's
	}
	return sealer
}

// sealedFields maps columns of pod_credentials to sealed values.
type sealedFields map[string][]byte

// credentialFields maps the columns of pod_credentials to the fields of creds.
func credentialFields(creds *pods.Credentials) map[string]*string {
	return map[string]*string{
		"user_username":  &creds.UserUsername,
		"user_password":  &creds.UserPassword,
		"admin_username": &creds.AdminUsername,
		"admin_password": &creds.AdminPassword,
	}
}

// boundTo is what a sealed value is tied to: moved to another field, pod or
// tenant it does not open.
func boundTo(tenantID, uid, field string) []byte {
	return []byte(tenantID + "\x00" + uid + "\x00" + field)
}

func (s *Store) seal(pod pods.Pod, creds pods.Credentials) (sealedFields, error) {
	if pod.UID == "" {
		return nil, fmt.Errorf("seal the credentials of pod %s: it has no uid", pod.ID)
	}
	sealed := sealedFields{}
	for field, value := range credentialFields(&creds) {
		sealed[field] = s.sealer.Seal([]byte{sealVersion}, nil, []byte(*value), boundTo(pod.TenantID, pod.UID, field))
	}
	return sealed, nil
}

func (s *Store) unseal(tenantID, uid string, sealed sealedFields) (pods.Credentials, error) {
	var creds pods.Credentials
	for field, value := range credentialFields(&creds) {
		text := sealed[field]
		if len(text) == 0 || text[0] != sealVersion {
			return pods.Credentials{}, fmt.Errorf("open %s: unknown form of sealing", field)
		}
		plain, err := s.sealer.Open(nil, nil, text[1:], boundTo(tenantID, uid, field))
		if err != nil {
			return pods.Credentials{}, fmt.Errorf("open %s, is it the key it was sealed with? %w", field, err)
		}
		*value = string(plain)
	}
	return creds, nil
}

func (c *changes) insertCredentials(tenantID, podID string, sealed sealedFields) {
	const query = `
		INSERT INTO pod_credentials (tenant_id, pod_id, user_username, user_password, admin_username, admin_password)
		VALUES (@tenant_id, @pod_id, @user_username, @user_password, @admin_username, @admin_password)`

	args := named{"tenant_id": tenantID, "pod_id": podID}
	for field, value := range sealed {
		args[field] = value
	}
	c.batch.Queue(query, args)
}

// Credentials returns the credentials that were made with the pod.
//
// Errors: KindNotFound; KindInternal when the store's key is not the one they
// were sealed with.
func (s *Store) Credentials(ctx context.Context, tenantID, podID string) (pods.Credentials, error) {
	creds, err := s.readCredentials(ctx, s.pool, tenantID, podID)
	if errors.Is(err, pgx.ErrNoRows) {
		return pods.Credentials{}, pods.PodNotFound(podID)
	}
	return creds, translate(err)
}

func (s *Store) readCredentials(ctx context.Context, db queryer, tenantID, podID string) (pods.Credentials, error) {
	const query = `
		SELECT p.uid, c.user_username, c.user_password, c.admin_username, c.admin_password
		FROM pods AS p JOIN pod_credentials AS c ON c.tenant_id = p.tenant_id AND c.pod_id = p.pod_id
		WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id`
	type credentialsRow struct {
		UID           string `db:"uid"`
		UserUsername  []byte `db:"user_username"`
		UserPassword  []byte `db:"user_password"`
		AdminUsername []byte `db:"admin_username"`
		AdminPassword []byte `db:"admin_password"`
	}

	rows, err := db.Query(ctx, query, pgx.StrictNamedArgs{"tenant_id": tenantID, "pod_id": podID})
	if err != nil {
		return pods.Credentials{}, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[credentialsRow])
	if err != nil {
		return pods.Credentials{}, fmt.Errorf("read the credentials of pod %s: %w", podID, err)
	}
	creds, err := s.unseal(tenantID, row.UID, sealedFields{
		"user_username": row.UserUsername, "user_password": row.UserPassword,
		"admin_username": row.AdminUsername, "admin_password": row.AdminPassword,
	})
	if err != nil {
		return pods.Credentials{}, fmt.Errorf("read the credentials of pod %s: %w", podID, err)
	}
	return creds, nil
}
