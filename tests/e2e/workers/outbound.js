// Stands before the outbound Worker, whose modules lie beside this one, unchanged: says on each answer which isolate it
// comes from.

import { WorkerEntrypoint } from "cloudflare:workers";
import Outbound from "./index.js";

// Made at the first request, since a Worker has no randomness before; two isolates can never have the same.
let isolate;

export default class extends WorkerEntrypoint {
  async fetch(request) {
    isolate ??= crypto.randomUUID();
    const answer = await Outbound.fetch(request, this.env, this.ctx);
    if (answer.webSocket) return answer;
    const stamped = new Response(answer.body, answer);
    stamped.headers.set("x-harness-isolate", isolate);
    return stamped;
  }
}
