// How the platform speaks to an isolate itself: what it handles, and that it is to end.

import { WorkerEntrypoint, abortIsolate } from "cloudflare:workers";

const OURS = "__Tidegate";

// The Worker's code runs after this and before `controlOf`.
const { freeze } = Object;

export function controlOf({ worker, listeners }) {
  class Control extends WorkerEntrypoint {
    describe() {
      if (listeners) return { handlers: [...listeners], named: [] };
      const named = Object.keys(worker)
        .filter((name) => name !== "default" && !name.startsWith(OURS))
        .map((name) => [name, handlersOf(worker[name])]);
      return { handlers: handlersOf(worker.default), named };
    }

    evict() {
      abortIsolate("evicted");
    }
  }
  // The Worker's code can import this class, and would outlive its eviction if it could replace the method.
  freeze(Control.prototype);
  return freeze(Control);
}

function handlersOf(exported) {
  if (typeof exported === "function") {
    const names = [];
    for (let of = exported.prototype; of && of !== Object.prototype; of = Object.getPrototypeOf(of)) {
      if (of.constructor === WorkerEntrypoint) break;
      names.push(...Object.getOwnPropertyNames(of).filter((name) => name !== "constructor"));
    }
    return [...new Set(names)];
  }
  if (typeof exported !== "object" || exported === null) return [];
  return Object.keys(exported).filter((name) => typeof exported[name] === "function");
}
