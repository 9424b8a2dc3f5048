package postgres_test

import (
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

func TestCredentials(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.Pod()
	creds := pods.NewCredentials(pod.ID)
	if _, err := store.CreatePod(t.Context(), pod, creds, "alice"); err != nil {
		t.Fatalf("CreatePod: %v", err)
	}
	got, err := store.Credentials(t.Context(), pod.TenantID, pod.ID)
	if err != nil {
		t.Fatalf("Credentials: %v", err)
	}
	wantSame(t, "the credentials", got, creds)

	_, claimed, err := store.ClaimPod(t.Context(), pod.Ref())
	if err != nil {
		t.Fatalf("ClaimPod: %v", err)
	}
	wantSame(t, "the claimed credentials", claimed, creds)
}

// TestCredentialsAreSealed looks for the plain text everywhere in the database.
func TestCredentialsAreSealed(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.Pod(podstest.ID("ordinary"))
	creds := pods.Credentials{
		UserUsername: "visible-user", UserPassword: "visible-password",
		AdminUsername: "visible-admin", AdminPassword: "visible-secret",
	}
	if _, err := store.CreatePod(t.Context(), pod, creds, "alice"); err != nil {
		t.Fatalf("CreatePod: %v", err)
	}
	pool := podstest.Pool(t, store)
	for _, table := range []string{"pods", "pod_credentials", "pod_actions", "outbox"} {
		rows, err := pool.Query(t.Context(), "SELECT convert_to(r::text, 'UTF8') FROM "+table+" AS r")
		if err != nil {
			t.Fatalf("read %s: %v", table, err)
		}
		texts, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		if err != nil || len(texts) == 0 {
			t.Fatalf("read %s: %d rows, %v", table, len(texts), err)
		}
		for _, text := range texts {
			// bytea shows as hexadecimal digits, so look for those too.
			if bytes.Contains(text, []byte("visible-")) || bytes.Contains(text, []byte("76697369626c652d")) {
				t.Errorf("%s shows a credential", table)
			}
		}
	}
	var sealed []byte
	if err := pool.QueryRow(t.Context(), "SELECT user_password FROM pod_credentials").Scan(&sealed); err != nil {
		t.Fatalf("read the sealed password: %v", err)
	}
	if want := 1 + 12 + len(creds.UserPassword) + 16; len(sealed) != want || bytes.Contains(sealed, []byte("visible")) {
		t.Errorf("the sealed password has %d bytes, want %d: version, nonce, text, tag", len(sealed), want)
	}
}

func TestCredentialsDoNotOpen(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		key    [32]byte
		tamper string
	}{
		"WrongKey":       {[32]byte{1}, ""},
		"OtherField":     {podstest.Key, "UPDATE pod_credentials SET user_password = admin_password"},
		"OtherPod":       {podstest.Key, "UPDATE pod_credentials SET user_password = (SELECT user_password FROM pod_credentials WHERE pod_id = 'other')"},
		"OtherTenant":    {podstest.Key, "UPDATE pod_credentials SET user_password = (SELECT user_password FROM pod_credentials WHERE tenant_id = 'dev2')"},
		"ChangedByte":    {podstest.Key, "UPDATE pod_credentials SET user_password = set_byte(user_password, 20, get_byte(user_password, 20) # 1)"},
		"UnknownVersion": {podstest.Key, "UPDATE pod_credentials SET user_password = set_byte(user_password, 0, 9)"},
		"Empty":          {podstest.Key, "UPDATE pod_credentials SET user_password = ''"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			clock := podstest.NewClock()
			url := podstest.DatabaseURL(t)
			pool := podstest.Open(t, url)
			writer := postgres.New(pool, postgres.Options{Key: podstest.Key, Now: clock.Now})
			pod := podstest.Create(t, writer)
			podstest.Create(t, writer, podstest.ID("other"))
			podstest.Create(t, writer, podstest.InTenant("dev2"))
			if tc.tamper != "" {
				if _, err := pool.Exec(t.Context(), tc.tamper+" WHERE pod_id = 'docpod' AND tenant_id = 'dev'"); err != nil {
					t.Fatalf("tamper: %v", err)
				}
			}
			reader := postgres.New(pool, postgres.Options{Key: tc.key, Now: clock.Now})

			got, err := reader.Credentials(t.Context(), pod.TenantID, pod.ID)
			wantKind(t, "Credentials", err, pods.KindInternal)
			if got != (pods.Credentials{}) {
				t.Error("some of the credentials were returned all the same")
			}
			_, _, err = reader.ClaimPod(t.Context(), pod.Ref())
			wantKind(t, "ClaimPod", err, pods.KindInternal)
			stored, _, err := reader.Pod(t.Context(), pod.TenantID, pod.ID)
			if err != nil || stored.Status != pods.StatusRequested {
				t.Errorf("the pod is %s (%v), want it left REQUESTED", stored.Status, err)
			}
		})
	}
}
