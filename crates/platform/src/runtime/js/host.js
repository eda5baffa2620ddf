// The platform's own Workers. All others are loaded through them at run time.
//
//   front  where requests come in: runs account Workers, such as dispatch Workers. Untraced, so that each `get()` of a
//          dispatch Worker begins a trace of its own.
//   gate   behind dispatch bindings: runs user Workers and outbound Workers. Traced: workerd carries the trace id
//          through everything that a user Worker does, and by it the gate knows the invocation that a request is of.
//   check  in a process of its own: starts what was uploaded before it is accepted.
//
// They share this code; the binding ROLE says which one it is.

import { WorkerEntrypoint, tracing } from "cloudflare:workers";
import { answered } from "./assets.js";
import { codeOf, mainOf } from "./code.js";
import { Isolates, Resting, fetchWorker } from "./isolates.js";
import { messageOf } from "./tail.js";

export { Assets } from "./assets.js";

/** Where `within/bindings.js` puts what `get()` was called with. */
const TARGET = "x-tidegate-target";

/** The subrequests of an invocation for which nobody said less. */
const MOST_SUBREQUESTS = 10_000;

/** An invocation whose end nobody tells (an abandoned WebSocket) is forgotten after this long. */
const FORGOTTEN = 10 * 60_000;

/** As many invocations are known at once; beyond them one is forgotten, and what it still asks for is refused. */
const MOST_INVOCATIONS = 50_000;

let known;
const isolates = (env) => (known ??= new Isolates(env, env.ISOLATES));

// ---- front ----------------------------------------------------------------------------------------------------------

let entrances = new Map(); // entrance → name of the account Worker; another one when an account Worker changes

export default {
  async fetch(request, env, ctx) {
    const { hostname } = new URL(request.url);
    // Beneath the domain a host is an account Worker's own; all others, however many, lead to the same one.
    const entrance = hostname.endsWith(`.${env.DOMAIN}`) ? hostname : "any other";
    // What is asked for while account Workers change is kept in the map of before.
    const names = entrances;
    let name = names.get(entrance);
    if (name === undefined) {
      const answer = await env.CONTROL.fetch(`http://control/entrance?host=${encodeURIComponent(hostname)}`);
      if (answer.status !== 200) return new Response(answer.body, { status: answer.status, headers: answer.headers });
      name = await answer.text();
      // Hosts are the clients' choice.
      if (names.size >= 1000) names.clear();
      names.set(entrance, name);
    }
    const script = await isolates(env).current("account", name);
    if (!script) return new Response(`there is no Worker \`${name}\`\n`, { status: 404 });
    return (await answered(env, script, request)) ?? accountWorker(env, ctx, script).fetch(request);
  },
};

/** An account Worker as the front runs it: nothing stands between it and the way out. */
function accountWorker(env, ctx, script, entrypoint) {
  const place = async (bundle) => ({
    stubs: await stubs(bundle, {
      assets: () => ctx.exports.Assets({ props: { key: script.key, version: bundle.version } }),
      dispatch_namespace: ({ namespace, outbound }) => env.GATE.dispatch({ namespace, outbound }),
      ...resources(ctx),
      service: ({ service, entrypoint }) => ctx.exports.Service({ props: { service, entrypoint, role: "account" } }),
    }),
    globalOutbound: env.EGRESS,
    // A tail would make it traced, and each `get()` of a dispatch Worker begins a trace of its own.
    tails: bundle.bindings.some(({ type }) => type === "dispatch_namespace") ? undefined : followers(env, ctx, script),
    marker: markerOf(env, script),
  });
  return isolates(env).of(script, roleOf(script, "account"), place).entrypoint(entrypoint);
}

// ---- gate -----------------------------------------------------------------------------------------------------------

/** The front asks for stubs of this Worker's entrypoints here, since props can be given to one's own alone. */
export class Gate extends WorkerEntrypoint {
  dispatch(props) {
    return this.ctx.exports.Dispatch({ props });
  }
}

