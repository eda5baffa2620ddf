// Redefines what it can, at the top level, and keeps what passes through.
import { WorkerEntrypoint, RpcTarget, RpcStub } from "cloudflare:workers";

const stolen = [];
const keep = (value) => {
  try {
    stolen.push(typeof value === "object" && value !== null ? Reflect.ownKeys(value).map(String).join() : String(value));
  } catch {}
};
const original = { apply: Reflect.apply, define: Object.defineProperty, response: Response, stringify: JSON.stringify };
let redefined = 0;

/** Wraps a method: what it is called with is kept. */
const wrap = (object, name) => {
  try {
    const method = object[name];
    if (typeof method !== "function" || name === "constructor") return;
    object[name] = function (...values) {
      for (const value of values) keep(value);
      return new.target ? new method(...values) : original.apply(method, this, values);
    };
    redefined++;
  } catch {}
};
const prototypes = [Array, Map, Set, WeakMap, Promise, Function, String, RegExp, Headers, Request, Response, URL, URLSearchParams,
  TextEncoder, TextDecoder, ReadableStream, WritableStream, TransformStream, EventTarget, Event, AbortController, WebSocket,
  WorkerEntrypoint, RpcTarget, RpcStub];
for (const { prototype } of prototypes) {
  for (const name of Object.getOwnPropertyNames(prototype ?? {})) {
    if (name !== "apply" && name !== "push" && name !== "join" && name !== "map") wrap(prototype, name);
  }
}
for (const object of [JSON, Object, Reflect, Math, console, Symbol]) {
  for (const name of Object.getOwnPropertyNames(object)) {
    if (!["ownKeys", "apply", "stringify", "iterator", "asyncIterator"].includes(name)) wrap(object, name);
  }
}
for (const name of ["polluted", "then", "toJSON", "cf", "redirect", "headers", "method", "props", "limits", "outbound", "env", "ctx"]) {
  try {
    original.define(Object.prototype, name, {
      get() {
        keep(this);
        return undefined;
      },
      set(value) {
        keep(value);
      },
      configurable: true,
    });
    redefined++;
  } catch {}
}
for (const name of ["fetch", "Response", "Request", "Headers", "Promise", "WebSocket", "URL", "Proxy", "queueMicrotask", "setTimeout", "structuredClone"]) {
  const native = globalThis[name];
  globalThis[name] = class Redefined {
    constructor(...values) {
      values.forEach(keep);
      return Reflect.construct(native, values);
    }
  };
  redefined++;
}
original.define(globalThis, "console", { value: new Proxy({}, { get: () => keep }), configurable: true });

export default {
  async fetch(request, env) {
    keep(env);
    keep(this);
    const { pathname } = new URL(request.url);
    if (pathname === "/throw") throw new Proxy(new Error("x"), { get: () => () => keep });
    if (pathname === "/kv") {
      await env.KV.put("k", "v");
      await env.KV.get("k");
      return new original.response("kv");
    }
    return new original.response(`redefined ${redefined}: ${stolen.join("\n")}`);
  },
};
