// Turns what the store keeps into what a Worker Loader takes.
//
// The Worker's own modules are left as they are. Before them runs one of ours, which puts real objects where the
// runtime can pass stubs alone (KV namespaces, dispatch namespaces) and, for scripts in service-worker syntax, makes
// bindings global. Our modules lie at the root, since specifiers resolve relative to the importer.

import BINDINGS from "./within/bindings.js";
import CONTROL from "./within/control.js";
import COUNTING from "./within/counting.js";
import D1 from "./within/d1.js";
import HIDDEN from "./within/hidden.js";
import LISTENERS from "./within/listeners.js";
import PARAMETERS from "./within/parameters.js";

/** No module of an upload may begin with this. */
const OURS = "__tidegate";

/** What the gate calls a user Worker by; user code cannot (`within/hidden.js`). */
const MAIN = "__TidegateMain";

/** The entrypoint at which a Worker is called; `null` for its listeners, in service-worker syntax. */
export function mainOf(bundle) {
  return "body_part" in bundle.entry ? null : MAIN;
}

const LOADERS = {
  es_module: (text) => ({ js: text() }),
  common_js: (text) => ({ cjs: text() }),
  text: (text) => ({ text: text() }),
  json: (text) => ({ json: JSON.parse(text()) }),
  data: (_, bytes) => ({ data: bytes.slice().buffer }),
  wasm: (_, bytes) => ({ wasm: bytes.slice().buffer }),
};

/**
 * `place`: `{stubs: {binding name → stub}, globalOutbound, tails, marker}`. `marker`, if there is one, begins every
 * line that the Worker logs, so that nobody else can write in its name.
 */
export function codeOf(bundle, place) {
  const modules = {};
  for (const { name, kind, content } of bundle.modules) {
    const loader = LOADERS[kind];
    if (loader) modules[name] = loader(() => new TextDecoder().decode(content), content);
  }
  const env = {};
  const setup = [];
  const keys = [];
  const globals = "body_part" in bundle.entry;
  for (const binding of bundle.bindings) {
    const name = JSON.stringify(binding.name);
    switch (binding.type) {
      case "plain_text":
      case "secret_text":
        env[binding.name] = binding.text;
        break;
      case "json":
        env[binding.name] = binding.json;
        break;
      case "service":
        env[binding.name] = place.stubs[binding.name];
        break;
      case "kv_namespace":
        env[binding.name] = place.stubs[binding.name];
        setup.push(`env[${name}] = new KvNamespace(env[${name}]);`);
        break;
      case "d1":
        env[binding.name] = place.stubs[binding.name];
        setup.push(`env[${name}] = new D1Database(env[${name}]);`);
        break;
      case "analytics_engine":
        env[binding.name] = place.stubs[binding.name];
        setup.push(`env[${name}] = new AnalyticsEngineDataset(env[${name}]);`);
        break;
      case "ratelimit":
        env[binding.name] = place.stubs[binding.name];
        setup.push(`env[${name}] = new Ratelimit(env[${name}]);`);
        break;
      case "dispatch_namespace":
        env[binding.name] = place.stubs[binding.name];
        setup.push(`env[${name}] = new DynamicDispatcher(env[${name}]);`);
        break;
      case "secret_key": {
        const { algorithm, format, usages, data } = binding;
        env[binding.name] = { algorithm, format, usages, data };
        keys.push(`await importKey(env, ${name});`);
        if (globals) keys.push(`globalThis[${name}] = env[${name}];`);
        continue;
      }
      case "wasm_module":
      case "text_blob":
      case "data_blob":
        setup.unshift(`import part${setup.length} from ${JSON.stringify(`./${binding.part}`)};`);
        setup.push(`env[${name}] = part${setup.length - 1};`);
        break;
      default:
        throw new Error(`a binding of type ${binding.type} cannot be loaded`);
    }
    if (globals) setup.push(`globalThis[${name}] = env[${name}];`);
  }
  const entry = JSON.stringify(`./${globals ? bundle.entry.body_part : bundle.entry.main_module}`);
  modules[`${OURS}_bindings.js`] = { js: BINDINGS };
  // An isolate pays for what it loads.
  const has = (type) => bundle.bindings.some((binding) => binding.type === type);
  const counts = has("analytics_engine") || has("ratelimit");
  if (counts) modules[`${OURS}_counting.js`] = { js: COUNTING };
  if (has("d1")) modules[`${OURS}_d1.js`] = { js: D1 };
  modules[`${OURS}_env.js`] = {
    js: [
      `import { env } from "cloudflare:workers";`,
      has("d1") ? `import { D1Database } from "./${OURS}_d1.js";` : "",
      counts ? `import { AnalyticsEngineDataset, Ratelimit } from "./${OURS}_counting.js";` : "",
      `import { KvNamespace, DynamicDispatcher, importKey, mark, quietCaches } from "./${OURS}_bindings.js";`,
      ...setup,
      "quietCaches();",
      place.marker ? `mark(${JSON.stringify(place.marker)});` : "",
      // Last, since others begin to run at the first `await`.
      ...keys,
    ].join("\n"),
  };
  const main = globals
    ? [
        `import "./${OURS}_hidden.js";`,
        `import "./${OURS}_env.js";`,
        `import { controlOf } from "./${OURS}_control.js";`,
        `import { listeners } from "./${OURS}_listeners.js";`,
        `import ${entry};`,
        `export const __TidegateControl = controlOf({ listeners });`,
      ]
    : [
        `import "./${OURS}_hidden.js";`,
        `import "./${OURS}_env.js";`,
        `import { controlOf } from "./${OURS}_control.js";`,
        `import * as worker from ${entry};`,
        `export * from ${entry};`,
        `export default worker.default ?? {};`,
        `export const ${MAIN} = worker.default ?? {};`,
        `export const __TidegateControl = controlOf({ worker });`,
      ];
  if (place.parameters) {
    main.push(
      `import { withParameters } from "./${OURS}_parameters.js";`,
      `export const __TidegateOutbound = withParameters(${globals ? "{}" : "worker"});`,
    );
    modules[`${OURS}_parameters.js`] = { js: PARAMETERS };
  }
  modules[`${OURS}_control.js`] = { js: CONTROL };
  modules[`${OURS}_hidden.js`] = { js: HIDDEN };
  modules[`${OURS}_listeners.js`] = { js: LISTENERS };
  modules[`${OURS}.js`] = { js: main.join("\n") };
  return {
    compatibilityDate: bundle.compatibility_date,
    compatibilityFlags: bundle.compatibility_flags,
    mainModule: `${OURS}.js`,
    modules,
    env,
    globalOutbound: place.globalOutbound,
    ...(place.tails?.length && { tails: place.tails }),
  };
}
