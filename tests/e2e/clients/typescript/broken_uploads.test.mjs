// Uploads of version 7.3.0 of Cloudflare's TypeScript SDK, which cannot be read: what is answered must name the cause and
// the way out.

import assert from "node:assert/strict";
import { test } from "node:test";

import Cloudflare, { toFile } from "cloudflare-7";

const { API, TOKEN, ACCOUNT, NAMESPACE } = process.env;
const client = new Cloudflare({ apiToken: TOKEN, baseURL: API, maxRetries: 0 });
const { scripts } = client.workersForPlatforms.dispatch.namespaces;
const place = { account_id: ACCOUNT, dispatch_namespace: NAMESPACE };
const metadata = { main_module: "worker.mjs", bindings: [{ type: "plain_text", name: "A", text: "b" }] };
const worker = () =>
  toFile(Buffer.from("export default {};"), "worker.mjs", { type: "application/javascript+module" });

function refused(error) {
  assert.equal(error.status, 400);
  const [{ code, message }] = error.errors;
  assert.equal(code, 10021);
  assert.match(message, /version 7 of the npm package `cloudflare`.*use its version 6\.5\.0/);
  return true;
}

test("an upload", async () => {
  await assert.rejects(scripts.update("acme", { ...place, metadata, files: [await worker()] }), refused);
});

test("an upload without files", async () => {
  await assert.rejects(scripts.update("acme", { ...place, metadata }), refused);
});

test("a change of content", async () => {
  const change = { ...place, metadata: { main_module: "worker.mjs" }, files: [await worker()] };
  await assert.rejects(scripts.content.update("acme", change), refused);
});

test("a change of settings", async () => {
  await assert.rejects(scripts.settings.edit("acme", { ...place, settings: { tags: ["x"] } }), refused);
});

test("what needs no form works", async () => {
  assert.equal((await client.workersForPlatforms.dispatch.namespaces.get(NAMESPACE, place)).namespace_name, NAMESPACE);
});
