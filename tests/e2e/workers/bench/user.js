// The user Worker of the benchmark: one fetch for each request.

const headers = { accept: "application/json", "user-agent": "shop/1.4", "x-request-id": "4f9d2c71" };

export default {
  fetch: () => fetch(TARGET, { headers }),
};