let last; // the user Worker that was begun last, since the last sign of life

/** The last words of a process that hangs name who ran, and whether nobody else did. A line that says the same again says nothing. */
function lastWords(env, key) {
  if (key !== last) console.log(`${env.MARK}>${invocations.alone(key) ? "!" : ""} ${key}`);
  last = key;
}

/** What stands behind `get()` of a dispatch binding; props: `{namespace, outbound}`, or `{nested}` where it leads nowhere. */
export class Dispatch extends WorkerEntrypoint {
  async fetch(received) {
    const headers = new Headers(received.headers);
    const target = JSON.parse(headers.get(TARGET));
    headers.delete(TARGET);
    let script;
    try {
      script = await this.#find(target);
    } catch (error) {
      if (error instanceof Resting) return error.answer();
      throw error;
    }
    // What assets answer is no invocation: nothing of it runs.
    const answer = await answered(this.env, script, received);
    if (answer) return answer;
    const { entrypoint, invocation } = this.#begin(script, target);
    headers.set("cf-ray", invocation.ray);
    // Where the namespace is not trusted, `request.cf` is undefined.
    if (script.trusted) return entrypoint.fetch(received, { headers });
    // A new request, and no copy: it has no `cf`.
    const { method, url, signal } = received;
    const body = method === "GET" || method === "HEAD" ? null : received.body;
    // HTTP knows such requests with a body, `fetch()` does not.
    if (body === null) headers.delete("content-length");
    return entrypoint.fetch(url, { method, headers, body, signal, redirect: "manual" });
  }

  async call(target, method, values) {
    // They are no methods of RPC, and a request of this kind would carry a `cf-ray` of the caller's choice.
    if (method === "fetch" || method === "connect") throw new TypeError(`\`${method}\` cannot be called so`);
    const { entrypoint } = this.#begin(await this.#find(target), target, true);
    return entrypoint[method](...values);
  }

  async #find({ name, outbound }) {
    const { namespace, outbound: binding, nested } = this.ctx.props;
    // Two invocations in one trace could not be told apart.
    if (nested) throw new Error("a user Worker cannot invoke another one: one request holds one invocation");
    for (const parameter of Object.keys(outbound ?? {})) {
      if (!binding?.parameters.includes(parameter)) {
        throw new TypeError(
          `outbound parameter "${parameter}" is not declared; declare it in the binding's \`outbound.parameters\``,
        );
      }
    }
    const script = await isolates(this.env).current(namespace, name);
    if (!script) throw new Error("Worker not found.");
    return script;
  }

  #begin(script, { args, limits, outbound }, call = false) {
    const { env, ctx } = this;
    const isolate = isolates(env).of(script, roleOf(script, "user"), (bundle) => placed(env, ctx, script, bundle, "user"));
    const invocation = invocations.begin({
      isolate,
      script: script.key,
      call,
      outbound: ctx.props.outbound,
      parameters: outbound ?? {},
      subrequests: Math.min(limitOf(limits), script.subrequests ?? Infinity, MOST_SUBREQUESTS),
    });
    lastWords(env, script.key);
    return { entrypoint: isolate.entrypoint(script.main, { props: args, limits }), invocation };
  }
}

/** `limits.subRequests` of a `get()`. What is no number must not come to mean that there is no limit. */
function limitOf(limits) {
  const limit = limits?.subRequests ?? MOST_SUBREQUESTS;
  if (!Number.isSafeInteger(limit) || limit < 0) throw new TypeError("`limits.subRequests` must be a whole number");
  return limit;
}

/**
 * Where a Worker runs behind the gate. `role`: "user" for a user Worker, "tenant" for an account Worker that one reaches by
 * a service binding, "trusted" for the outbound Worker and those that it reaches: they are the operator's, and would meet
 * the outbound Worker again. "candidate" runs nothing but its top level.
 */
