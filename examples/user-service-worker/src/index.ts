/** A customer's Worker in service-worker syntax: no exports, an event listener. */
addEventListener("fetch", (event) => {
  event.respondWith(answer(event.request));
});

async function answer(request: Request): Promise<Response> {
  const upstream = await fetch("https://example.com/");
  return new Response(`${new URL(request.url).pathname}: example.com answered ${upstream.status}\n`);
}
