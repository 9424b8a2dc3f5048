// The published TypeScript client, as a user and as a site admin of the service
// that the environment names, with a record of what was called.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import published from "@tapis/tapis-typescript-pods";

const called = new Set();

// connect returns the client's groups of functions for one token.
function connect(token, headers = {}) {
  const configuration = new published.Configuration({
    basePath: setting("PODS_URL").replace(/\/+$/, ""),
    headers: { "X-Tapis-Token": token, ...headers },
  });
  return {
    images: record(new published.ImagesApi(configuration)),
    jupyter: record(new published.JupyterApi(configuration)),
    misc: record(new published.MiscApi(configuration)),
    permissions: record(new published.PermissionsApi(configuration)),
    pods: record(new published.PodsApi(configuration)),
    snapshots: record(new published.SnapshotsApi(configuration)),
    templates: record(new published.TemplatesApi(configuration)),
    volumes: record(new published.VolumesApi(configuration)),
  };
}

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set. It takes PODS_URL, PODS_TOKEN of a user and PODS_ADMIN_TOKEN of a site admin.`);
  return value;
}

function record(group) {
  return new Proxy(group, {
    get(target, name, receiver) {
      if (functionsOf(target.constructor).includes(name)) called.add(name);
      return Reflect.get(target, name, receiver);
    },
  });
}

// functionsOf lists what a group offers, without the variants that leave the
// answer unread.
function functionsOf(group) {
  return Object.getOwnPropertyNames(group.prototype).filter((name) => name !== "constructor" && !name.endsWith("Raw"));
}

// What the service does not offer, or not to everybody.
const outside = /^podAuth/;

// uncalled lists the functions of the client that nobody has called.
export function uncalled() {
  const groups = Object.entries(published).filter(([name]) => name.endsWith("Api"));
  const names = groups.flatMap(([, group]) => functionsOf(group));
  return names.filter((name) => !outside.test(name) && !called.has(name));
}

export const user = connect(setting("PODS_TOKEN"));
export const admin = connect(setting("PODS_ADMIN_TOKEN"), { "X-Pods-Admin": "true" });

// newID returns an identifier that nobody else uses.
export function newID(name) {
  return name + randomBytes(4).toString("hex");
}

// result waits for a call to succeed and returns what the answer carries. The
// client hands over some answers as text.
export async function result(call) {
  const answer = await call.catch(async (thrown) => {
    throw thrown instanceof Response ? new Error(`${thrown.status} at ${thrown.url}: ${await thrown.text()}`) : thrown;
  });
  const envelope = typeof answer === "string" ? JSON.parse(answer) : answer;
  assert.deepEqual(Object.keys(envelope).sort(), ["message", "metadata", "result", "status", "version"]);
  assert.equal(envelope.status, "success", envelope.message);
  assert.equal(typeof envelope.message, "string");
  assert.equal(typeof envelope.metadata, "object");
  return envelope.result;
}

// refusal waits for a call to fail and returns the status and the message. The
// client throws the response of an answer that is not a success.
export async function refusal(call) {
  const answer = await call.then(
    () => assert.fail("the call succeeds"),
    (thrown) => thrown,
  );
  if (!(answer instanceof Response)) throw answer;
  const envelope = await answer.json();
  assert.equal(envelope.status, "error");
  assert.equal(envelope.result, null);
  return { status: answer.status, message: [envelope.message].flat().join("\n") };
}

// pod waits until a pod has the status and returns it.
export async function pod(podId, status) {
  const end = Date.now() + 120_000;
  for (;;) {
    const found = await result(user.pods.getPod({ podId }));
    if (found.status === status) return found;
    const why = `${podId} is ${found.status}: ${found.status_container?.message}`;
    assert.notEqual(found.status, "ERROR", why);
    assert.ok(Date.now() < end, why);
    await wait(100);
  }
}

// isTime checks what the client has made of a time.
export function isTime(value) {
  assert.ok(value instanceof Date && !Number.isNaN(value.getTime()), `${value} is no time`);
}
