// Which version of a script is current, and the isolates that run them.
//
// The control plane says what is current when it is asked, and tells of each change. An isolate's id names role, script
// and version, so that a new version is a new isolate while the old one finishes what it has begun.

import { codeOf, mainOf } from "./code.js";

/** The control plane as a Worker sees it: any host does. */
const CONTROL = "http://control";

export class Isolates {
  #env;
  #most;
  #scripts = new Map(); // key → what is known of the script
  #isolates = new Map(); // id → isolate, least recently used first
  #changes = 0; // how often changes came in
  #made = 0;

  /** `most`: as many isolates as may be kept while nothing runs in them. */
  constructor(env, most) {
    this.#env = env;
    this.#most = most;
  }

  /** The current version of a script, or `undefined`. */
  async current(scope, name) {
    // A name is whatever a client asked for: it stays one segment, and what is no name names nothing.
    const key = `${scope}/${encodeURIComponent(name)}`;
    const known = this.#scripts.get(key);
    if (known) return known;
    const asked = this.#changes;
    const found = await fetchWorker(this.#env, `/worker/${key}`);
    // Names are the clients' choice: what does not exist is not kept.
    if (!found) return undefined;
    const script = { key, ...found };
    // A change that came in meanwhile may be of this script, and the answer older than it: it serves this request,
    // which came before the change was acknowledged, and is not kept.
    if (this.#changes === asked) this.#scripts.set(key, script);
    return script;
  }

  /** What the control plane says: `{key, version}`. The next request loads what is current. */
  changed(changes) {
    this.#changes++;
    for (const { key, version } of changes) {
      this.#scripts.delete(key);
      for (const isolate of this.#isolates.values()) {
        if (isolate.key === key && isolate.version !== version) isolate.replaced ??= Date.now();
      }
    }
    this.sweep();
  }

  /**
   * The isolate of a script's version in a role. `place(bundle)` says what its bindings and its way out are. Where ends
   * are told, call `begin()` and `end()`: what runs is never evicted.
   */
  of(script, role, place) {
    const base = `${role}.${script.key.replace("/", ".")}.${script.version}`;
    let isolate = this.#isolates.get(base);
    if (isolate) {
      // It is the most recently used now.
      this.#isolates.delete(base);
    } else {
      isolate = new Isolate(this.#env.LOADER, `${base}.${this.#made++}`, script);
    }
    this.#isolates.set(base, isolate);
    isolate.code = async () => {
      try {
        const { bundle } = script.bundle ? script : await this.#again(script);
        script.bundle = undefined;
        return codeOf(bundle, await place(bundle));
      } catch (error) {
        // A failure stays with its id for ever: the next request must meet another.
        if (this.#isolates.get(base) === isolate) this.#isolates.delete(base);
        throw error;
      }
    };
    if (this.#isolates.size > this.#most) this.sweep();
    return isolate;
  }

  /** The code of a version that was loaded before; if it is gone by now, of the one that took its place. */
  async #again({ key, version }) {
    const again = (await fetchWorker(this.#env, `/version/${key}/${version}`)) ?? (await fetchWorker(this.#env, `/worker/${key}`));
    if (!again) throw new Error("Worker not found.");
    return again;
  }

  /** Ends isolates in which nothing runs: of replaced versions, and the least recently used beyond what may be kept. */
  sweep() {
    let over = this.#isolates.size - this.#most;
    for (const [base, isolate] of this.#isolates) {
      if (isolate.busy() || (over <= 0 && isolate.replaced === undefined)) continue;
      this.#isolates.delete(base);
      over--;
      isolate.evict();
    }
  }
}

/** As long as an isolate whose requests nobody counts may finish them after it was replaced. */
const GRACE = 5 * 60_000;

class Isolate {
  code; // what the loader calls if it does not have it yet
  counted = false; // whether `begin` and `end` are called
  replaced; // when another version took its place
  #running = 0;
  #loader;
  #id;

  constructor(loader, id, { key, version }) {
    this.#loader = loader;
    // Evicting changes the id, or a new request would meet the isolate that is about to end.
    this.#id = id;
    this.key = key;
    this.version = version;
  }

  entrypoint(name, options) {
    return this.#loader.get(this.#id, () => this.code()).getEntrypoint(name, options);
  }

  begin() {
    this.counted = true;
    this.#running++;
  }

  end() {
    this.#running--;
  }

  busy() {
    if (this.counted) return this.#running > 0;
    return this.replaced === undefined || Date.now() - this.replaced < GRACE;
  }

  evict() {
    // The call never answers: the isolate that would do it is gone.
    this.entrypoint("__TidegateControl").evict().catch(() => {});
  }
}

/** The script is not run for a while. */
export class Resting extends Error {
  #seconds;

  constructor(message, seconds) {
    super(message);
    this.#seconds = seconds;
  }

  answer() {
    return new Response(this.message, { status: 503, headers: { "retry-after": this.#seconds } });
  }
}

/**
 * A Worker from the control plane, or `undefined`: a length (32 bits, big-endian), a JSON object of that many bytes, and
 * the bytes of its modules one after another.
 */
export async function fetchWorker(env, path) {
  const answer = await env.CONTROL.fetch(CONTROL + path);
  if (answer.status === 404) {
    await answer.body?.cancel();
    return undefined;
  }
  if (answer.status === 503) throw new Resting(await answer.text(), answer.headers.get("retry-after"));
  if (answer.status !== 200) throw new Error(`the control plane answered ${answer.status}: ${await answer.text()}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const length = new DataView(bytes.buffer).getUint32(0);
  const bundle = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let offset = 4 + length;
  for (const module of bundle.modules) {
    module.content = bytes.subarray(offset, (offset += module.size));
  }
  const { version, trusted, followed, subrequests } = bundle;
  return { version, trusted, followed, subrequests, main: mainOf(bundle), bundle };
}
