// Lists what can be seen of the platform, and imports `?m=`, as often as it is given.
import * as workers from "cloudflare:workers";

const outcome = async (act) => {
  try {
    const got = await act();
    return got === undefined || got === null ? "refused: nothing there" : `got ${typeof got} ${Object.keys(got)}`;
  } catch (error) {
    return `refused: ${error.message}`;
  }
};

/** What looks like a Worker Loader: it loads. */
const loads = (value) => {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) throw new Error("no object");
  return value.load({
    compatibilityDate: "2026-01-01", mainModule: "x.js", modules: { "x.js": "export default { fetch: () => new Response('loaded') }" },
  }).getEntrypoint().fetch("http://any/").then((answer) => answer.text());
};

export default {
  async fetch(request, env, ctx) {
    const modules = {};
    for (const name of new URL(request.url).searchParams.getAll("m")) {
      modules[name] = await outcome(() => import(name));
      modules[`${name} by require`] = await outcome(() => globalThis.require(name));
      modules[`${name} by process`] = await outcome(() => globalThis.process.getBuiltinModule(name));
    }
    const loaders = {};
    const places = { env, ctx, exports: ctx.exports ?? {}, workers, workersEnv: workers.env, process: globalThis.process ?? {}, globalThis };
    for (const [place, object] of Object.entries(places)) {
      for (const name of Reflect.ownKeys(object)) {
        if (typeof name !== "string" || place === "exports") continue;
        let value;
        try {
          value = object[name];
        } catch {
          continue;
        }
        if (value?.load === undefined && value?.get === undefined) continue;
        loaders[`${place}.${name}`] = await outcome(() => loads(value));
      }
    }
    loaders["process.binding"] = await outcome(() => globalThis.process.binding("workerLoader"));
    loaders["env.LOADER"] = await outcome(() => env.LOADER);
    loaders["the constructor of code"] = await outcome(() => new Function("return this")().LOADER);
    return Response.json({
      modules,
      loaders,
      control: (await import("./own.js")).default,
      exports: Reflect.ownKeys(ctx.exports ?? {}),
      env: Reflect.ownKeys(env),
      process: Object.keys(globalThis.process?.env ?? {}),
    });
  },
};
