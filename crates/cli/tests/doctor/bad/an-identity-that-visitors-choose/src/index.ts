interface Env {
  DISPATCHER: DispatchNamespace;
}

export default {
  async fetch(request, env): Promise<Response> {
    const customer = request.headers.get("x-customer") ?? "";
    return env.DISPATCHER.get(customer, {}, { outbound: { customer_name: customer } }).fetch(request);
  },
} satisfies ExportedHandler<Env>;
