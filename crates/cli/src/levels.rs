//! `-A`, `-W` and `-D`: levels of lints, as the command line gives them.
//!
//! Written by hand because their order counts, from left to right over all three, and a derived reader loses it.

use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches};
use tidegate_compiler::diagnostic::Level;
use tidegate_compiler::levels::{Levels, Lints};

/// The levels that the arguments ask for, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct LevelArgs(pub(crate) Levels);

const FLAGS: [(&str, char, Level, &str); 3] = [
    ("deny", 'D', Level::Deny, "Make findings of a lint errors; `warnings` is for all that would be warnings"),
    ("warn", 'W', Level::Warn, "Make findings of a lint warnings"),
    ("allow", 'A', Level::Allow, "Do not look for a lint"),
];

impl FromArgMatches for LevelArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut levels = Self::default();
        levels.update_from_arg_matches(matches)?;
        Ok(levels)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let given = |&(name, _, level, _): &(&str, _, Level, _)| {
            let places = matches.indices_of(name).into_iter().flatten();
            let lints = matches.get_many::<Lints>(name).into_iter().flatten();
            places.zip(lints).map(move |(place, &lints)| (place, lints, level)).collect::<Vec<_>>()
        };
        let mut orders: Vec<_> = FLAGS.iter().flat_map(given).collect();
        orders.sort_by_key(|&(place, ..)| place);
        for (_, lints, level) in orders {
            self.0.set(lints, level);
        }
        Ok(())
    }
}

impl clap::Args for LevelArgs {
    fn augment_args(command: Command) -> Command {
        command.args(FLAGS.map(|(name, short, _, help)| {
            Arg::new(name)
                .short(short)
                .long(name)
                .value_name("CODE")
                .help(help)
                .action(ArgAction::Append)
                .value_parser(str::parse::<Lints>)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
