// Keeps the platform's own entrypoints out of `ctx.exports`, and so out of the hands of the Worker's code.
//
// By `ctx.exports` a Worker calls its own entrypoints. The gate calls `__TidegateMain`, and takes the end of such a call
// for the end of an invocation; so nobody else may call it. After the top level of the Worker has run, the runtime *sets*
// each entrypoint's name on a fresh object, whose prototype is `Object.prototype`: a setter found there takes the value,
// and drops it. This module runs before any of the Worker's own, and what it defines cannot be redefined.

for (const name of ["__TidegateControl", "__TidegateMain", "__TidegateOutbound"]) {
  Object.defineProperty(Object.prototype, name, { get: undefined, set() {}, enumerable: false, configurable: false });
}
