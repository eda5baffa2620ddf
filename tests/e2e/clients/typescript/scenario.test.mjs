// What a platform does with Cloudflare's TypeScript SDK, from the first namespace to the last deletion, in one story: each
// step stands on those before it, and what was uploaded answers.
//
// API, TOKEN, ACCOUNT: where, and as whom. WORKERS: where the Workers listen.

import assert from "node:assert/strict";
import { createHmac, createHash } from "node:crypto";
import http from "node:http";
import { test } from "node:test";

import Cloudflare, { toFile } from "cloudflare";

const { API, TOKEN, ACCOUNT, WORKERS } = process.env;
const client = new Cloudflare({ apiToken: TOKEN, baseURL: API, maxRetries: 0 });
const { namespaces } = client.workersForPlatforms.dispatch;
const { scripts } = namespaces;
const account = { account_id: ACCOUNT };
const NAMESPACE = "customers";
/** Where what the SDK has no call for begins. */
const PATH = `/accounts/${ACCOUNT}/workers/dispatch/namespaces/${NAMESPACE}`;

const DISPATCHER = `
export default {
  async fetch(request, env) {
    try {
      return await env.DISPATCHER.get(new URL(request.url).hostname.split(".")[0]).fetch(request);
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};`;

const CUSTOMER = `
import text from "./greeting.txt";
import { plan } from "./plan.mjs";
export default {
  async fetch(request, { PLAN, LIMITS, KEY, STORE, SIGNING }) {
    const signature = SIGNING && await crypto.subtle.sign("HMAC", SIGNING, new TextEncoder().encode("message"));
    return Response.json({
      text, plan: plan(PLAN), limits: LIMITS, key: KEY ?? null, stored: await STORE.get("motto"),
      signature: signature && [...new Uint8Array(signature)].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    });
  },
};`;

const module = (name, text, type = "application/javascript+module") => toFile(Buffer.from(text), name, { type });

async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

/** What a Worker answers: status and body. */
function answer(name, path = "/") {
  const [hostname, port] = WORKERS.split(":");
  return new Promise((resolve, reject) => {
    const request = { hostname, port, path, headers: { host: `${name}.apps.example` } };
    http.get(request, async (response) => {
      const chunks = await response.toArray();
      resolve([response.statusCode, Buffer.concat(chunks).toString(), response.headers]);
    }).on("error", reject);
  });
}

const said = async (name) => JSON.parse((await answer(name))[1]);

/** The code of the error that a call ends with. */
async function code(call) {
  try {
    await call;
  } catch (error) {
    return error.errors[0].code;
  }
  return "no error";
}

let store;
/** The metadata of the customers' Workers. */
const metadata = (tags) => ({
  main_module: "index.mjs",
  compatibility_date: "2026-01-01",
  tags,
  bindings: [
    { type: "plain_text", name: "PLAN", text: "gold" },
    { type: "json", name: "LIMITS", json: { requests: [1, 2] } },
    { type: "kv_namespace", name: "STORE", namespace_id: store.id },
  ],
});
const modules = async () => [
  await module("index.mjs", CUSTOMER),
  await module("plan.mjs", "export const plan = (name) => `the ${name} plan`;"),
  await module("greeting.txt", "hello", "text/plain"),
];

test("a namespace is made, listed, shown, changed and renamed", async () => {
  const made = await namespaces.create({ ...account, name: "first-name" });
  assert.deepEqual((await all(namespaces.list(account))).map((it) => it.namespace_name), ["first-name"]);
  const at = `/accounts/${ACCOUNT}/workers/dispatch/namespaces`;
  await client.put(`${at}/first-name`, { body: { name: NAMESPACE } });
  await client.patch(`${at}/${NAMESPACE}`, { body: { trusted_workers: true } });
  const shown = await namespaces.get(NAMESPACE, account);
  assert.deepEqual([shown.namespace_id, shown.trusted_workers], [made.namespace_id, true]);
  assert.equal(await code(namespaces.get("first-name", account)), 100119);
  assert.equal(await code(namespaces.create({ ...account, name: NAMESPACE })), 100120);
});

