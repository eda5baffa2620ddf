// Every Workers for Platforms call of Cloudflare's TypeScript SDK, one a test, against `tidegate dev --seeded`: each begins
// with the namespace, the Worker, the secret and the tag that Cloudflare's API description has in its examples.
//
// TEST_API_BASE_URL says where. The npm package holds no tests of its own.

import assert from "node:assert/strict";
import { test } from "node:test";

import Cloudflare, { toFile } from "cloudflare";

const account = { account_id: "023e105f4ecef8ad9ca31a8372d0c353" };
const NAMESPACE = "my-dispatch-namespace";
const SCRIPT = "this-is_my_script-01";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const MODULE = 'export default { fetch() { return new Response("new"); } };';

const client = new Cloudflare({
  apiKey: "144c9defac04969c7bfad8efaa8ea194",
  apiEmail: "user@example.com",
  baseURL: process.env.TEST_API_BASE_URL,
  maxRetries: 0,
});
const { namespaces } = client.workersForPlatforms.dispatch;
const { scripts } = namespaces;

/** All items of a list. */
async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

function isNamespace(namespace, name) {
  assert.equal(namespace.namespace_name, name);
  assert.match(namespace.namespace_id, UUID);
  assert.equal(namespace.trusted_workers, false);
  assert.equal(namespace.created_by, account.account_id);
  assert.ok(!Number.isNaN(Date.parse(namespace.created_on)) && !Number.isNaN(Date.parse(namespace.modified_on)));
}

const worker = () => toFile(Buffer.from(MODULE), "worker.js", { type: "application/javascript+module" });

test("POST namespaces without a name", async () => {
  const namespace = await namespaces.create(account);
  isNamespace(namespace, namespace.namespace_name);
  assert.match(namespace.namespace_name, /^namespace-/);
});

test("POST namespaces", async () => {
  const namespace = await namespaces.create({ ...account, name: NAMESPACE });
  isNamespace(namespace, NAMESPACE);
  assert.equal(namespace.script_count, 0);
});

test("GET namespaces", async () => {
  const [namespace, ...others] = await all(namespaces.list(account));
  isNamespace(namespace, NAMESPACE);
  assert.deepEqual(others, []);
});

test("GET namespaces/{namespace}", async () => {
  const namespace = await namespaces.get(NAMESPACE, account);
  isNamespace(namespace, NAMESPACE);
  assert.equal(namespace.script_count, 1);
});

test("DELETE namespaces/{namespace}", async () => {
  assert.equal(await namespaces.delete(NAMESPACE, account), null);
});

test("PUT scripts/{script}", async () => {
  const metadata = {
    main_module: "worker.js",
    bindings: [{ name: "MY_ENV_VAR", text: "my_data", type: "plain_text" }],
    compatibility_date: "2021-01-01",
    compatibility_flags: ["nodejs_compat"],
    keep_bindings: ["secret_text"],
    limits: { cpu_ms: 50 },
    logpush: false,
    observability: { enabled: true, head_sampling_rate: 0.1, logs: { enabled: true, invocation_logs: true } },
    placement: { mode: "smart" },
    tags: ["string"],
    tail_consumers: [{ service: "my-log-consumer", environment: "production", namespace: "my-namespace" }],
    usage_model: "standard",
  };
  const script = await scripts.update(NAMESPACE, SCRIPT, {
    ...account,
    metadata,
    bindings_inherit: "strict",
    files: [await worker()],
  });
  assert.equal(script.id, SCRIPT);
  assert.equal(script.entry_point, "worker.js");
  assert.equal(typeof script.startup_time_ms, "number");
  assert.deepEqual([script.handlers, script.has_modules, script.has_assets], [["fetch"], true, false]);
  assert.deepEqual([script.usage_model, script.logpush, script.placement], ["standard", false, { mode: "smart" }]);
});

test("GET scripts/{script}", async () => {
  const { created_on, modified_on, dispatch_namespace, script } = await scripts.get(NAMESPACE, SCRIPT, account);
  assert.equal(dispatch_namespace, NAMESPACE);
  assert.deepEqual([created_on, modified_on], [script.created_on, script.modified_on]);
  assert.deepEqual([script.id, script.tags, script.handlers], [SCRIPT, ["my-tag"], ["fetch"]]);
  assert.match(script.etag, /^[0-9a-f]{64}$/);
});

test("DELETE scripts/{script}", async () => {
  assert.equal(await scripts.delete(NAMESPACE, SCRIPT, { ...account, force: true }), null);
});

