// What a script in service-worker syntax listens to.

export const listeners = new Set();

const add = globalThis.addEventListener;
globalThis.addEventListener = function (type, ...rest) {
  listeners.add(type);
  return add.call(this, type, ...rest);
};
