//! Cloudflare's own SDKs against the platform: the Python SDK 5.9.0 and its own test suite, the TypeScript SDK 6.5.0, and
//! the TypeScript SDK 7.3.0, which sends uploads that nobody can read.
//!
//! What needs a state of its own before each request runs on `tidegate dev --seeded`, the command in a process of its own;
//! everything else on an ordinary platform, with a dispatch Worker through which what was uploaded answers.

mod scenario;
mod seeded;