test("POST scripts/{script}/assets-upload-session", async () => {
  const manifest = { "/blog/hello-world.html": { hash: "0123456789abcdef0123456789abcdef", size: 3 } };
  const session = await scripts.assetUpload.create(NAMESPACE, SCRIPT, { ...account, manifest });
  assert.deepEqual(session.buckets, [["0123456789abcdef0123456789abcdef"]]);
  assert.equal(session.jwt.split(".").length, 3);
});

test("GET scripts/{script}/bindings", async () => {
  assert.deepEqual(await all(scripts.bindings.get(NAMESPACE, SCRIPT, account)), [
    { name: "MY_ENV_VAR", type: "plain_text", text: "my_data" },
    { name: "mySecret", type: "secret_text" },
  ]);
});

test("PUT scripts/{script}/content", async () => {
  const metadata = { main_module: "worker.js" };
  const script = await scripts.content.update(NAMESPACE, SCRIPT, { ...account, metadata, files: [await worker()] });
  assert.deepEqual([script.id, script.has_modules], [SCRIPT, true]);
});

test("GET scripts/{script}/content", async () => {
  const content = await scripts.content.get(NAMESPACE, SCRIPT, account);
  assert.match(content.headers.get("content-type"), /^application\/javascript\+module/);
  assert.match(await content.text(), /Hello World!/);
});

test("PUT scripts/{script}/secrets, a text", async () => {
  const secret = { name: "myBinding", text: "My secret.", type: "secret_text" };
  const shown = await scripts.secrets.update(NAMESPACE, SCRIPT, { ...account, ...secret });
  assert.deepEqual(shown, { name: "myBinding", type: "secret_text" });
});

test("PUT scripts/{script}/secrets, a key", async () => {
  const key = { name: "myBinding", type: "secret_key", algorithm: {}, format: "raw", usages: ["encrypt", "decrypt"] };
  const given = { ...account, ...key, key_base64: "key_base64", key_jwk: {} };
  assert.deepEqual(await scripts.secrets.update(NAMESPACE, SCRIPT, given), key);
});

test("GET scripts/{script}/secrets", async () => {
  const secrets = await all(scripts.secrets.list(NAMESPACE, SCRIPT, account));
  assert.deepEqual(secrets, [{ name: "mySecret", type: "secret_text" }]);
});

test("GET scripts/{script}/secrets/{secret}", async () => {
  const secret = await scripts.secrets.get(NAMESPACE, SCRIPT, "mySecret", { ...account, url_encoded: true });
  assert.deepEqual(secret, { name: "mySecret", type: "secret_text" });
});

test("DELETE scripts/{script}/secrets/{secret}", async () => {
  assert.equal(await scripts.secrets.delete(NAMESPACE, SCRIPT, "mySecret", { ...account, url_encoded: true }), null);
});

test("PATCH scripts/{script}/secrets-bulk", async () => {
  const secrets = { mySecret: null, foo: { name: "foo", text: "My secret.", type: "secret_text" } };
  const all = await scripts.secrets.bulkUpdate(NAMESPACE, SCRIPT, { ...account, secrets });
  assert.deepEqual(all, { foo: { name: "foo", type: "secret_text" } });
});

test("PATCH scripts/{script}/settings", async () => {
  const change = { tags: ["my-team", "my-public-api"], limits: { cpu_ms: 50 }, compatibility_flags: [] };
  const settings = await scripts.settings.edit(NAMESPACE, SCRIPT, { ...account, settings: change });
  assert.deepEqual(settings.tags, ["my-public-api", "my-team"]);
  assert.deepEqual([settings.limits, settings.compatibility_flags], [{ cpu_ms: 50 }, []]);
});

test("GET scripts/{script}/settings", async () => {
  const settings = await scripts.settings.get(NAMESPACE, SCRIPT, account);
  assert.deepEqual([settings.tags, settings.compatibility_date], [["my-tag"], "2021-01-01"]);
  assert.deepEqual(settings.bindings.map(({ name }) => name), ["MY_ENV_VAR", "mySecret"]);
});

test("PUT scripts/{script}/tags", async () => {
  const tags = await all(scripts.tags.update(NAMESPACE, SCRIPT, { ...account, body: ["my-team", "my-public-api"] }));
  assert.deepEqual(tags, ["my-public-api", "my-team"]);
});

test("GET scripts/{script}/tags", async () => {
  assert.deepEqual(await all(scripts.tags.list(NAMESPACE, SCRIPT, account)), ["my-tag"]);
});

test("DELETE scripts/{script}/tags/{tag}", async () => {
  assert.equal(await scripts.tags.delete(NAMESPACE, SCRIPT, "my-tag", account), null);
});
