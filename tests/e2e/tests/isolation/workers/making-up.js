// Gives back, and throws, what no honest Worker would.
import { WorkerEntrypoint, RpcTarget } from "cloudflare:workers";

class Target extends RpcTarget {
  get trap() {
    throw new Error("a getter");
  }
  then(resolve) {
    resolve("from a target");
  }
  toString() {
    throw new Error("no text");
  }
}

class HostileError extends Error {
  get message() {
    throw new Error("no message");
  }
}

const long = "x".repeat(1_000_000);

export default class extends WorkerEntrypoint {
  fetch() {
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(this));
    return Response.json(names.filter((name) => name !== "constructor" && name !== "fetch"));
  }
  honest(value) {
    return value;
  }
  thenable() {
    return { then: (resolve) => resolve("resolved by hand") };
  }
  thenableWithoutEnd() {
    const again = { then: (resolve) => setTimeout(resolve, 100, again) };
    return again;
  }
  thenableThatNeverAnswers() {
    return { then() {} };
  }
  neverAnswers() {
    return new Promise(() => {});
  }
  target() {
    return new Target();
  }
  aFunction() {
    return () => {
      throw new Error("called");
    };
  }
  accessor() {
    return {
      get secret() {
        throw new Error("read");
      },
    };
  }
  cyclic() {
    const value = {};
    value.self = value;
    return value;
  }
  deep() {
    let value = {};
    for (let depth = 0; depth < 50_000; depth++) value = { value };
    return value;
  }
  large() {
    return new Uint8Array(31 * 1024 * 1024);
  }
  tooLarge() {
    return new Uint8Array(64 * 1024 * 1024);
  }
  prototype() {
    return JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
  }
  aSymbol() {
    return Symbol("x");
  }
  aStream() {
    return new ReadableStream({ type: "bytes", pull() {} });
  }
  anErrorWithHostileFields() {
    const error = new Error(`\u001b]0;owned\u0007\r\nforged: line`);
    error.name = "\u0000\u001b[31mName";
    error.stack = `at host.js:1:1 ${"x".repeat(1000)}`;
    throw error;
  }
  anErrorThatThrows() {
    throw new HostileError();
  }
  anErrorThatIsNone() {
    throw { message: { toString: () => "no" }, name: 3 };
  }
  aLongError() {
    throw new Error(long);
  }
  nothingThrown() {
    throw undefined;
  }
  manyStubs() {
    return Array.from({ length: 5000 }, () => () => 1);
  }
}
