//! How findings and failures look to people: rustc's way, one block each.

use annotate_snippets::{Group, Level, Renderer, normalize_untrusted_str};
pub(crate) use tidegate_test::render::{Shown, counted, diagnostics, shown, summary};

use crate::outcome::Failure;

/// Why a command stops, in the same manner.
pub(crate) fn failure(failure: &Failure) -> String {
    let title = Level::ERROR.primary_title(failure.message.as_str());
    let help = failure.help.iter().map(|help| Level::HELP.message(normalize_untrusted_str(help)));
    Renderer::styled().render(&[Group::with_title(title).elements(help)])
}
