//! The store on a real disk: what is kept, what is refused, and what survives.

mod support;

mod scripts;
