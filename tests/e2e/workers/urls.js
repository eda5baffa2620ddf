// Says what the runtime makes of each of many strings as a URL; `null` where it throws.
//
//   href       as it is read
//   narrowed   the same in the form that Tidegate promises: no userinfo, no fragment, ws as http, no dot behind the host
//   requested  as a request for it is addressed

const orNull = (of) => {
  try {
    return of();
  } catch {
    return null;
  }
};

function narrowed(text) {
  const url = new URL(text);
  url.protocol = url.protocol.replace("ws", "http");
  url.username = url.password = url.hash = "";
  url.hostname = url.hostname.replace(/\.$/, "");
  return url.href;
}

export default {
  async fetch(request) {
    const answers = (await request.json()).map((text) => ({
      href: orNull(() => new URL(text).href),
      narrowed: orNull(() => narrowed(text)),
      requested: orNull(() => new Request(text).url),
    }));
    return Response.json(answers);
  },
};
