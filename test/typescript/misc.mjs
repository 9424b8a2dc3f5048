// What the service says about itself.

import assert from "node:assert/strict";
import { refusal, result, user } from "./client.mjs";

export async function miscOperations(t) {
  const { misc } = user;

  await t.test("healthcheck", async () => {
    assert.equal(await result(misc.healthcheck()), "I promise I'm healthy.");
  });
  await t.test("error handler", async () => {
    for (const status of [404, 502, 503]) {
      const answer = await refusal(misc.errorHandler({ status }));
      assert.equal(answer.status, status);
      assert.notEqual(answer.message, "");
    }
  });
}
