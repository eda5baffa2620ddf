// Tries to reach `?host=` at `?port=`, or `?url=`, by every means that there is; an outcome for each.
import { connect } from "cloudflare:sockets";
import http from "node:http";
import net from "node:net";

const PATIENCE = 3000;

const within = (promise) =>
  Promise.race([
    promise,
    new Promise((resolve) => setTimeout(resolve, PATIENCE, "refused: nothing within the time")),
  ]).catch((error) => `refused: ${error.message}`);

const answered = async (answer) => {
  const text = await answer.text();
  // The outbound Worker may answer in place of whom was asked for.
  return answer.status >= 500 ? `refused: ${answer.status}` : `reached ${answer.status} ${text}`;
};

const node = (make, host, port) =>
  new Promise((resolve, reject) => {
    const socket = make({ host, port: Number(port), path: "/client/v4/user" }, () => resolve("reached"));
    socket.on("error", reject);
    socket.on("close", () => resolve("refused: closed"));
  });

const byHttp = (host, port) =>
  new Promise((resolve, reject) => {
    const request = http.get({ host, port: Number(port), path: "/" }, (answer) => {
      let text = "";
      answer.on("data", (data) => (text += data));
      answer.on("end", () => resolve(answer.statusCode >= 500 ? "refused" : `reached ${answer.statusCode} ${text}`));
    });
    request.on("error", reject);
  });

const socketOf = (url) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.addEventListener("open", () => resolve("reached"));
    socket.addEventListener("error", (event) => reject(new Error(event.message ?? "error")));
    socket.addEventListener("close", () => resolve("refused: closed"));
  });

const events = (url) =>
  new Promise((resolve) => {
    const source = new EventSource(url);
    source.addEventListener("open", () => (source.close(), resolve("reached")));
    source.addEventListener("error", () => (source.close(), resolve("refused: error")));
  });

const raw = async (address, options) => {
  const socket = connect(address, options);
  await socket.opened;
  return "reached";
};

export default {
  async fetch(request) {
    const { host, port, url } = Object.fromEntries(new URL(request.url).searchParams);
    const means = url
      ? {
          fetch: () => fetch(url).then(answered),
          "a Request": () => fetch(new Request(url)).then(answered),
          "another host header": () => fetch(url, { headers: { host: "control" } }).then(answered),
          connect: () => raw(url),
          "connect to a path": () => raw(url.replace(/^unix:(\/\/)?/, "unix:")),
          "node:net by path": () => node((_, opened) => net.connect(url.replace(/^unix:(\/\/)?/, ""), opened)),
          EventSource: () => events(url),
        }
      : {
          fetch: () => fetch(`http://${host}:${port}/client/v4/user`).then(answered),
          "fetch by https": () => fetch(`https://${host}:${port}/`).then(answered),
          "another host header": () => fetch(`http://${host}:${port}/`, { headers: { host: "example.com" } }).then(answered),
          "cf.resolveOverride": () => fetch(`http://example.invalid:${port}/`, { cf: { resolveOverride: host } }).then(answered),
          connect: () => raw({ hostname: host.replace(/[[\]]/g, ""), port: Number(port) }),
          "connect to an address": () => raw(`${host}:${port}`),
          "connect by TLS": () => raw(`${host}:${port}`, { secureTransport: "on" }),
          "node:net": () => node((options, opened) => net.connect(options, opened), host.replace(/[[\]]/g, ""), port),
          "node:http": () => byHttp(host.replace(/[[\]]/g, ""), port),
          WebSocket: () => socketOf(`ws://${host}:${port}/`),
          "fetch with an upgrade": () => fetch(`http://${host}:${port}/`, { headers: { upgrade: "websocket" } }).then(answered),
          EventSource: () => events(`http://${host}:${port}/`),
        };
    const names = Object.keys(means);
    const outcomes = await Promise.all(names.map((name) => within((async () => means[name]())())));
    return Response.json(Object.fromEntries(names.map((name, index) => [name, outcomes[index]])));
  },
};
