// The notebook server of a user. Its image need not be there: the pod is.

import assert from "node:assert/strict";
import { refusal, result, user } from "./client.mjs";

export async function jupyterOperations(t) {
  const { jupyter, pods } = user;
  let podId;
  t.after(() => pods.deletePod({ podId }).catch(() => {})); // there is none when the first part fails

  await t.test("ensure", async () => {
    const ensured = await result(jupyter.ensureJupyterPod());
    podId = ensured.pod_id;
    assert.ok(podId);
    assert.equal(typeof ensured.status, "string");
    assert.match(ensured.url, /^https:\/\//);
    assert.ok(ensured.networking.default.url);
    assert.equal((await result(jupyter.ensureJupyterPod())).pod_id, podId);
  });
  await t.test("upload", async () => {
    assert.equal((await result(pods.stopPod({ podId }))).status_requested, "OFF");
    const refused = await refusal(jupyter.uploadToJupyter({ podId, file: new Blob(["text"]), path: "notes.txt" }));
    assert.equal(refused.status, 400);
  });
}
