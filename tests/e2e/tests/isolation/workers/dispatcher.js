export default {
  async fetch(request, env) {
    const name = new URL(request.url).hostname.split(".")[0];
    const customer = request.headers.get("x-customer") ?? name;
    const method = request.headers.get("x-call");
    try {
      const worker = env.DISPATCHER.get(name, {}, { outbound: { customer } });
      if (method !== null) {
        const gave = await worker[method]("argument");
        return Response.json({ gave: gave instanceof Uint8Array ? gave.length : (gave ?? null) });
      }
      return await worker.fetch(request);
    } catch (error) {
      return new Response(`${error.name}: ${error.message}`, { status: 500 });
    }
  },
};
