// Stands where Workers for Platforms stands: puts the outbound parameters of each request into the `env` of the
// outbound Worker, whose modules lie beside this one, unchanged. One isolate serves all customers.
//
// The parameters of a request arrive as the props of the customer's `globalOutbound`.

import { WorkerEntrypoint } from "cloudflare:workers";
import Outbound from "./index.js";

// Made at the first request, since a Worker has no randomness before; two isolates can never have the same.
let isolate;

export default class extends WorkerEntrypoint {
  async fetch(request) {
    isolate ??= crypto.randomUUID();
    const outbound = new Outbound(this.ctx, { ...this.env, ...this.ctx.props });
    const answer = await outbound.fetch(request);
    if (answer.webSocket) return answer;
    const stamped = new Response(answer.body, answer);
    stamped.headers.set("x-harness-isolate", isolate);
    return stamped;
  }
}
