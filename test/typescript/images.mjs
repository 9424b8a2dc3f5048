// The list of allowed images.

import assert from "node:assert/strict";
import { admin, isTime, newID, refusal, result, user } from "./client.mjs";

export async function imageOperations(t) {
  const one = `registry.example.org/${newID("ts")}/one`; // clients send the slashes encoded
  const two = newID("two");
  t.after(async () => { // they are gone after a test that passes
    for (const imageId of [one, two]) await admin.images.deleteImage({ imageId }).catch(() => {});
  });

  await t.test("add", async () => {
    const newImage = { image: one, tenants: ["**"], description: "from TypeScript" };
    const added = await result(admin.images.addImage({ newImage }));
    assert.equal(added.image, one);
    assert.deepEqual(added.tenants, ["**"]);
    assert.equal(added.description, "from TypeScript");
    assert.ok(added.added_by);
    isTime(added.creation_ts);
    assert.equal((await refusal(admin.images.addImage({ newImage }))).status, 409);
    assert.equal((await refusal(user.images.addImage({ newImage }))).status, 403);
  });
  await t.test("add several", async () => {
    const newImage = [{ image: one }, { image: two, tenants: ["**"] }];
    assert.equal((await refusal(admin.images.addImages({ newImage }))).status, 409);
    const added = await result(admin.images.addImages({ newImage, skipDuplicates: true }));
    assert.deepEqual(added.map((image) => image.image), [two]);
  });
  await t.test("list and get", async () => {
    const names = (await result(user.images.getImages())).map((image) => image.image);
    assert.ok(names.includes(one) && names.includes(two), `${one} and ${two} are not among ${names}`);
    assert.equal((await result(user.images.getImage({ imageId: one }))).description, "from TypeScript");
  });
  await t.test("delete", async () => {
    assert.equal((await refusal(user.images.deleteImage({ imageId: one }))).status, 403);
    for (const imageId of [one, two]) assert.equal(await result(admin.images.deleteImage({ imageId })), imageId);
    const gone = await refusal(user.images.getImage({ imageId: one }));
    assert.equal(gone.status, 404);
  });
}
