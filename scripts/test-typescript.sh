#!/usr/bin/env bash
# Calls a running service by the published TypeScript client.
#
#   PODS_URL=...           the service (http://localhost:8080)
#   PODS_TOKEN=...         a token of a user
#   PODS_ADMIN_TOKEN=...   a token of a site admin
#
# Without tokens it logs in as alice and admin, users of the development issuer.
. "$(dirname "$0")/lib.sh"

command -v npm >/dev/null || "$(dirname "$0")/install.sh" node
export PODS_URL=${PODS_URL:-http://localhost:8080}

# login prints a token of a user whose password is the name.
login() {
  node --dns-result-order=ipv4first --input-type=module - "$1" <<'JS'
const [, , username] = process.argv;
const answer = await fetch(process.env.PODS_URL + "/v3/oauth2/tokens", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ username, password: username, grant_type: "password" }),
});
if (!answer.ok) throw new Error(`log in as ${username}: ${await answer.text()}`);
console.log((await answer.json()).result.access_token.access_token);
JS
}
PODS_TOKEN=${PODS_TOKEN:-$(login alice)}
PODS_ADMIN_TOKEN=${PODS_ADMIN_TOKEN:-$(login admin)}
export PODS_TOKEN PODS_ADMIN_TOKEN

cd test/typescript
npm ci --no-audit --no-fund
npm test
