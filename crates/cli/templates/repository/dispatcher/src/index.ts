/**
 * `acme.apps.example.com` is answered by the Worker `acme` of the namespace.
 *
 * What matters to the gate is `outbound`: it says whose request it is, with every `get`. Take the customer from what you looked up (the host name, a
 * route in KV, a verified session), never from what the visitor can write: a header, a cookie, the query.
 */

/** What the outbound Worker is told: the names of `outbound.parameters` in wrangler.jsonc and of `[identity]` in the policy. */
type OutboundParameters = {
  customer_name: string;
};

interface Env {
  DISPATCHER: DispatchNamespace;
}

/** What one request may cost. */
const LIMITS: DynamicDispatchLimits = { cpuMs: 50, subRequests: 20 };

export default {
  async fetch(request, env): Promise<Response> {
    const [customer, ...domain] = new URL(request.url).hostname.split(".");
    if (!customer || domain.length === 0) {
      return notFound();
    }
    const outbound: OutboundParameters = { customer_name: customer };
    try {
      // Awaited here: `get` never fails, whatever the name; `fetch` does.
      return await env.DISPATCHER.get(customer, {}, { limits: LIMITS, outbound }).fetch(request);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message.startsWith("Worker not found")) {
        return notFound();
      }
      // What a customer's code threw is for your log and not for the customer's visitors.
      console.error(`${customer}: ${message}`);
      return new Response("error code: 1101\n", { status: 500 });
    }
  },
} satisfies ExportedHandler<Env>;

function notFound(): Response {
  return new Response("There is nothing here.\n", { status: 404 });
}
