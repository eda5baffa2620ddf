export default {
  fetch(request, env) {
    const headers = new Headers(request.headers);
    headers.set("x-stamped", env.customer);
    return fetch(new Request(request, { headers, redirect: "manual" }));
  },
};