async function placed(env, ctx, script, bundle, role) {
  const trusted = role === "trusted";
  return {
    stubs: await stubs(bundle, {
      assets: () => ctx.exports.Assets({ props: { key: script.key, version: bundle.version } }),
      dispatch_namespace: ({ namespace, outbound }) =>
        ctx.exports.Dispatch({ props: trusted ? { namespace, outbound } : { nested: true } }),
      ...resources(ctx),
      service: ({ service, entrypoint }) =>
        ctx.exports.Service({ props: { service, entrypoint, role: trusted ? "trusted" : "tenant" } }),
    }),
    globalOutbound: trusted ? env.EGRESS : ctx.exports.Outbound({ props: {} }),
    // Any tail makes it traced. Who is reached by a service binding may be handed its caller's `cf-ray`, and ends nothing.
    tails: [
      ...(trusted ? [] : [role === "user" ? await env.LEDGER.over({ script: script.key, main: mainOf(bundle) }) : env.TAIL]),
      ...followers(env, ctx, script),
    ],
  };
}

/** The way out of user Workers. What is of no invocation goes nowhere. */
export class Outbound extends WorkerEntrypoint {
  async fetch(request) {
    const { env, ctx } = this;
    const invocation = invocations.current();
    if (!invocation) throw new Error("this request belongs to no invocation that the platform knows");
    if (++invocation.made > invocation.subrequests) {
      throw new Error("Too many subrequests by single Worker invocation.");
    }
    if (!invocation.outbound) return env.EGRESS.fetch(request);
    const { service, entrypoint } = invocation.outbound;
    const script = found(service, await isolates(env).current("account", service));
    // By the `!` decision records are known from what other Workers repeat.
    const marker = markerOf(env, script, "!");
    const place = async (bundle) => ({
      ...(await placed(env, ctx, script, bundle, "trusted")),
      tails: followers(env, ctx, script, marker),
      marker,
      parameters: true,
    });
    const props = { parameters: invocation.parameters, entrypoint };
    return isolates(env).of(script, roleOf(script, "outbound"), place).entrypoint("__TidegateOutbound", { props }).fetch(request);
  }
}

/** Tells those who follow a Worker what its invocations came to; props: `{key, version, marker}`. */
export class Follower extends WorkerEntrypoint {
  async tail(events) {
    const { key, version, marker } = this.ctx.props;
    for (const event of events) {
      const body = messageOf(event, version, marker);
      const headers = { "content-type": "application/json" };
      const answer = await this.env.CONTROL.fetch(`http://control/tail/${key}`, { method: "POST", headers, body });
      await answer.body?.cancel();
    }
  }
}

/** A tail for a Worker that somebody follows. */
function followers(env, ctx, script, marker = markerOf(env, script)) {
  const { key, version } = script;
  return script.followed ? [ctx.exports.Follower({ props: { key, version, marker } })] : [];
}

/** What a Worker is loaded with cannot change: one that is followed from now on is another isolate. */
function roleOf({ followed }, role) {
  return followed ? `${role}-followed` : role;
}

/** What begins every line that an account Worker logs. */
function markerOf(env, { key }, judges = "") {
  return `${env.MARK}${judges} ${key.slice("account/".length)} `;
}

