// What Tidegate's outbound Worker does for a request that one rule allows, as one would write it by hand: the URL parsed,
// its host and all that it is within looked up in a set of denied and a set of allowed names, headers dropped and set on a copy,
// redirects by hand, no answer that was made for one customer in a cache, one decision record under an id of its own: what goes out
// is, byte for byte, what Tidegate's sends. It knows this one policy, judges neither methods nor paths nor
// addresses, reads the customer where it expects it, folds no header names, drops the `cf-` and `x-forwarded-` headers that it
// knows by name, and hands answers on unseen.

const BLOCKED = new Set(DENIED);
const ALLOWED = new Set(["shop.example", "signed.example"]);
const DROPPED = [
  "host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "content-length", "expect", "cdn-loop",
  "forwarded", "x-real-ip", "true-client-ip", "via", "x-original-url", "x-rewrite-url", "x-http-method",
  "x-http-method-override", "x-method-override", "cf-connecting-ip", "x-forwarded-for",
];

function within(names, host) {
  for (;;) {
    if (names.has(host)) return true;
    const dot = host.indexOf(".");
    if (dot < 0) return false;
    host = host.slice(dot + 1);
  }
}

export default {
  fetch(request, env) {
    const url = new URL(request.url);
    const decision = crypto.randomUUID();
    const allowed = !within(BLOCKED, url.hostname) && within(ALLOWED, url.hostname);
    record(request, env, url, decision, allowed);
    if (!allowed) return Response.json({ status: 403, decision }, { status: 403 });
    const headers = new Headers(request.headers);
    for (const name of DROPPED) headers.delete(name);
    headers.set("x-customer", env.customer_name);
    return fetch(url, { method: request.method, headers, body: request.body, redirect: "manual", cache: "no-store" });
  },
};

function record(request, env, url, decision, allowed) {
  if (!RECORDS) return;
  console.log(
    JSON.stringify({
      event: "decision",
      at: Math.floor(Date.now() / 1000),
      decision,
      policy: "5e0c1f3a5e0c1f3a5e0c1f3a5e0c1f3a5e0c1f3a5e0c1f3a5e0c1f3a5e0c1f3a",
      mode: "enforce",
      customer: env.customer_name,
      tags: null,
      method: request.method,
      scheme: url.protocol.slice(0, -1),
      host: url.hostname,
      port: Number(url.port || 443),
      path: url.pathname,
      effect: allowed ? "allow" : "deny",
      reason: "rule",
      rule: "shop",
      rules: ["shop"],
      enforced: true,
      would_deny: [],
      would_allow: [],
      isolate: "c3b1d6f2-0d5e-4a7c-9a51-2f6a3d1b7e90",
    }),
  );
}
