//! `tidegate completions`: what shells complete.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::{Cli, Format};
use crate::outcome::{Failure, Outcome};
use crate::terminal::Terminal;

/// Print completions for a shell
///
/// For this session: `source <(tidegate completions bash)`. For all, write them where the shell looks:
/// bash ~/.local/share/bash-completion/completions/tidegate, zsh _tidegate in a folder of $fpath,
/// fish ~/.config/fish/completions/tidegate.fish.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args, _format: Format, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tidegate", &mut script);
    terminal.text(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Fine)
}
