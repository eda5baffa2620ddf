// Which invocations of user Workers are over: told by the runtime at the end of each, asked for by the gate now and then.
//
// A Worker of its own, and untraced: were it the gate that is told, each telling would be an invocation of a traced
// Worker, with an end to be told in turn.

import { WorkerEntrypoint } from "cloudflare:workers";

let over = [];

export default {
  tail(events) {
    for (const event of events) {
      const ray = event.event?.request?.headers?.["cf-ray"];
      if (ray) over.push(ray);
    }
  },
};

export class Ledger extends WorkerEntrypoint {
  /** The `cf-ray` of each invocation that ended since this was last called. */
  take() {
    const taken = over;
    over = [];
    return taken;
  }
}
