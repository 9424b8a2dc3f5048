// Logs in at a pod with a real browser, as somebody who visits it would.
//
//   CHROMIUM      the browser
//   RESOLVE       rules by which it finds the gateway, as --host-resolver-rules
//   POD, PRIVATE  addresses of two pods that ask for a login: one for every user
//                 of the tenant, and one for its owner alone
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const { CHROMIUM, RESOLVE, POD, PRIVATE } = process.env;
let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", `--host-resolver-rules=${RESOLVE}`],
  });
});
after(() => browser?.close());

// visitor returns a page of somebody with no cookies.
async function visitor(t) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true }); // by the development CA
  context.setDefaultTimeout(20_000);
  t.after(() => context.close());
  return context.newPage();
}

async function logIn(page, username) {
  await page.locator('input[name="username"]').fill(username);
  await page.locator('input[name="password"]').fill(username);
  await page.locator('button[type="submit"]').click();
}

const headers = async (page) => JSON.parse(await page.locator("body").innerText()).headers;

test("a visitor logs in, is known to the pod, logs out and is asked again", async (t) => {
  const page = await visitor(t);
  await page.goto(POD + "headers?a=1");
  assert.match(page.url(), /\/v3\/oauth2\/authorize\?/, "the first visit leads to the login");
  await logIn(page, "bob");
  await page.waitForURL(POD + "headers?a=1");
  const seen = await headers(page);
  assert.deepEqual(seen["X-Visitor"], ["bob@dev"], "the pod is told who visits");
  assert.doesNotMatch(JSON.stringify(seen), /__Host-pods|X-Tapis-Token/i, "the pod sees nothing of the platform");
  assert.equal(await page.evaluate(() => document.cookie), "", "scripts see no session");

  await page.goto(POD);
  assert.equal(new URL(page.url()).origin + "/", POD, "the next visit asks for nothing");

  await page.goto(POD + ".pods/logout");
  await page.goto(POD);
  assert.match(page.url(), /\/v3\/oauth2\/authorize\?/, "after logging out the login comes again");
});

test("a wrong password is said, and the right one goes on", async (t) => {
  const page = await visitor(t);
  await page.goto(POD);
  await page.locator('input[name="username"]').fill("carol");
  await page.locator('input[name="password"]').fill("wrong");
  await page.locator('button[type="submit"]').click();
  await page.getByText("The user name or the password is wrong").waitFor();
  await logIn(page, "carol");
  await page.waitForURL(POD);
});

test("a user who is not on the list is told so, without a loop", async (t) => {
  const page = await visitor(t);
  await page.goto(PRIVATE);
  await logIn(page, "bob");
  await page.getByText("authenticated but not in").waitFor();
});
