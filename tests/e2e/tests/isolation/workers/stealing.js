// What a request leaves behind, and the next one tries to speak by.
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { tracing } from "cloudflare:workers";

const left = {};
const ask = async (how) => (await fetch(`https://api.example/by-${how}`)).text();
const refused = (error) => `refused: ${error?.message ?? error}`;
const within = (promise) =>
  Promise.race([promise, new Promise((resolve) => setTimeout(resolve, 1500, "refused: nothing within the time"))]).catch(refused);

class Resource extends AsyncResource {
  constructor() {
    super("left");
  }
}

async function leave(request, env, ctx) {
  await fetch("https://control.example/");
  left.storage = new AsyncLocalStorage();
  left.storage.run("left", () => {
    left.snapshot = AsyncLocalStorage.snapshot();
    left.bound = AsyncLocalStorage.bind((how) => ask(how));
    left.resource = new Resource();
  });
  tracing.enterSpan?.("left", (span) => {
    left.span = span;
    left.spanSnapshot = AsyncLocalStorage.snapshot();
    left.spanBound = AsyncLocalStorage.bind((how) => ask(how));
  });
  left.request = request;
  left.ctx = ctx;
  left.env = env;
  left.exports = ctx.exports;
  left.self = ctx.exports?.default;
  left.fetch = fetch.bind(globalThis);
  left.pending = new Promise((resolve) => (left.resolve = resolve)).then((how) => ask(how));
  left.thenable = { then: (resolve) => ask("thief-thenable").then(resolve) };
  left.target = new EventTarget();
  left.target.addEventListener("go", (event) => event.detail.settle(ask("thief-event")));
  left.stream = new ReadableStream({
    async pull(controller) {
      controller.enqueue(await ask("thief-pull"));
      controller.close();
    },
  }, { highWaterMark: 0 });
  left.transform = new TransformStream({
    async transform(chunk, controller) {
      controller.enqueue(await ask("thief-transform"));
    },
  });
  left.channel = typeof MessageChannel === "function" ? new MessageChannel() : undefined;
  if (left.channel) {
    left.channel.port2.onmessage = (event) => {
      left.message = ask("thief-message").catch(refused);
    };
  }
  left.generator = (async function* () {
    for (;;) yield await ask("thief-generator");
  })();
  left.pair = new WebSocketPair();
  left.pair[1].accept();
  left.pair[1].addEventListener("message", () => (left.socket = ask("thief-socket").catch(refused)));
  left.controller = new AbortController();
  left.controller.signal.addEventListener("abort", () => (left.aborted = ask("thief-abort").catch(refused)));
  left.html = new HTMLRewriter().on("p", { element: async (element) => element.setInnerContent(await ask("thief-rewriter")) });
  return new Response("left");
}

async function use(request, env, ctx) {
  const settled = (start) =>
    new Promise((settle) => {
      start(settle);
    });
  const means = {
    control: () => ask("thief"),
    "a saved fetch": async () => (await left.fetch("https://api.example/by-thief-fetch")).text(),
    "a saved request": async () => (await fetch(new Request("https://api.example/by-thief-request", left.request))).text(),
    "a snapshot": () => left.snapshot(() => ask("thief-snapshot")),
    "a bound function": () => left.bound("thief-bound"),
    "an async resource": () => left.resource.runInAsyncScope(() => ask("thief-resource")),
    "a snapshot within a span": () => left.spanSnapshot?.(() => ask("thief-span-snapshot")) ?? "refused: none",
    "a function bound within a span": () => left.spanBound?.("thief-span-bound") ?? "refused: none",
    "a span": () => left.span?.setAttribute("a", "b") ?? ask("thief-span"),
    "a pending promise": () => (left.resolve("thief-pending"), left.pending),
    "a thenable": () => Promise.resolve(left.thenable),
    "an event target": () => settled((settle) => left.target.dispatchEvent(new CustomEvent("go", { detail: { settle } }))),
    "a stream's pull": async () => (await left.stream.getReader().read()).value,
    "a transform": async () => {
      left.transform.writable.getWriter().write("x").catch(() => {});
      return (await left.transform.readable.getReader().read()).value;
    },
    "a message channel": async () => {
      left.channel?.port1.postMessage("x");
      await scheduler.wait(100);
      return left.message ?? "refused: no message";
    },
    "an async generator": async () => (await left.generator.next()).value,
    "a socket": async () => {
      left.pair[0].accept();
      left.pair[0].send("x");
      await scheduler.wait(100);
      return left.socket ?? "refused: no message";
    },
    "an abort": async () => {
      left.controller.abort();
      await scheduler.wait(50);
      return left.aborted ?? "refused: not told";
    },
    "a rewriter": async () => {
      const text = await left.html.transform(new Response("<p>x</p>")).text();
      return text.replace(/<\/?p>/g, "");
    },
    "a saved waitUntil": async () => {
      left.ctx.waitUntil(ask("thief-wait-until"));
      return "refused: gives nothing";
    },
    "saved exports": async () => (await left.exports.default.fetch("https://any.example/own")).text(),
    "a saved stub of itself": async () => (await left.self.fetch("https://any.example/own")).text(),
    "a microtask": () => settled((settle) => queueMicrotask(() => settle(ask("thief-microtask")))),
    "a timer": () => settled((settle) => setTimeout(() => settle(ask("thief-timer")), 1)),
    "a beacon": async () => {
      globalThis.navigator?.sendBeacon?.("https://api.example/by-thief-beacon", "x");
      return "refused: gives nothing";
    },
    "Promise.prototype.then": async () => left.pending.constructor.prototype.then.call(Promise.resolve("thief-then"), ask),
  };
  const outcomes = {};
  for (const [name, act] of Object.entries(means)) outcomes[name] = await within((async () => act())());
  return Response.json(outcomes);
}

export default {
  fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/own") return ask("thief-own").then((text) => new Response(text));
    return pathname === "/leave" ? leave(request, env, ctx) : use(request, env, ctx);
  },
};
