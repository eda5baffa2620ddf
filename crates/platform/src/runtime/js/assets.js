// Static assets: the control plane finds and reads the files, and says how they are served. This passes requests on to
// it, and its answers back, as they are.

import { WorkerEntrypoint } from "cloudflare:workers";

/** Of what a client says, this matters. */
const PASSED = ["if-none-match", "if-range", "range"];

/** The control plane answers so, and no file is served so, where the Worker's code is to answer. */
const CODE = 204;

/** What stands behind a binding of static assets; props: `{key, version}`. */
export class Assets extends WorkerEntrypoint {
  fetch(request) {
    const { key, version } = this.ctx.props;
    return ask(this.env, key, version, "directly", request);
  }
}

/**
 * What assets answer to a request that comes to a Worker from outside, or `undefined` if its code is to answer.
 * `script.assets` is `undefined`, or says when they are asked.
 */
export async function answered(env, script, request) {
  switch (script.assets) {
    case "before_code": {
      const answer = await ask(env, script.key, script.version, "before_code", request);
      if (answer.status !== CODE) return answer;
      await answer.body?.cancel();
      return undefined;
    }
    case "only":
      return ask(env, script.key, script.version, "directly", request);
    default:
      return undefined;
  }
}

/** The request's body stays unread, and its URL is a header: no path of a client is one of the control plane. */
function ask(env, key, version, asked, request) {
  const headers = new Headers({ "x-method": request.method, "x-url": new URL(request.url).href });
  for (const name of PASSED) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  if (request.headers.has("authorization")) headers.set("x-authorized", "1");
  if (request.headers.get("sec-fetch-mode") === "navigate") headers.set("x-navigates", "1");
  const method = request.method === "HEAD" ? "HEAD" : "GET";
  return env.CONTROL.fetch(`http://control/assets/${key}/${version}/${asked}`, { method, headers, redirect: "manual" });
}
