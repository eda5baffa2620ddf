// Hands an outbound Worker the parameters of each request, as fields of its `env`.

import { WorkerEntrypoint, withEnv } from "cloudflare:workers";

export function withParameters(worker) {
  return class extends WorkerEntrypoint {
    fetch(request) {
      const { parameters, entrypoint } = this.ctx.props;
      const handler = worker[entrypoint ?? "default"];
      const env = { ...this.env, ...parameters };
      return withEnv(env, () => {
        if (typeof handler === "function") return new handler(this.ctx, env).fetch(request);
        if (typeof handler?.fetch === "function") return handler.fetch(request, env, this.ctx);
        throw new Error(`the outbound Worker has no entrypoint \`${entrypoint ?? "default"}\` with a fetch handler`);
      });
    }
  };
}
