// Bindings that the runtime cannot pass as they are: it passes a stub, and these are made around it.

/** Carries what `get()` was called with to the platform, which takes it off again. */
const TARGET = "x-tidegate-target";

export class DynamicDispatcher {
  #stub;

  constructor(stub) {
    this.#stub = stub;
  }

  get(name, args = {}, options = {}) {
    const stub = this.#stub;
    const { limits, outbound } = options ?? {};
    // JSON has no NaN: it would become `null`, and that is no limit.
    const limit = limits?.subRequests ?? 0;
    if (!Number.isSafeInteger(limit) || limit < 0) throw new TypeError("`limits.subRequests` must be a whole number");
    const target = { name: String(name), args, limits, outbound };
    return new Proxy(Object.create(null), {
      get(_, property) {
        // Whoever awaits this must not take it for a promise.
        if (property === "then" || typeof property === "symbol") return undefined;
        if (property === "fetch") {
          return (input, init) => {
            const request = input instanceof Request && init === undefined ? input : new Request(input, init);
            const headers = new Headers(request.headers);
            headers.set(TARGET, ascii(JSON.stringify(target)));
            return stub.fetch(request, { headers });
          };
        }
        return (...values) => stub.call(target, property, values);
      },
    });
  }
}

/** A header holds Latin-1 alone. */
function ascii(json) {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export class KvNamespace {
  #stub;

  constructor(stub) {
    this.#stub = stub;
  }

  async get(key, options) {
    if (Array.isArray(key)) return this.#many(key, (each) => this.get(each, options));
    return (await this.getWithMetadata(key, options)).value;
  }

  async getWithMetadata(key, options) {
    if (Array.isArray(key)) return this.#many(key, (each) => this.getWithMetadata(each, options));
    const type = (typeof options === "string" ? options : options?.type) ?? "text";
    if (!["text", "json", "arrayBuffer", "stream"].includes(type)) {
      throw new TypeError(
        'Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".',
      );
    }
    const answer = await this.#ask("GET", `/value/${path(key)}`);
    if (answer.status === 404) return { value: null, metadata: null, cacheStatus: null };
    await good("GET", answer);
    const metadata = JSON.parse(decodeURIComponent(answer.headers.get("kv-metadata") ?? "null"));
    const value = type === "stream" ? answer.body : await answer[type]();
    return { value, metadata, cacheStatus: null };
  }

  async put(key, value, options = {}) {
    const headers = new Headers();
    if (options?.expiration !== undefined) headers.set("kv-expiration", String(options.expiration));
    if (options?.expirationTtl !== undefined) headers.set("kv-expiration-ttl", String(options.expirationTtl));
    if (options?.metadata !== undefined) {
      headers.set("kv-metadata", encodeURIComponent(JSON.stringify(options.metadata)));
    }
    const bytes = await new Response(value).arrayBuffer();
    await good("PUT", await this.#ask("PUT", `/value/${path(key)}`, { headers, body: bytes }));
  }

  async delete(key) {
    await good("DELETE", await this.#ask("DELETE", `/value/${path(key)}`));
  }

  async list({ prefix, limit, cursor } = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ prefix, limit, cursor })) {
      if (value !== undefined && value !== null) query.set(name, value);
    }
    const answer = await this.#ask("GET", `/keys?${query}`);
    await good("GET", answer);
    return { ...(await answer.json()), cacheStatus: null };
  }

  async #many(keys, get) {
    return new Map(await Promise.all(keys.map(async (key) => [key, await get(key)])));
  }

  #ask(method, path, init) {
    return this.#stub.fetch(`http://kv${path}`, { method, ...init });
  }
}

function path(key) {
  if (key === undefined || key === null || key === "") throw new TypeError("Key name cannot be empty.");
  if (key === "." || key === "..") throw new TypeError(`"${key}" is not allowed as a key name.`);
  return encodeURIComponent(String(key));
}

async function good(method, answer) {
  if (!answer.ok) throw new Error(`KV ${method} failed: ${answer.status} ${await answer.text()}`);
}

/** Puts a key in the place of what it is made of, which the Worker never sees. */
export async function importKey(env, name) {
  const { algorithm, format, usages, data } = env[name];
  delete env[name];
  try {
    const key = format === "jwk" ? JSON.parse(data) : Uint8Array.from(atob(data), (unit) => unit.charCodeAt(0));
    env[name] = await crypto.subtle.importKey(format, key, algorithm, false, usages);
  } catch (error) {
    throw new Error(`binding "${name}" is no key that can be imported: ${error.message}`);
  }
}

/** There is no cache here: nothing is found in one, and what is put there is dropped. */
export function quietCaches() {
  const cache = {
    async match() {},
    async put(_, response) {
      await response.body?.cancel();
    },
    async delete() {
      return false;
    },
  };
  const caches = { default: cache, open: async () => cache };
  Object.defineProperty(globalThis, "caches", { value: caches, configurable: true, writable: true });
}

/** Begins every line of the console with a word that other Workers do not know. */
export function mark(marker) {
  for (const level of ["debug", "error", "info", "log", "warn"]) {
    const write = console[level].bind(console);
    console[level] = (first, ...rest) =>
      typeof first === "string" ? write(`${marker}${first}`, ...rest) : write(marker, first, ...rest);
  }
}
