// A volume with a file, and a snapshot of it.

import assert from "node:assert/strict";
import { isTime, newID, refusal, result, user } from "./client.mjs";

const { permissions, snapshots, volumes } = user;

export async function volumeOperations(t) {
  const volumeId = newID("tsvolume");
  const snapshotId = newID("tssnapshot");
  const path = "a folder/data.txt";
  t.after(async () => { // they are gone after a test that passes
    await snapshots.deleteSnapshot({ snapshotId }).catch(() => {});
    await volumes.deleteVolume({ volumeId }).catch(() => {});
  });

  await t.test("create a volume", async () => {
    const newVolume = { volume_id: volumeId, description: "from TypeScript", size_limit: 10 };
    const created = await result(volumes.createVolume({ newVolume }));
    assert.equal(created.volume_id, volumeId);
    assert.equal(created.status, "AVAILABLE");
    assert.equal(created.size_limit, 10);
    assert.equal(created.size, 0);
    isTime(created.creation_ts);
    assert.equal((await refusal(volumes.createVolume({ newVolume }))).status, 409);
  });
  await t.test("list, get and update it", async () => {
    assert.ok((await result(volumes.listVolumes())).some((volume) => volume.volume_id === volumeId));
    assert.equal((await result(volumes.getVolume({ volumeId }))).description, "from TypeScript");
    assert.equal((await refusal(volumes.getVolume({ volumeId: "nothing" }))).status, 404);
    const updated = await result(volumes.updateVolume({ volumeId, updateVolume: { description: "changed" } }));
    assert.equal(updated.description, "changed");
    assert.equal(updated.size_limit, 10);
  });
  await t.test("a file in and out", async () => {
    assert.equal(await result(volumes.uploadToVolume({ volumeId, path, file: new Blob(["one\ntwo\n"]) })), "/" + path);
    const [folder, file] = await result(volumes.listVolumeFiles({ volumeId }));
    assert.equal(folder.type, "dir");
    assert.equal(file.path, "/" + path);
    assert.equal(file.size, 8);
    assert.match(file.lastModified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.match(file.nativePermissions, /^[rwx-]{9}$/);
    assert.equal(await volumes.getVolumeContents({ volumeId, path }), "one\ntwo\n");
    assert.match(await volumes.getVolumeContents({ volumeId, path: "a folder", zip: true }), /^PK/);
    assert.equal((await refusal(volumes.getVolumeContents({ volumeId, path: "../x" }))).status, 400);
  });
  await t.test("a snapshot", async () => {
    const newSnapshot = {
      snapshot_id: snapshotId, source_volume_id: volumeId, source_volume_path: "/a folder", cron: "0 3 * * *", retention_policy: "keep_last=1",
    };
    const created = await result(snapshots.createSnapshot({ newSnapshot }));
    assert.equal(created.snapshot_id, snapshotId);
    assert.equal(created.status, "AVAILABLE");
    assert.ok((await result(snapshots.listSnapshots())).some((snapshot) => snapshot.snapshot_id === snapshotId));
    assert.equal((await result(snapshots.getSnapshot({ snapshotId }))).cron, "0 3 * * *");
    const updated = await result(snapshots.updateSnapshot({ snapshotId, updateSnapshot: { cron: "" } }));
    assert.equal(updated.cron, "");
    const [file] = await result(snapshots.listSnapshotFiles({ snapshotId }));
    assert.equal(file.path, "/data.txt");
    assert.equal(await snapshots.getSnapshotContents({ snapshotId, path: "data.txt" }), "one\ntwo\n");
  });
  await t.test("permissions", async () => {
    const setPermission = { user: "carol", level: "READ" };
    const onVolume = await result(permissions.setVolumePermission({ volumeId, setPermission }));
    assert.deepEqual(await result(permissions.getVolumePermissions({ volumeId })), onVolume);
    assert.equal((await result(permissions.deleteVolumePermission({ volumeId, user: "carol" }))).permissions.length, onVolume.permissions.length - 1);
    const onSnapshot = await result(permissions.setSnapshotPermission({ snapshotId, setPermission }));
    assert.deepEqual(await result(permissions.getSnapshotPermissions({ snapshotId })), onSnapshot);
    assert.equal((await result(permissions.deleteSnapshotPermission({ snapshotId, user: "carol" }))).permissions.length, onSnapshot.permissions.length - 1);
  });
  await t.test("delete both", async () => {
    assert.equal(await result(snapshots.deleteSnapshot({ snapshotId })), "");
    assert.equal(await result(volumes.deleteVolume({ volumeId })), "");
    assert.equal((await refusal(volumes.getVolume({ volumeId }))).status, 404);
  });
}
