/**
 * A KV namespace says which Worker answers a host, for which customer:
 * `www.acme.example` → `{"script":"acme-shop","customer":"acme","tags":["paid"]}`.
 */

import { dispatch, notFound, type Env, type Route } from "../../shared/dispatch";

interface KvEnv extends Env {
  ROUTES: KVNamespace;
}

export default {
  async fetch(request, env): Promise<Response> {
    const route = await env.ROUTES.get<Route>(new URL(request.url).hostname, "json");
    return route === null ? notFound() : dispatch(env, route, request);
  },
} satisfies ExportedHandler<KvEnv>;
