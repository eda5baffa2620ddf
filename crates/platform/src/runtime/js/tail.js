// What an invocation came to, as those who follow a Worker are told: the messages of `wrangler tail`.

/**
 * `item`: of workerd's `tail()`. `version`: of the Worker. `marker`: what stands before every line that it logs, and is
 * nobody's to see.
 */
export function messageOf(item, version, marker) {
  const { request, response, rpcMethod } = item.event ?? {};
  const unmarked = ([first, ...rest]) => {
    if (first === marker) return rest;
    return [marker && typeof first === "string" && first.startsWith(marker) ? first.slice(marker.length) : first, ...rest];
  };
  return JSON.stringify(
    {
      outcome: item.outcome,
      scriptVersion: { id: version },
      // Ours are nothing that an operator wrote.
      entrypoint: item.entrypoint?.startsWith("__Tidegate") ? null : (item.entrypoint ?? null),
      eventTimestamp: item.eventTimestamp,
      event: request
        ? {
            request: { url: request.url, method: request.method, headers: request.headers, cf: request.cf },
            ...(response && { response: { status: response.status } }),
          }
        : rpcMethod
          ? { rpcMethod }
          : null,
      logs: item.logs.map(({ timestamp, level, message }) => ({
        timestamp,
        level,
        message: Array.isArray(message) ? unmarked(message) : [message],
      })),
      exceptions: item.exceptions.map(({ timestamp, name, message, stack }) => ({ timestamp, name, message, stack })),
      diagnosticsChannelEvents: [],
      truncated: item.truncated ?? false,
    },
    (_, value) => (typeof value === "bigint" ? String(value) : value),
  );
}
