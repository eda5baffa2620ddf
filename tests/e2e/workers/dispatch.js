// The dispatch Worker: the first label of the host names the customer, as a platform's own front would do it. What is
// known of the customers stands in a module beside this one: the dispatch binding that they go through, each of which has
// another outbound Worker, and their outbound parameters, or `null`.

import customers from "./customers.json";

export default {
  fetch(request, env) {
    const name = new URL(request.url).hostname.split(".")[0];
    if (!Object.hasOwn(customers, name)) return new Response(`no customer ${name}\n`, { status: 404 });
    const { through, parameters } = customers[name];
    return env[through].get(name, {}, parameters === null ? {} : { outbound: parameters }).fetch(request);
  },
};
