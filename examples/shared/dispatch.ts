/**
 * What dispatch Workers have in common: they find out whose request it is, and hand it to that customer's Worker.
 */

/**
 * What the outbound Worker is told of the customer, with every request that leaves the customer's Worker.
 *
 * The names are those of `outbound.parameters` in wrangler.jsonc and of `[identity]` in the policy. Each parameter becomes
 * a field of the outbound Worker's `env` (`env.customer_name`). A parameter that is an object stays one: fields within it do
 * not become fields of `env`.
 */
export type OutboundParameters = {
  customer_name: string;
  customer_tags: string[];
};

export interface Env {
  DISPATCHER: DispatchNamespace;
}

/** Whose request it is, and which Worker answers it. */
export interface Route {
  script: string;
  customer: string;
  tags: string[];
}

/** What one request may cost. */
const LIMITS: DynamicDispatchLimits = { cpuMs: 50, subRequests: 20 };

/** Has the customer's Worker answer. */
export async function dispatch(env: Env, route: Route, request: Request): Promise<Response> {
  const outbound: OutboundParameters = { customer_name: route.customer, customer_tags: route.tags };
  try {
    const worker = env.DISPATCHER.get(route.script, {}, { limits: LIMITS, outbound });
    // Awaited here: `get` never fails, whatever the name; `fetch` does.
    return await worker.fetch(request);
  } catch (error) {
    return failed(route, error);
  }
}

/** There is no such Worker. */
export function notFound(): Response {
  return new Response("There is nothing here.\n", { status: 404 });
}

function failed(route: Route, error: unknown): Response {
  const message = error instanceof Error ? error.message : String(error);
  if (message.startsWith("Worker not found")) {
    return notFound();
  }
  // What a customer's code threw is for the platform's log and not for the customer's visitors.
  console.error(`${route.script}: ${message}`);
  if (message.includes("CPU time limit") || message.includes("Too many subrequests")) {
    return new Response("This site is using more than it may.\n", { status: 429 });
  }
  return new Response("error code: 1101\n", { status: 500 });
}
