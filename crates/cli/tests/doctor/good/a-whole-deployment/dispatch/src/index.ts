interface Env {
  DISPATCHER: DispatchNamespace;
}

export default {
  async fetch(request, env): Promise<Response> {
    const [customer = ""] = new URL(request.url).hostname.split(".");
    const outbound = { customer_name: customer, customer_tags: ["free"] };
    return env.DISPATCHER.get(customer, {}, { outbound }).fetch(request);
  },
} satisfies ExportedHandler<Env>;
