// Which invocations of user Workers are over: told by the runtime at the end of each, asked for by the gate now and then.
//
// A Worker of its own, and untraced: were it the gate that is told, each telling would be an invocation of a traced
// Worker, with an end to be told in turn.

import { WorkerEntrypoint } from "cloudflare:workers";

let over = [];

/** The tail of one user Worker; props: `{script, main}`, and `main` is the entrypoint at which the gate calls it. */
export class Over extends WorkerEntrypoint {
  tail(events) {
    const { script, main } = this.ctx.props;
    for (const event of events) {
      // By `ctx.exports` a Worker calls itself, with headers of its choice; this entrypoint the gate alone can call.
      if ((event.entrypoint ?? null) !== main) continue;
      if (event.event?.rpcMethod !== undefined) over.push({ script });
      const ray = event.event?.request?.headers?.["cf-ray"];
      if (ray) over.push({ script, ray });
    }
  }
}

export class Ledger extends WorkerEntrypoint {
  /** The gate asks for tails here, since props can be given to one's own entrypoints alone. */
  over(props) {
    return this.ctx.exports.Over({ props });
  }

  /** Each invocation that ended since this was last called: `{script, ray}`, or `{script}` where it was an RPC call. */
  take() {
    const taken = over;
    over = [];
    return taken;
  }
}

export default {};
