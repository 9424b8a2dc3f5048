// Calls every function of the published TypeScript client that the service
// offers, and looks at what the client makes of the answers.

import assert from "node:assert/strict";
import test from "node:test";
import { uncalled } from "./client.mjs";
import { imageOperations } from "./images.mjs";
import { jupyterOperations } from "./jupyter.mjs";
import { miscOperations } from "./misc.mjs";
import { podOperations } from "./pods.mjs";
import { templateOperations } from "./templates.mjs";
import { volumeOperations } from "./volumes.mjs";

test("misc", miscOperations);
test("pods", podOperations);
test("templates", templateOperations);
test("images", imageOperations);
test("jupyter", jupyterOperations);
test("volumes", volumeOperations);
test("every function was called", () => assert.deepEqual(uncalled(), []));
