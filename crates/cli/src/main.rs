//! The `tidegate` command; everything is in the library, so that tests can reach it.

fn main() -> std::process::ExitCode {
    tidegate_cli::run(std::env::args_os())
}
