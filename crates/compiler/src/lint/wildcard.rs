//! `narrow-wildcard`: deny rules whose `*` leaves what is deeper open.

use super::Context;
use crate::analysis::formula::{Formula, Predicate};
use crate::analysis::request::Point;
use crate::analysis::strings::Search;
use crate::checked::{Effect, HostPattern, PathPattern, Pattern};
use crate::diagnostic::{Code, Diagnostic};

pub(super) fn check(context: &mut Context<'_>) {
    if !context.looks_for(Code::NarrowWildcard) {
        return;
    }
    let denies: Vec<usize> = context.model.deciding(Effect::Deny).map(|(index, _)| index).collect();
    for index in denies {
        let rule = context.rule(index);
        for pattern in rule.condition.hosts.iter().flat_map(|hosts| &hosts.patterns) {
            let HostPattern::Glob(glob) = pattern else { continue };
            let Some(beneath) = glob.text.strip_prefix("*.").filter(|rest| !rest.contains('*')) else { continue };
            let host = Formula::is(Predicate::Host(context.space.hosts.add_one(&format!("a.{beneath}"))));
            let deeper = |point: &mut Point| point.host = format!("a.b.{beneath}");
            let help = format!(
                "`domains = [\"{beneath}\"]` is the name and everything beneath it; `**.{beneath}` is what is beneath"
            );
            tell(context, index, glob, Some(host), deeper, help);
        }
        for pattern in rule.condition.paths.iter().flatten() {
            let PathPattern::Glob(glob) = pattern else { continue };
            let Some(before) = glob.text.strip_suffix("/*").filter(|before| !before.contains('*')) else { continue };
            let deeper = |point: &mut Point| point.path = format!("{before}/a/b");
            let help = format!("`{before}/**` is everything beneath `{before}/`");
            tell(context, index, glob, None, deeper, help);
        }
    }
}

/// Shows a request that the pattern meets, and one a step deeper that goes out.
fn tell(
    context: &mut Context<'_>,
    index: usize,
    glob: &Pattern,
    within: Option<Formula>,
    deeper: impl Fn(&mut Point),
    help: String,
) {
    let matches = context.model.rules[index].matches.clone();
    let question = within.map_or(matches.clone(), |within| matches.and(within));
    let Search::Found(mut point) = context.ask(Code::NarrowWildcard, index, &question) else { return };
    deeper(&mut point);
    let witness = context.witness(&point);
    if context.replay.verdict(&witness).effect != tidegate_engine::Effect::Allow {
        return;
    }
    let message = format!("`{}` in a deny rule leaves what is deeper open", glob.text);
    let finding = Diagnostic::error(Code::NarrowWildcard, glob.span, message);
    context.report(finding.help(format!("allowed is {witness}")).help(help));
}
