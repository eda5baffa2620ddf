/** `/acme/hello` is answered by the Worker `acme`, which sees `/hello`. */

import { dispatch, notFound, type Env } from "../../shared/dispatch";

export default {
  async fetch(request, env): Promise<Response> {
    const url = new URL(request.url);
    const [, customer, rest] = /^\/([^/]+)(\/.*)?$/.exec(url.pathname) ?? [];
    if (!customer) {
      return notFound();
    }
    url.pathname = rest ?? "/";
    // Method, headers and body stay what they are; the body is not read.
    return dispatch(env, { script: customer, customer, tags: ["free"] }, new Request(url, request));
  },
} satisfies ExportedHandler<Env>;
