// Answers what is no answer, by the path; `/` lists the kinds.
const kinds = {
  "an honest answer": () => new Response("honest", { status: 201 }),
  nothing: () => undefined,
  null: () => null,
  "a number": () => 42,
  "a text": () => "text",
  "an object like one": () => ({ status: 200, headers: new Headers(), body: null, ok: true }),
  "a prototype": () => Object.create(Response.prototype),
  "a proxy": () => new Proxy(new Response("x"), {}),
  "a promise of nothing": async () => undefined,
  "a promise that waits": () => new Promise(() => {}),
  "a rejection": () => Promise.reject(null),
  "a thenable": () => ({ then: (resolve) => resolve(new Response("by hand")) }),
  "a request": () => new Request("http://x/"),
  "a used answer": async () => {
    const used = new Response("x");
    await used.text();
    return used;
  },
  "an error of the network": () => Response.error(),
  "a status too low": () => new Response("x", { status: 99 }),
  "a status too high": () => new Response("x", { status: 1000 }),
  "a status of an upgrade": () => new Response(null, { status: 101 }),
  "a text in its status": () => new Response("x", { statusText: "OK\r\nx-injected: 1" }),
  "a header of two lines": () => new Response("x", { headers: { "x-a": "1\r\nx-injected: 1" } }),
  "a name of two lines": () => new Response("x", { headers: { "x-a\r\nx-injected": "1" } }),
  "a length too long": () => new Response("x", { headers: { "content-length": "1000000" } }),
  "a length too short": () => new Response("a longer text", { headers: { "content-length": "1" } }),
  "a length that is none": () => new Response("x", { headers: { "content-length": "-1, x" } }),
  "two framings": () => new Response("x", { headers: { "content-length": "100", "transfer-encoding": "chunked" } }),
  "hop by hop": () => new Response("x", { headers: { connection: "close, x-a", "x-a": "1", upgrade: "h2c", trailer: "x" } }),
  "an encoding that is none": () => new Response("x", { headers: { "content-encoding": "gzip" } }),
  "a large head": () => new Response("x", { headers: { "x-a": "a".repeat(200_000) } }),
  "a body that fails": () => new Response(new ReadableStream({ start: (c) => c.enqueue(new Uint8Array(9)), pull: (c) => c.error(new Error("no more")) })),
  "a body of no bytes": () => new Response(new ReadableStream({ start: (c) => (c.enqueue({}), c.close()) })),
  "a body that throws": () => new Response(new ReadableStream({ pull() { throw null; } })),
  "a body that was taken": () => {
    const stream = new ReadableStream({ start: (c) => c.close() });
    stream.getReader();
    return new Response(stream);
  },
  "a fixed length that lies": () => {
    const { readable, writable } = new FixedLengthStream(100);
    writable.getWriter().write(new Uint8Array(10)).catch(() => {});
    return new Response(readable);
  },
  "a socket that nobody asked for": () => new Response(null, { status: 101, webSocket: new WebSocketPair()[0] }),
  "a throw of nothing": () => {
    throw undefined;
  },
  "an error without end": () => {
    throw new Error("x".repeat(1_000_000));
  },
  "a stack without end": () => {
    const again = () => again();
    again();
  },
  "a regular expression without end": () => new Response(String(/^(a+)+$/.test("a".repeat(22) + "b"))),
};

export default {
  fetch(request) {
    const kind = decodeURIComponent(new URL(request.url).pathname.slice(1));
    return kind === "" ? Response.json(Object.keys(kinds)) : kinds[kind]();
  },
};
