//! One request and its answer, on the JavaScript side.
//!
//! What a call between JavaScript and Wasm costs is not the call, which takes some nanoseconds, but what goes with it: a text is
//! copied into another encoding, an object gets a place in a table, and each getter and constructor of the runtime is a call
//! into C++. An outbound Worker that asks for one thing after the other makes over forty such calls a request, and they cost
//! more than all that is decided. So each side tells the other all it knows at once, and does what is cheap
//! there:
//!
//! ```text
//!   JavaScript                                        Wasm
//!   ──────────                                        ────
//!                                                     fetch(request, env)
//!   see     method, URL, headers, identity,  ◀──────
//!           time, a decision id              ───text──▶ judge, oblige, take or sign the token
//!   build   a new request                    ◀──text───
//!           what the runtime thinks of it    ─────────▶ the decision record
//!   log                                      ◀──line───
//!   send    to the upstream                  ◀─────────
//!           an answer to which nothing is done is handed on as it is; where a credential went out and may come back,
//!           its headers are looked through in Wasm ([`crate::answer`])
//! ```
//!
//! # What is on which side
//! What needs the policy or a secret is in Rust; JavaScript reads, builds, sends and hands on. It reads each thing once: what
//! is judged is the text that it wrote, and what goes out is made of what it wrote and of the text that came back, not of the
//! tenant's request again, but for its body, a stream that nobody reads. That text says only what is another than it was: a URL that is
//! not canonical, headers that rules set. A header that passes is a number, its place among those that were seen. What is not
//! named does not leave: `request.cf` (a tenant's `resolveOverride` or cache key), the tenant's redirect and cache modes, headers that
//! hygiene drops. Redirects are `manual`, so
//! that the tenant's own `fetch` follows them and every hop comes back here to be judged.
//!
//! Headers are appended one by one to those that the new request has: others would be copied into it, and `new Headers(pairs)` asks
//! the runtime to walk iterators of iterators and takes six times as long.
//!
//! # What fails
//! `see` and `build` may throw, for the runtime is in them, and Rust makes a refusal of it: `build` makes the whole request that goes
//! out, so none is recorded as allowed that the runtime does not take, or whose URL it reads in another way. `send` makes a 502 of what fails,
//! and no call of Wasm is inside a `try` of its: what ends an instance must not pass for an exception ([`crate::instance`]).
//! It is `async`, so that whatever it throws is its promise's: an exception would go through Rust and end the instance for all.
//!
//! # What stays
//! Nothing in Wasm. A tenant may hang up; the runtime then drops its request, and nothing is called any more. A future of Rust that awaited
//! the answer would stay for as long as the instance lives, with all that it holds on to, and a tenant could fill the memory that
//! it shares with the others. The answer is awaited in JavaScript, where the secrets that must not come back with it wait, too: of these
//! it looks at the length, and at nothing else. An exchange goes where its promise goes.

