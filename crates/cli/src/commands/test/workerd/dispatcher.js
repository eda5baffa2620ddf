// Sends the customer's Worker what a case asks, under the outbound parameters of the case; `null` stands for none.

export default {
  async fetch(request, env) {
    const { parameters, fetch } = await request.json();
    const customer = env.CUSTOMERS.get("customer", {}, parameters === null ? {} : { outbound: parameters });
    return customer.fetch("https://customer.example/", { method: "POST", body: JSON.stringify(fetch) });
  },
};
