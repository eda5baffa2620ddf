//! The command line from outside: the real binary, its streams and its exit codes.

mod build;
mod check;
mod compile;
mod decide;
mod dev;
mod diagnostics;
mod doctor;
mod explain;
mod formats;
mod import;
mod init;
mod keys;
mod replay;
mod schema;
mod suggest;
mod support;
mod test;
mod usage;
