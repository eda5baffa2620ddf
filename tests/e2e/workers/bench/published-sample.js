// In the shape of the outbound Worker that Cloudflare's documents show: a block list that is searched for parts of the host's
// name, a header with the customer's name on a copy of the request. It has no list of allowed hosts, no hygiene and no
// record, lets redirects be as the customer wants them, and refuses `notmalware.example.org` for `malware.example`.

const BLOCKED = DENIED;

export default {
  async fetch(request, env) {
    const { hostname } = new URL(request.url);
    if (BLOCKED.some((name) => hostname.includes(name))) return new Response("blocked", { status: 403 });
    const headers = new Headers(request.headers);
    headers.set("x-customer", env.customer_name);
    return fetch(new Request(request, { headers }));
  },
};