use js_sys::Promise;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(inline_js = r##"
export class Exchange {
  #request;
  #env;
  #seen;
  #outgoing;
  #hidden;

  constructor(request, env) {
    this.#request = request;
    this.#env = env;
    this.decision = uniqueId();
  }

  // All that is judged. `paths` says where the identity stands in the environment.
  see(paths) {
    const { method, url, headers } = this.#request;
    const seen = { method, url, headers: pairs(headers) };
    this.#seen = seen;
    const [customer, tags, vars] = identity(this.#env, paths);
    const now = Math.floor(Date.now() / 1000);
    return JSON.stringify([this.decision, now, method, url, seen.headers, customer, tags, vars]);
  }

  // A text of the environment, as it stands there for this request.
  secret(name) {
    return text(own(this.#env, name)) ?? undefined;
  }

  // Builds what goes out: of what was seen, where the verdict leaves it as it was or names it by its number. Returns what is
  // wrong with it, if something is.
  build(verdict) {
    const seen = this.#seen;
    const { url = seen.url, method = seen.method, no_store, headers, hidden } = JSON.parse(verdict);
    const outgoing = new Request(url, init(method, no_store, this.#request));
    if (outgoing.url !== url) return "the runtime reads the URL in another way than it was judged";
    append(outgoing.headers, headers, seen.headers);
    this.#outgoing = outgoing;
    this.#hidden = hidden;
  }

  // Sends what was built.
  async send() {
    const hidden = this.#hidden;
    let answer;
    try {
      answer = await fetch(this.#outgoing);
    } catch (error) {
      // The log gets the runtime's own words ("Network connection lost."), and nothing that they may quote.
      const message = error instanceof Error ? error.message : "";
      const shown = hidden && lookThrough(JSON.stringify([hidden, [message, []]]));
      const [text] = shown === undefined ? [message] : JSON.parse(shown || '[""]');
      return this.#noAnswer(`\`fetch\` failed: ${text.split("?", 1)[0]}`);
    }
    const { fault, head } = look(answer, hidden);
    if (fault) return this.#noAnswer(fault);
    const shown = head && (hidden ? lookThrough(JSON.stringify([hidden, head])) : JSON.stringify(head));
    if (shown === undefined) return answer;
    try {
      return changed(answer, JSON.parse(shown));
    } catch (error) {
      return this.#noAnswer(`the answer cannot be passed on: ${kind(error)}`);
    }
  }

  // The answer to a request that goes nowhere. Should the runtime refuse to build it, the tenant's `fetch` fails as if
  // there were no network.
  refuse(status, reason, problem) {
    try {
      return new Response(problem, {
        status,
        headers: {
          "content-type": "application/problem+json",
          "cache-control": "no-store",
          "tidegate-decision": this.decision,
          "tidegate-reason": reason,
        },
      });
    } catch {
      return Response.error();
    }
  }

  // The request was allowed, went out, and no answer came. Not a refusal: the reason is none of a decision's.
  #noAnswer(error) {
    const { decision } = this;
    console.log(JSON.stringify({ event: "upstream-failed", decision, error }));
    const [status, reason] = [502, "upstream-failed"];
    const detail = "the request was allowed, but no usable answer came from the upstream";
    const problem = { type: "about:blank", title: "Bad Gateway", status, reason, rule: null, detail, decision };
    return this.refuse(status, reason, JSON.stringify(problem));
  }
}

// What a request that goes out is made with, beside its headers. Of a plain object the runtime looks for some twenty properties,
// one by one; a request that stands for it costs a third of that. Of those without a body there are four kinds, with
// nothing of a tenant's in them.
function init(method, noStore, request) {
  const init = () => (noStore ? { method, redirect: "manual", cache: "no-store" } : { method, redirect: "manual" });
  if (method !== "GET" && method !== "HEAD") return { ...init(), body: request.body };
  const kind = noStore ? `${method} no-store` : method;
  if (!BODILESS.has(kind)) BODILESS.set(kind, new Request("https://any.invalid/", init()));
  return BODILESS.get(kind);
}

const BODILESS = new Map();

// An id that nobody can guess (122 bits of the runtime's randomness).
export function uniqueId() {
  try {
    return crypto.randomUUID();
  } catch {
    return "";
  }
}

// Names and values of headers, as they are judged: names in lower case, each `set-cookie` on its own, others joined.
function pairs(headers) {
  const pairs = [];
  for (const pair of headers) pairs.push(pair);
  return pairs;
}

// The reverse, into headers that are there. A number stands for one of those that were seen.
function append(headers, pairs, seen) {
  for (let at = 0; at < pairs.length; at++) {
    const pair = typeof pairs[at] === "number" ? seen[pairs[at]] : pairs[at];
    headers.append(pair[0], pair[1]);
  }
}

// Who a request says that it belongs to: customer, tags, variables. What cannot be read names nobody.
function identity(env, paths) {
  try {
    if (paths) return [text(follow(env, paths.customer)), tags(follow(env, paths.tags)), vars(follow(env, paths.vars))];
  } catch {}
  return [null, null, null];
}

// A path that the policy does not declare, or that leads nowhere.
const ABSENT = Symbol();

function follow(env, path) {
  // A structured clone of a parsed JSON text can own even these; nobody means them as a parameter.
  if (!path || path.includes("__proto__") || path.includes("constructor")) return ABSENT;
  return path.reduce(own, env);
}

// An own property of an object; what an object inherits was written by nobody.
function own(object, name) {
  return typeof object === "object" && object !== null && Object.hasOwn(object, name) ? object[name] : ABSENT;
}

// A string. Lone surrogates would become U+FFFD on their way to Rust: two names would be one.
function text(value) {
  return typeof value === "string" && value.isWellFormed() ? value : null;
}

// A string, or a list of strings.
function tags(value) {
  if (!Array.isArray(value)) return text(value);
  const items = Array.from(value, text);
  return items.includes(null) ? null : items;
}

// Names and values of an object of strings, and of nothing else; none where there is nothing.
function vars(value) {
  if (value === ABSENT) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const pairs = Reflect.ownKeys(value).map((name) => [text(name), text(value[name])]);
  return pairs.every(([name, value]) => name !== null && value !== null) ? pairs : null;
}

// What is wrong with an answer, or its head where that may have to be another: for Rust to look through where a credential went
// out, otherwise as the tenant sees it.
function look(answer, hidden) {
  try {
    const fault = unfit(answer);
    if (fault) return { fault };
    if (hidden) return { head: mayShow(answer, hidden) ? [answer.statusText, pairs(answer.headers)] : undefined };
    return { head: speaksAsUs(answer) ? withoutOurs(answer) : undefined };
  } catch (error) {
    return { fault: `the answer cannot be read: ${kind(error)}` };
  }
}

// Why an answer is none.
function unfit(answer) {
  if (!(answer instanceof Response)) return "`fetch` gave something that is no `Response`";
  // Handed on as it is, it would reach the tenant with a status that no `Response` can be made with.
  const { status } = answer;
  const fits = (status >= 200 && status <= 599) || (status === 101 && answer.webSocket);
  return fits ? undefined : "the answer cannot be passed on: its status is none";
}

// Whether an answer may show what must not come back. However a secret is encoded, what holds it is no shorter.
function mayShow(answer, [secrets]) {
  const shortest = Math.min(...secrets.map((secret) => secret.length));
  if (answer.statusText.length >= shortest) return true;
  for (const [name, value] of answer.headers) {
    if (value.length >= shortest || isOurs(name) || name === "set-cookie" || name === "set_cookie") return true;
  }
  return false;
}

// Whether an upstream speaks as only this Worker may. CGI and its children read `tidegate_x` as `tidegate-x`.
function speaksAsUs(answer) {
  for (const name of answer.headers.keys()) if (isOurs(name)) return true;
  return false;
}

// For answers that never pass through Wasm what `hygiene::answer_passes` says of the others.
function isOurs(name) {
  return name.startsWith("tidegate") && (name[8] === "-" || name[8] === "_");
}

function withoutOurs(answer) {
  return [answer.statusText, pairs(answer.headers).filter(([name]) => !isOurs(name))];
}

// An answer with another head. Its body is a stream that nobody reads.
function changed(answer, [statusText, headers]) {
  const { status, webSocket } = answer;
  const init = { status, statusText };
  if (webSocket) init.webSocket = webSocket;
  // Statuses that have no body (WHATWG Fetch, "null body status"): a `Response` of them must not be given one.
  const shown = new Response([101, 204, 205, 304].includes(status) ? null : answer.body, init);
  append(shown.headers, headers);
  return shown;
}

// What the tenant sees of an answer, if that is something else. It is Rust's (`answer.rs`).
let lookThrough;

export function lookThroughBy(look) {
  lookThrough = look;
}

// A line for the operator.
export function log(line) {
  console.log(line);
}

// For the log: not the message, which may quote a header's value or a query.
export function kind(error) {
  return error instanceof Error ? error.name : "an exception that is no `Error`";
}
"##)]
extern "C" {
    /// A request of a tenant's, and all that becomes of it.
    pub(crate) type Exchange;

    #[wasm_bindgen(constructor)]
    pub(crate) fn new(request: &JsValue, env: &JsValue) -> Exchange;

    /// What the tenant and the operator know this request by.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn decision(this: &Exchange) -> String;

    /// All that is judged, for [`crate::received::Received::read`].
    #[wasm_bindgen(method, catch)]
    pub(crate) fn see(this: &Exchange, paths: &JsValue) -> Result<String, JsValue>;

    /// An own text of the environment.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn secret(this: &Exchange, name: &str) -> Result<Option<String>, JsValue>;

    /// Makes the request that goes out; says what is wrong with it, if something is.
    #[wasm_bindgen(method, catch)]
    pub(crate) fn build(this: &Exchange, verdict: &str) -> Result<Option<String>, JsValue>;

    /// Sends what was built. The promise is one of the answer that the tenant gets.
    #[wasm_bindgen(method)]
    pub(crate) fn send(this: &Exchange) -> Promise;

    /// An answer made here.
    #[wasm_bindgen(method)]
    pub(crate) fn refuse(this: &Exchange, status: u16, reason: &str, problem: &str) -> JsValue;

    /// From now on answers are looked through by this, of whichever instance their requests were.
    #[wasm_bindgen(js_name = lookThroughBy)]
    pub(crate) fn look_through_by(look: &Closure<dyn Fn(JsValue) -> JsValue>);

    /// An id that nobody can guess.
    #[wasm_bindgen(js_name = uniqueId)]
    pub(crate) fn unique_id() -> String;

    /// A line for the operator. As a text it takes no place in the table of objects.
    pub(crate) fn log(line: &str);

    /// The kind of an exception, for the log.
    fn kind(thrown: &JsValue) -> String;
}

/// For the log: what failed, and the kind of exception. Not its message, which may quote a header's value or a query.
pub(crate) fn failed(what: &str, thrown: &JsValue) -> String {
    format!("{what}: {}", kind(thrown))
}
