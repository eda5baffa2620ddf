/** A customer's Worker: fetches what `?url=` names, and shows what came of it. */
export default {
  async fetch(request): Promise<Response> {
    const url = new URL(request.url).searchParams.get("url") ?? "https://example.com/";
    // It knows nothing of policies: the outbound Worker stands in between.
    const answer = await fetch(url);
    return new Response(`${url} answered ${answer.status}:\n${await answer.text()}\n`);
  },
} satisfies ExportedHandler;
