// A template, its tags, a pod made from it, and a tag made from that pod.

import assert from "node:assert/strict";
import { isTime, newID, refusal, result, user } from "./client.mjs";

const { permissions, pods, templates } = user;

export async function templateOperations(t) {
  const templateId = newID("tstemplate");
  const podId = newID("tspod");
  t.after(async () => { // they are gone after a test that passes
    await pods.deletePod({ podId }).catch(() => {});
    await templates.deleteTemplate({ templateId }).catch(() => {});
  });
  let version;

  await t.test("add", async () => {
    const newTemplate = { template_id: templateId, description: "from TypeScript", metatags: ["example"] };
    const added = await result(templates.addTemplate({ newTemplate }));
    assert.equal(added.template_id, templateId);
    assert.deepEqual(added.metatags, ["example"]);
    assert.equal(added.archive_message, "");
    isTime(added.creation_ts);
    assert.equal((await refusal(templates.addTemplate({ newTemplate }))).status, 409);
  });
  await t.test("list and get", async () => {
    assert.ok((await result(templates.listTemplates())).some((template) => template.template_id === templateId));
    assert.equal((await result(templates.getTemplate({ templateId }))).description, "from TypeScript");
    assert.equal((await refusal(templates.getTemplate({ templateId: "nothing" }))).status, 404);
  });
  await t.test("update", async () => {
    const updated = await result(templates.updateTemplate({ templateId, updateTemplate: { description: "changed" } }));
    assert.equal(updated.description, "changed");
    assert.deepEqual(updated.metatags, ["example"]);
  });
  await t.test("add a tag", async () => {
    const added = await result(templates.addTemplateTag({
      templateId,
      newTemplateTag: {
        tag: "one",
        commit_message: "the first",
        pod_definition: { template: "hello", environment_variables: { COLOUR: "blue" }, resources: { mem_limit: 512 } },
      },
    }));
    version = added.tag_timestamp;
    assert.match(version, /^one@\d{4}(-\d\d){3}(:\d\d){2}$/);
    assert.equal(added.template_id, templateId);
    assert.equal(added.commit_message, "the first");
    assert.deepEqual(added.pod_definition.environment_variables, { COLOUR: "blue" });
    assert.equal(added.pod_definition.resources.mem_limit, 512);
    assert.ok(added.added_by);
    isTime(added.creation_ts);
  });
  await t.test("list and get tags", async () => {
    const [full] = await result(templates.listTemplateTags({ templateId }));
    assert.equal(full.tag_timestamp, version);
    assert.deepEqual(full.pod_definition.environment_variables, { COLOUR: "blue" });
    const [short] = await result(templates.listTemplateTags({ templateId, full: false }));
    assert.equal(short.tag_timestamp, version);
    assert.equal(short.pod_definition, undefined);
    for (const tagId of ["one", version]) {
      const [found] = await result(templates.getTemplateTag({ templateId, tagId }));
      assert.equal(found.tag_timestamp, version);
    }
    const all = await result(templates.listTemplatesAndTags({ full: true }));
    assert.equal(all[templateId].tags[0].tag_timestamp, version);
    assert.ok(all.hello.tags.length > 0);
  });
  await t.test("permissions", async () => {
    const set = await result(permissions.setTemplatePermission({ templateId, setPermission: { user: "carol", level: "READ" } }));
    assert.ok(set.permissions.includes("carol:READ"));
    assert.deepEqual(await result(permissions.getTemplatePermissions({ templateId })), set);
    const left = await result(permissions.deleteTemplatePermission({ templateId, user: "carol" }));
    assert.equal(left.permissions.length, set.permissions.length - 1);
  });
  await t.test("save a pod as a tag", async () => {
    const newPod = { pod_id: podId, template: templateId + ":one", status_requested: "OFF", environment_variables: { SIZE: "small" } };
    const created = await result(pods.createPod({ newPod }));
    assert.equal(created.template, `${templateId}:${version}`);
    assert.equal(created.status, "STOPPED");
    const saved = await result(pods.savePodAsTemplateTag({
      podIdNet: podId,
      newTemplateTagFromPod: { template_id: templateId, tag: "two", commit_message: "from a pod" },
    }));
    assert.equal(saved.template_id, templateId);
    assert.match(saved.tag_timestamp, /^two@/);
    assert.equal(saved.pod_definition.environment_variables.SIZE, "small");
  });
  await t.test("delete", async () => {
    assert.equal(await result(pods.deletePod({ podId })), "");
    assert.equal(await result(templates.deleteTemplate({ templateId })), "");
    assert.equal((await refusal(templates.getTemplate({ templateId }))).status, 404);
  });
}
