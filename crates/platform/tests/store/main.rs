//! The store on a real disk: what is kept, what is refused, and what survives.

mod assets;
mod collection;
mod concurrency;
mod crashes;
mod faults;
mod keys;
mod kv;
mod lists;
mod opening;
mod reset;
mod scripts;
mod support;
mod versions;
