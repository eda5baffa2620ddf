//! The `tidegate` command as this build has it, for tests that run it in a process of its own.

fn main() -> std::process::ExitCode {
    tidegate_cli::run(std::env::args_os())
}
