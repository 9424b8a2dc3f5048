// The life of a pod of the template hello.

import assert from "node:assert/strict";
import { isTime, newID, pod, refusal, result, user } from "./client.mjs";

const { misc, permissions, pods } = user;

export async function podOperations(t) {
  const podId = newID("tspod");
  t.after(() => pods.deletePod({ podId }).catch(() => {})); // it is gone after a test that passes

  await t.test("create", async () => {
    const created = await result(pods.createPod({
      newPod: {
        pod_id: podId,
        template: "hello",
        description: "made by the TypeScript client",
        environment_variables: { COLOUR: "green" },
        resources: { mem_limit: 512 },
        networking: { default: { protocol: "http", port: 5000 }, more: { protocol: "http", port: 5000 } },
      },
    }));
    assert.equal(created.pod_id, podId);
    assert.equal(created.status, "REQUESTED");
    assert.match(created.template, /^hello:latest@\d{4}(-\d\d){3}(:\d\d){2}$/);
    assert.deepEqual(created.environment_variables, { COLOUR: "green" });
    assert.equal(created.resources.mem_limit, 512);
    assert.equal(created.networking.more.port, 5000);
    assert.match(created.networking.more.url, new RegExp(`^${podId}-more\\.`));
    assert.deepEqual(created.networking.default.tapis_auth_allowed_users, ["*"]);
    isTime(created.creation_ts);
    isTime(created.update_ts);
  });
  await t.test("refuse to create", async () => {
    const taken = await refusal(pods.createPod({ newPod: { pod_id: podId, template: "hello" } }));
    assert.equal(taken.status, 409);
    const invalid = await refusal(pods.createPod({ newPod: { pod_id: "A", template: "hello" } }));
    assert.equal(invalid.status, 400);
    assert.match(invalid.message, /pod_id must be lowercase/);
  });
  await t.test("run", async () => {
    const running = await pod(podId, "AVAILABLE");
    isTime(running.start_instance_ts);
    isTime(running.time_to_stop_ts);
    assert.equal(running.status_container.phase, "Running");
  });
  await t.test("configuration of Traefik", async () => {
    const { networking } = await result(pods.getPod({ podId }));
    const { routers } = JSON.parse(await misc.traefikConfig()).http;
    const rules = Object.values(routers).map((router) => router.rule);
    for (const { url } of Object.values(networking)) {
      assert.ok(rules.includes(`Host(\`${url}\`)`), `${url} is in none of ${rules}`);
    }
  });
  await t.test("list", async () => {
    const found = (await result(pods.listPods())).find((p) => p.pod_id === podId);
    assert.equal(found.description, "made by the TypeScript client");
    isTime(found.creation_ts);
  });
  await t.test("derive", async () => {
    const derived = await result(pods.getDerivedPod({ podId }));
    assert.match(derived.image, /hello/);
    assert.equal(derived.environment_variables.COLOUR, "green");
    assert.ok(derived.environment_variables.POD_ID);
    assert.equal(derived.resources.mem_limit, 512);
  });
  await t.test("update", async () => {
    const updated = await result(pods.updatePod({ podId, updatePod: { description: "changed" } }));
    assert.equal(updated.description, "changed");
    assert.deepEqual(updated.environment_variables, { COLOUR: "green" });
    const again = await pods.updatePod({ podId, updatePod: { description: "changed" } });
    assert.equal(again.status, "error");
    assert.equal(again.message, "Incoming data made no changes to pod. Is incoming data equal to current data?");
    assert.equal(again.result.pod_id, podId);
  });
  await t.test("credentials", async () => {
    const credentials = await result(pods.getPodCredentials({ podId }));
    assert.equal(credentials.user_username, podId);
    assert.match(credentials.user_password, /^[A-Za-z0-9]{30}$/);
  });
  await t.test("logs", async () => {
    const logs = await result(pods.getPodLogs({ podId }));
    assert.equal(typeof logs.logs, "string");
    assert.match(logs.action_logs[0], /Pod object created by/);
  });
  await t.test("permissions", async () => {
    const set = await result(permissions.setPodPermission({ podId, setPermission: { user: "carol", level: "READ" } }));
    assert.ok(set.permissions.includes("carol:READ"));
    assert.deepEqual(await result(permissions.getPodPermissions({ podId })), set);
    const left = await result(permissions.deletePodPermission({ podId, user: "carol" }));
    assert.equal(left.permissions.length, set.permissions.length - 1);
  });
  await t.test("exec", async () => {
    const ran = await result(pods.execPodCommands({ podId, executePodCommands: { commands: ["/hello", "--version"] } }));
    assert.equal(ran.total_commands, 1);
    assert.equal(ran.successful_commands, 1);
    assert.match(ran.execution_results[0].stdout, /^hello /);
    assert.equal(ran.execution_results[0].exit_code, 0);
    const list = { commands: [["/hello", "--nothing"], ["/hello", "--version"]], fail_on_non_success: false };
    const some = await result(pods.execPodCommands({ podId, executePodCommands: list }));
    assert.equal(some.total_commands, 2);
    assert.equal(some.successful_commands, 1);
    assert.equal(some.execution_results[0].exit_code, 2);
  });
  await t.test("upload", async () => {
    const destPath = "/tmp/from typescript.txt";
    const uploaded = await result(pods.uploadToPod({ podId, file: new Blob(["one\ntwo\n"]), destPath }));
    assert.deepEqual(uploaded, { uploaded: destPath, pod_name: podId });
    const read = await result(pods.execPodCommands({ podId, executePodCommands: { commands: ["sh", "-c", `cat "$0"`, destPath] } }));
    assert.equal(read.execution_results[0].stdout, "one\ntwo\n");
  });
  await t.test("stop, start and restart", async () => {
    assert.equal((await result(pods.stopPod({ podId }))).status_requested, "OFF");
    const stopped = await pod(podId, "STOPPED");
    assert.equal(stopped.start_instance_ts, undefined);
    assert.equal((await result(pods.startPod({ podId }))).status_requested, "ON");
    await pod(podId, "AVAILABLE");
    const early = await refusal(pods.startPod({ podId }));
    assert.equal(early.status, 400);
    const restarted = await result(pods.restartPod({ podId, grabLatestTemplateTag: true }));
    assert.equal(restarted.status_requested, "RESTART");
    assert.match(restarted.template, /^hello:latest@/);
  });
  await t.test("delete", async () => {
    assert.equal(await result(pods.deletePod({ podId })), "");
    const gone = await refusal(pods.getPod({ podId }));
    assert.equal(gone.status, 404);
    assert.match(gone.message, new RegExp(podId));
  });
}
