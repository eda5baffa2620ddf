// The least that an outbound Worker can do.

export default {
  fetch: (request) => fetch(request),
};
