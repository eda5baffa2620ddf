// What frees an object of Rust's that no JavaScript holds on to any more. wasm-bindgen hands it over to a `FinalizationRegistry`,
// which calls back whenever the collector of JavaScript has been at work: perhaps after the instance has ended, and
// before the next request makes a fresh one. Then nothing is to be freed, for the memory goes as a whole, and nothing
// may run in it (`instance.rs`). For objects of an instance before this one wasm-bindgen itself sees to that.
//
// This is evaluated before wasm-bindgen's part, which takes its registries from here.

const { FinalizationRegistry } = globalThis;

globalThis.FinalizationRegistry = class extends FinalizationRegistry {
  constructor(free) {
    super((held) => {
      if (!globalThis.__worker_init_state.criticalError) free(held);
    });
  }
};