const invocations = {
  byTrace: new Map(),
  byRay: new Map(),
  scripts: new Map(), // script → how many of its invocations are known; the one called last comes last
  lost: new Set(), // scripts of which an invocation was forgotten that may still run
  calls: new Map(), // script → `{rays, begun, over}`: its invocations by RPC, and how many began and are over

  begin(invocation) {
    invocation.trace = traceId();
    invocation.ray = `${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}-LOC`;
    invocation.made = 0;
    invocation.begun = Date.now();
    // Two invocations in one trace could not be told apart.
    if (this.byTrace.has(invocation.trace)) throw new Error("one trace cannot hold two invocations");
    if (this.byRay.size >= MOST_INVOCATIONS) this.makeRoom();
    this.byTrace.set(invocation.trace, invocation);
    this.byRay.set(invocation.ray, invocation);
    const { script } = invocation;
    const before = this.scripts.get(script) ?? 0;
    this.scripts.delete(script);
    this.scripts.set(script, before + 1);
    if (invocation.call) {
      if (!this.calls.has(script)) this.calls.set(script, { rays: new Set(), begun: 0, over: 0 });
      const calls = this.calls.get(script);
      calls.begun++;
      calls.rays.add(invocation.ray);
    }
    invocation.isolate.begin();
    return invocation;
  },

  current() {
    return this.byTrace.get(traceId());
  },

  /** Forgets those that are over. The front has none. */
  async settle(env) {
    if (this.byRay.size === 0) return;
    for (const { script, ray } of await env.LEDGER.take()) {
      if (ray === undefined) this.endCall(script);
      else if (this.byRay.get(ray)?.script === script) this.end(this.byRay.get(ray));
    }
  },

  end({ ray, trace, isolate, script }) {
    this.byRay.delete(ray);
    this.byTrace.delete(trace);
    this.calls.get(script)?.rays.delete(ray);
    const left = this.scripts.get(script) - 1;
    if (left > 0) this.scripts.set(script, left);
    else this.scripts.delete(script);
    isolate.end();
  },

  /** An RPC call has no `cf-ray` by which to tell which one is over: they end together, when all of a script's are. */
  endCall(script) {
    const calls = this.calls.get(script);
    if (!calls || ++calls.over < calls.begun) return;
    this.calls.delete(script);
    for (const ray of calls.rays) this.end(this.byRay.get(ray));
  },

  /** What it asks for from now on is refused. It may still run, though: whoever hangs is looked for among its like, too. */
  forget(invocation) {
    this.lost.add(invocation.script);
    this.end(invocation);
  },

  /** Forgets the oldest of the script that has the most, so that a script with invocations without end has its own forgotten. */
  makeRoom() {
    let [most, script] = [0];
    for (const [each, known] of this.scripts) if (known > most) [most, script] = [known, each];
    for (const invocation of this.byRay.values()) if (invocation.script === script) return this.forget(invocation);
  },

  /** The user Workers with an invocation that may be under way, the one called last first. */
  running() {
    return [...new Set([...[...this.scripts.keys()].reverse(), ...this.lost])];
  },

  /** Whether no script but this one has an invocation that may be under way. */
  alone(script) {
    return this.scripts.size === 1 && (this.lost.size === 0 || (this.lost.size === 1 && this.lost.has(script)));
  },

  /** The oldest come first. */
  sweep() {
    for (const invocation of this.byRay.values()) {
      if (Date.now() - invocation.begun < FORGOTTEN) break;
      this.forget(invocation);
    }
  },
};

function traceId() {
  return tracing.getActiveSpan().spanContext().traceId;
}

// ---- all ------------------------------------------------------------------------------------------------------------

/** Stubs of those bindings for which there must be one. */
async function stubs(bundle, make) {
  const made = {};
  for (const binding of bundle.bindings) {
    if (binding.type in make) made[binding.name] = await make[binding.type](binding);
  }
  return made;
}

/** What bindings are made of that are the same wherever a Worker runs. */
function resources(ctx) {
  return {
    analytics_engine: ({ dataset }) => ctx.exports.Analytics({ props: { dataset } }),
    d1: ({ database_id }) => ctx.exports.D1({ props: { id: database_id } }),
    kv_namespace: ({ namespace_id }) => ctx.exports.Kv({ props: { id: namespace_id } }),
    ratelimit: ({ namespace_id, limit, period }) =>
      ctx.exports.RateLimit({ props: { namespace: namespace_id, limit, period } }),
  };
}

/** A KV namespace; props: `{id}`. */
export class Kv extends WorkerEntrypoint {
  fetch(request) {
    const { pathname, search } = new URL(request.url);
    return this.env.CONTROL.fetch(new Request(`http://control/kv/${this.ctx.props.id}${pathname}${search}`, request));
  }
}

