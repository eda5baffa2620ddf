// A customer's Worker, driven by the test.
//
// POST /        a JSON array of fetches to make, all at once; answers with what became of each
// any  /stream  one fetch, described by the `x-fetch` header, with both bodies passed through
// GET  /socket  one WebSocket conversation, described by `x-fetch`
// GET  /connect one raw TCP connection, to the `host:port` that `x-fetch` has for a URL

import { connect } from "cloudflare:sockets";

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/") {
      const fetches = await request.json();
      return Response.json(await Promise.all(fetches.map(outcome)));
    }
    const description = JSON.parse(request.headers.get("x-fetch"));
    if (pathname === "/stream") return stream(description, request.body);
    if (pathname === "/connect") return Response.json(await connection(description));
    return Response.json(await conversation(description));
  },
};

async function outcome({ url, method, headers, body, octets, redirect, cf, until }) {
  try {
    if (octets !== undefined) body = new TextEncoder().encode(octets);
    const signal = until && aborted(until);
    const response = await fetch(url, { method, headers, body, redirect, cf, signal });
    response.webSocket?.accept();
    response.webSocket?.close();
    return {
      status: response.status,
      statusText: response.statusText,
      headers: [...response.headers],
      body: await response.text(),
      url: response.url,
    };
  } catch (error) {
    return { error: String(error) };
  }
}

function aborted(until) {
  const controller = new AbortController();
  fetch(until).then(() => controller.abort());
  return controller.signal;
}

function stream({ url, method, headers }, body) {
  return fetch(url, { method, headers, body });
}

async function conversation({ url, headers, send }) {
  try {
    const response = await fetch(url, { headers: [...headers, ["upgrade", "websocket"]] });
    const socket = response.webSocket;
    if (!socket) return { status: response.status, headers: [...response.headers], body: await response.text() };
    socket.accept();
    const received = new Promise((resolve, reject) => {
      socket.addEventListener("message", ({ data }) => resolve(data));
      socket.addEventListener("close", ({ code }) => reject(new Error(`closed with ${code}`)));
    });
    socket.send(send);
    const body = await received;
    socket.close(1000, "done");
    return { status: response.status, headers: [...response.headers], body };
  } catch (error) {
    return { error: String(error) };
  }
}

async function connection({ url }) {
  try {
    const socket = connect(url);
    await socket.opened;
    await socket.writable.getWriter().write(new TextEncoder().encode("GET / HTTP/1.0\r\nhost: smuggled\r\n\r\n"));
    const { value } = await socket.readable.getReader().read();
    return { status: 200, body: new TextDecoder().decode(value) };
  } catch (error) {
    return { error: String(error) };
  }
}
