package postgres

import "github.com/pods-service/pods/shared/permissions"

// setPermissions replaces the entries of a pod.
func (c *changes) setPermissions(tenantID, podID string, set permissions.Set) {
	const remove = `
		DELETE FROM pod_permissions
		WHERE tenant_id = @tenant_id AND pod_id = @pod_id`
	const insert = `
		INSERT INTO pod_permissions (tenant_id, pod_id, username, level, position)
		SELECT @tenant_id, @pod_id, entry.username, entry.level, entry.position
		FROM unnest(@users::text[], @levels::smallint[]) WITH ORDINALITY AS entry (username, level, position)`

	users, levels := columns(set)
	c.batch.Queue(remove, named{"tenant_id": tenantID, "pod_id": podID})
	c.batch.Queue(insert, named{
		"tenant_id": tenantID, "pod_id": podID, "users": users, "levels": levels,
	})
}

// columns returns the keys and the levels of a set's entries.
func columns(set permissions.Set) ([]string, []permissions.Level) {
	keys, levels := make([]string, len(set)), make([]permissions.Level, len(set))
	for i, entry := range set {
		keys[i], levels[i] = entry.User, entry.Level
	}
	return keys, levels
}