/** A dataset of the Analytics Engine; props: `{dataset}`. */
export class Analytics extends WorkerEntrypoint {
  fetch(request) {
    return this.env.CONTROL.fetch(new Request(`http://control/analytics/${this.ctx.props.dataset}`, request));
  }
}

/** A rate limit; props: `{namespace, limit, period}`. The body is a key. */
export class RateLimit extends WorkerEntrypoint {
  async fetch(request) {
    const body = JSON.stringify({ ...this.ctx.props, key: await request.text() });
    const headers = { "content-type": "application/json" };
    return this.env.CONTROL.fetch("http://control/ratelimit", { method: "POST", headers, body });
  }
}

/** A D1 database; props: `{id}`. */
export class D1 extends WorkerEntrypoint {
  fetch(request) {
    return this.env.CONTROL.fetch(new Request(`http://control/d1/${this.ctx.props.id}`, request));
  }
}

/** An account Worker behind a service binding; props: `{service, entrypoint, role}`. Any method is passed on. */
export class Service extends WorkerEntrypoint {
  constructor(ctx, env) {
    super(ctx, env);
    return new Proxy(this, {
      get(self, property) {
        // Were there a method of that name, raw connections would be taken, and lead nowhere.
        if (property === "connect") return undefined;
        if (typeof property === "symbol" || property in self) return Reflect.get(self, property);
        return async (...values) => reached(self, await scriptOf(self))[property](...values);
      },
    });
  }

  async fetch(request) {
    const script = await scriptOf(this);
    // Assets are at the door of a Worker; a named entrypoint is behind it.
    const answer = this.ctx.props.entrypoint ? undefined : await answered(this.env, script, request);
    return answer ?? reached(this, script).fetch(request);
  }
}

async function scriptOf({ env, ctx }) {
  const { service } = ctx.props;
  return found(service, await isolates(env).current("account", service));
}

/** What a service binding reaches. `role`: what called it, and so what stands between it and the way out. */
function reached({ env, ctx }, script) {
  const { entrypoint, role } = ctx.props;
  if (role === "account") return accountWorker(env, ctx, script, entrypoint);
  return isolates(env).of(script, roleOf(script, role), (bundle) => placed(env, ctx, script, bundle, role)).entrypoint(entrypoint);
}

function found(name, worker) {
  if (!worker) throw new Error(`the Worker \`${name}\` does not exist`);
  return worker;
}

/** What the supervisor says, over a unix socket. */
export class Admin extends WorkerEntrypoint {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/ping") {
      await invocations.settle(this.env);
      invocations.sweep();
      isolates(this.env).sweep();
      last = undefined;
      return Response.json({ running: invocations.running() });
    }
    if (pathname === "/changes") {
      const changes = await request.json();
      if (changes.some(({ key }) => key.startsWith("account/"))) entrances = new Map();
      isolates(this.env).changed(changes);
      return new Response(null, { status: 204 });
    }
    return new Response(null, { status: 404 });
  }
}

/** Starts what was uploaded, over a unix socket: `POST /{id of the candidate}`. */
export class Check extends WorkerEntrypoint {
  async fetch(request) {
    const { env, ctx } = this;
    const { pathname } = new URL(request.url);
    const { bundle } = await fetchWorker(env, `/candidate${pathname}`);
    const script = { key: "candidate", version: "candidate" };
    const place = { ...(await placed(env, ctx, script, bundle, "candidate")), tails: undefined, globalOutbound: null };
    const begun = Date.now();
    const stub = env.LOADER.get(crypto.randomUUID(), async () => codeOf(bundle, place));
    const control = stub.getEntrypoint("__TidegateControl");
    try {
      const { handlers, named } = await control.describe();
      const startup = Date.now() - begun;
      return Response.json({ started: { startup_time_ms: startup, handlers, named_handlers: named } });
    } catch (error) {
      return Response.json({ message: String(error?.message ?? error) });
    } finally {
      // Accepted or not, nothing of it stays to disturb the next one.
      control.evict().catch(() => {});
    }
  }
}
