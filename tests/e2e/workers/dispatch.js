// The dispatch Worker: the first label of the host names the customer, as a platform's own front would do it.
export default {
  fetch(request, env) {
    const customer = new URL(request.url).hostname.split(".")[0];
    const worker = Object.hasOwn(env, customer) ? env[customer] : undefined;
    return worker ? worker.fetch(request) : new Response(`no customer ${customer}\n`, { status: 404 });
  },
};
