//! The command line from outside: the real binary, its streams and its exit codes.

mod build;
mod cache;
mod check;
mod claims;
mod compile;
mod completions;
mod decide;
mod dev;
mod diagnostics;
mod diff;
mod doctor;
mod explain;
mod fmt;
mod formats;
mod import;
mod init;
mod keys;
mod replay;
mod rollout;
mod schema;
mod suggest;
mod support;
mod test;
mod usage;
