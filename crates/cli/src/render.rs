//! How findings and failures look to people: rustc's way, one block each.

use std::collections::BTreeMap;

use annotate_snippets::{Group, Level, Renderer, normalize_untrusted_str};
use tidegate_compiler::checked::List;
pub(crate) use tidegate_test::render::{Shown, counted, diagnostics, shown, summary};

use crate::outcome::Failure;

/// `14 lines skipped: 2 exception, 12 path`; `None` where nothing was passed over.
pub(crate) fn skipped<'l>(lists: impl IntoIterator<Item = &'l List>) -> Option<String> {
    let mut kinds = BTreeMap::<&str, usize>::new();
    for (kind, lines) in lists.into_iter().flat_map(|list| &list.skipped).filter(|(_, lines)| *lines > 0) {
        *kinds.entry(kind).or_default() += lines;
    }
    let all = kinds.values().sum();
    let each: Vec<_> = kinds.into_iter().map(|(kind, lines)| format!("{lines} {kind}")).collect();
    (all > 0).then(|| format!("{} skipped: {}", counted(all, "line"), each.join(", ")))
}

/// Why a command stops, in the same manner.
pub(crate) fn failure(failure: &Failure) -> String {
    let title = Level::ERROR.primary_title(failure.message.as_str());
    let help = failure.help.iter().map(|help| Level::HELP.message(normalize_untrusted_str(help)));
    Renderer::styled().render(&[Group::with_title(title).elements(help)])
}
