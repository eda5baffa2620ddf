// Rate limits, and datasets of the Analytics Engine, as Workers see them.

import { waitUntil } from "cloudflare:workers";

export class Ratelimit {
  #stub;

  constructor(stub) {
    this.#stub = stub;
  }

  async limit(options) {
    if (typeof options !== "object" || options === null) throw new Error("invalid rate limit options");
    const others = Object.keys(options).filter((name) => name !== "key");
    if (others.length > 0) throw new Error(`bad rate limit options: [${others.join(",")}]`);
    const { key = "" } = options;
    if (typeof key !== "string") throw new Error(`invalid key: ${String(key)}`);
    const answer = await this.#stub.fetch("http://limit/", { method: "POST", body: key });
    if (!answer.ok) throw new Error(`the rate limit failed: ${await answer.text()}`);
    const { success } = await answer.json();
    return { success };
  }
}

const MOST = 20;
const LARGEST_BLOBS = 16 * 1024;
const LARGEST_INDEX = 96;

export class AnalyticsEngineDataset {
  #stub;

  constructor(stub) {
    this.#stub = stub;
  }

  /** Does not wait: the invocation goes on until the point is written. */
  writeDataPoint(point = {}) {
    const blobs = texts("blobs", point?.blobs, MOST, LARGEST_BLOBS);
    const indexes = texts("indexes", point?.indexes, 1, LARGEST_INDEX);
    const doubles = list("doubles", point?.doubles, MOST).map((value) => {
      if (typeof value !== "number") throw new TypeError("doubles must be numbers.");
      return value;
    });
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ blobs, doubles, indexes });
    const written = this.#stub.fetch("http://dataset/", { method: "POST", headers, body });
    waitUntil(
      written.then(
        async (answer) => answer.ok || console.error(`a data point was not written: ${await answer.text()}`),
        (error) => console.error(`a data point was not written: ${error.message}`),
      ),
    );
  }
}

function list(name, values, most) {
  if (values === undefined || values === null) return [];
  if (!Array.isArray(values)) throw new TypeError(`${name} must be an array.`);
  if (values.length > most) throw new TypeError(`Maximum of ${most} ${name} supported.`);
  return values;
}

function texts(name, values, most, largest) {
  let size = 0;
  return list(name, values, most).map((value) => {
    if (value === null) return null;
    if (typeof value !== "string" && !(value instanceof ArrayBuffer)) {
      throw new TypeError(`${name} must be strings, ArrayBuffers or null.`);
    }
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : new Uint8Array(value);
    size += bytes.length;
    if (size > largest) throw new TypeError(`Size of ${name} exceeds the limit of ${largest} bytes.`);
    return new TextDecoder().decode(bytes);
  });
}