test("a dispatch Worker and a customer's Worker of several modules are uploaded, and answer", async () => {
  store = await client.kv.namespaces.create({ ...account, title: "store" });
  await client.kv.namespaces.values.update(store.id, "motto", { ...account, value: "kept", metadata: "{}" });
  const dispatcher = {
    main_module: "index.mjs",
    bindings: [{ type: "dispatch_namespace", name: "DISPATCHER", namespace: NAMESPACE }],
  };
  await client.workers.scripts.update("dispatcher", {
    ...account,
    metadata: dispatcher,
    files: [await module("index.mjs", DISPATCHER)],
  });
  const uploaded = await scripts.update(NAMESPACE, "acme", {
    ...account,
    metadata: metadata(["paid", "eu"]),
    files: await modules(),
  });
  assert.deepEqual([uploaded.id, uploaded.entry_point, uploaded.handlers], ["acme", "index.mjs", ["fetch"]]);
  const expected = { text: "hello", plan: "the gold plan", limits: { requests: [1, 2] }, key: null, stored: "kept" };
  assert.deepEqual(await said("acme"), expected);
  const { script } = await scripts.get(NAMESPACE, "acme", account);
  assert.equal(script.etag, uploaded.etag);
  const bindings = await all(scripts.bindings.get(NAMESPACE, "acme", account));
  assert.deepEqual(bindings.map(({ name }) => name), ["PLAN", "LIMITS", "STORE"]);
});

test("secrets reach the Worker, and their values nobody else", async () => {
  const put = (secret) => scripts.secrets.update(NAMESPACE, "acme", { ...account, ...secret });
  const shown = await put({ name: "KEY", text: "one", type: "secret_text" });
  assert.deepEqual(shown, { name: "KEY", type: "secret_text" });
  assert.equal((await said("acme")).key, "one");

  const key = { name: "SIGNING", type: "secret_key", algorithm: { name: "HMAC", hash: "SHA-256" }, format: "raw" };
  await put({ ...key, usages: ["sign"], key_base64: Buffer.from("hunter2").toString("base64") });
  assert.equal((await said("acme")).signature, createHmac("sha256", "hunter2").update("message").digest("hex"));

  const secrets = { KEY: { name: "KEY", text: "two", type: "secret_text" }, SIGNING: null };
  await scripts.secrets.bulkUpdate(NAMESPACE, "acme", { ...account, secrets });
  const { key: text, signature } = await said("acme");
  assert.deepEqual([text, signature], ["two", undefined]);
  assert.deepEqual(await all(scripts.secrets.list(NAMESPACE, "acme", account)), [shown]);

  assert.deepEqual(await scripts.secrets.get(NAMESPACE, "acme", "KEY", account), shown);
  await scripts.secrets.delete(NAMESPACE, "acme", "KEY", account);
  assert.equal((await said("acme")).key, null);
  assert.equal(await code(scripts.secrets.get(NAMESPACE, "acme", "KEY", account)), 10056);
});

test("content is given back and replaced, and bindings stay", async () => {
  const content = await (await scripts.content.get(NAMESPACE, "acme", account)).formData();
  assert.deepEqual([...content.keys()], ["index.mjs", "plan.mjs", "greeting.txt"]);
  assert.equal(await content.get("index.mjs").text(), CUSTOMER);
  const code = "export default { fetch: (_, { PLAN }) => Response.json({ replaced: PLAN }) };";
  const files = [await module("index.mjs", code)];
  await scripts.content.update(NAMESPACE, "acme", { ...account, metadata: { main_module: "index.mjs" }, files });
  assert.deepEqual(await said("acme"), { replaced: "gold" });
});

