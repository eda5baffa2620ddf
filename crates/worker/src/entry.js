// The Worker's main module: what the runtime calls for each request.
//
// What `worker-build` makes of the crate has a main module of its own: a class behind a proxy, each of whose instances is
// behind another, so that it can look at every turn whether the instance of the Wasm is still alive. The runtime makes one
// for each request and asks it for ten handlers by name, each time through the proxy, and that is a good part of
// what a request costs. This is one plain object, which the runtime looks at once. It leaves to the class what it is for: where the
// instance of the Wasm has ended (`instance.rs`), constructing the class makes a fresh one.
//
// `cargo xtask worker` puts this before what `worker-build` made and bundles both into one file.

import Inner from "./inner.js";

const { fetch } = Inner.prototype;
const state = globalThis.__worker_init_state;

export default {
  fetch(request, env, ctx) {
    if (state.criticalError) new Inner(ctx, env);
    return fetch.call({ env, ctx }, request);
  },
};
