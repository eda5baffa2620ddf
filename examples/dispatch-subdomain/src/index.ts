/** `acme.apps.example` is answered by the Worker `acme`. */

import { dispatch, notFound, type Env } from "../../shared/dispatch";

export default {
  async fetch(request, env): Promise<Response> {
    const [customer, ...domain] = new URL(request.url).hostname.split(".");
    if (!customer || domain.length === 0) {
      return notFound();
    }
    return dispatch(env, { script: customer, customer, tags: ["free"] }, request);
  },
} satisfies ExportedHandler<Env>;