test("settings are shown and changed, and take effect", async () => {
  const bindings = [{ type: "plain_text", name: "PLAN", text: "silver" }];
  const settings = { bindings, limits: { cpu_ms: 50 }, logpush: true };
  await scripts.settings.edit(NAMESPACE, "acme", { ...account, settings });
  assert.deepEqual(await said("acme"), { replaced: "silver" });
  const shown = await scripts.settings.get(NAMESPACE, "acme", account);
  assert.deepEqual([shown.limits, shown.logpush, shown.tags], [{ cpu_ms: 50 }, true, ["eu", "paid"]]);
  assert.deepEqual(shown.bindings, [{ name: "PLAN", type: "plain_text", text: "silver" }]);
});

test("tags are set, added, taken away, and asked for", async () => {
  const tags = () => all(scripts.tags.list(NAMESPACE, "acme", account));
  await all(scripts.tags.update(NAMESPACE, "acme", { ...account, body: ["trial", "us"] }));
  assert.deepEqual(await tags(), ["trial", "us"]);
  await client.put(`${PATH}/scripts/acme/tags/beta`);
  await scripts.tags.delete(NAMESPACE, "acme", "us", account);
  assert.deepEqual(await tags(), ["beta", "trial"]);
  const meets = async (filter) => (await client.get(`${PATH}/scripts/acme/tags?tags=${filter}`)).result;
  assert.deepEqual([await meets("beta:yes,us:no"), await meets("us:yes")], [true, false]);
});

test("Workers are listed and deleted by their tags", async () => {
  for (const [name, tags] of [["globex", ["paid"]], ["hooli", ["trial"]], ["initech", ["trial", "eu"]]]) {
    await scripts.update(NAMESPACE, name, { ...account, metadata: metadata(tags), files: await modules() });
  }
  const names = async (query) => (await client.get(`${PATH}/scripts${query}`)).result.map(({ id }) => id);
  assert.deepEqual(await names(""), ["acme", "globex", "hooli", "initech"]);
  assert.deepEqual(await names("?tags=trial:yes,eu:no"), ["acme", "hooli"]);
  const { result } = await client.delete(`${PATH}/scripts?tags=trial%3Ayes`);
  assert.deepEqual(result.deleted.map(({ id }) => id), ["acme", "hooli", "initech"]);
  assert.deepEqual(await names(""), ["globex"]);
  assert.deepEqual((await answer("hooli")).slice(0, 2), [500, "Worker not found."]);
  assert.equal((await said("globex")).plan, "the gold plan");
});

test("a Worker with static assets is deployed in three steps, and serves them", async () => {
  const page = "<!doctype html><title>acme</title>";
  const hash = createHash("sha256").update(page).digest("hex").slice(0, 32);
  const manifest = { "/index.html": { hash, size: page.length } };
  const session = await scripts.assetUpload.create(NAMESPACE, "site", { ...account, manifest });
  assert.deepEqual(session.buckets, [[hash]]);
  const form = new FormData();
  form.set(hash, new File([Buffer.from(page).toString("base64")], hash, { type: "text/html" }));
  const uploaded = await fetch(`${API}/accounts/${ACCOUNT}/workers/assets/upload?base64=true`, {
    method: "POST",
    headers: { authorization: `Bearer ${session.jwt}` },
    body: form,
  });
  assert.equal(uploaded.status, 201);
  const { jwt } = (await uploaded.json()).result;
  const code = "export default { fetch: () => new Response('from the Worker') };";
  const script = await scripts.update(NAMESPACE, "site", {
    ...account,
    metadata: { main_module: "index.mjs", assets: { jwt }, bindings: [{ type: "assets", name: "ASSETS" }] },
    files: [await module("index.mjs", code)],
  });
  assert.equal(script.has_assets, true);
  const [status, body, headers] = await answer("site");
  assert.deepEqual([status, body], [200, page]);
  assert.match(headers["content-type"], /^text\/html/);
  assert.equal((await answer("site", "/other"))[1], "from the Worker");
});

test("a Worker is deleted, and then the namespace with all that is left in it", async () => {
  await scripts.delete(NAMESPACE, "globex", { ...account, force: true });
  assert.equal(await code(scripts.get(NAMESPACE, "globex", account)), 10092);
  await namespaces.delete(NAMESPACE, account);
  assert.deepEqual(await all(namespaces.list(account)), []);
});
