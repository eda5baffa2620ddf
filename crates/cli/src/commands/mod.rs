//! One file a command.

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod decide;
#[cfg(unix)]
pub(crate) mod dev;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod keys;
#[cfg(not(unix))]
pub(crate) mod not_here;
pub(crate) mod reach;
pub(crate) mod replay;
pub(crate) mod schema;
pub(crate) mod suggest;
pub(crate) mod test;

use crate::cli::{AnyFormat, Cli, Command, Format};
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// Does what the arguments ask.
pub(crate) fn run(cli: Cli, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let any_format = cli.format.unwrap_or(AnyFormat::Human);
    let given = match &cli.command {
        Command::Check(_) => None,
        _ => cli.format.map(Format::try_from).transpose()?,
    };
    let format = given.unwrap_or(Format::Human);
    if any_format != AnyFormat::Human {
        terminal.is_for_a_program();
    }
    match cli.command {
        Command::Init(args) => init::run(&args, format, terminal),
        Command::Check(args) => check::run(&args, any_format, terminal),
        Command::Compile(args) => compile::run(&args, format, terminal),
        Command::Build(args) => build::run(&args, format, terminal),
        Command::Inspect(args) => inspect::run(&args, format, terminal),
        // Many requests are asked by programs: their answers are JSON unless people say that they are people.
        Command::Decide(args) => decide::run(&args, given, terminal),
        Command::Test(args) => test::run(&args, format, terminal),
        Command::Keys(args) => keys::run(&args, format, terminal),
        #[cfg(unix)]
        Command::Dev(args) => dev::run(*args, format, terminal),
        #[cfg(not(unix))]
        Command::Dev(_) => Err(Failure::new("`tidegate dev` needs Unix sockets", "run it on Linux, macOS or WSL")),
        Command::Explain(args) => explain::run(&args, format, terminal),
        Command::Diff(args) => diff::run(&args, format, terminal),
        Command::Reach(args) => reach::run(&args, format, terminal),
        Command::Replay(args) => replay::run(&args, format, terminal),
        Command::Suggest(args) => suggest::run(&args, format, terminal),
        Command::Import(args) => import::run(&args, format, terminal),
        Command::Fmt(args) => fmt::run(&args, format, terminal),
        Command::Schema(args) => schema::run(&args, format, terminal),
        Command::Completions(args) => completions::run(&args, format, terminal),
        Command::Doctor(args) => doctor::run(&args, format, terminal),
    }
}
