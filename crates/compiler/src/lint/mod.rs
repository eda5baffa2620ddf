//! Lints: what is no error, and hardly meant.
//!
//! One file a lint, or a family of lints, named for it. What a lint says of requests is proved by [`crate::analysis`]: a
//! lint that claims a request shows one, and one that claims there is none has looked everywhere. Where that takes too long the
//! finding is [`Code::Undecided`]. Lints that are allowed are not looked for.

mod expiry;
mod lists;
mod names;
mod never;
mod overlap;
mod shadowed;
mod tenant_header;
mod unused;
mod wildcard;

use std::collections::BTreeSet;

use tidegate_engine::PolicyError;

use crate::Output;
use crate::analysis::formula::Formula;
use crate::analysis::model::{Facts, Model};
use crate::analysis::replay::Replay;
use crate::analysis::request::Point;
use crate::analysis::solve::solve;
use crate::analysis::space::Space;
use crate::analysis::strings::Search;
use crate::analysis::{Budget, Witness};
use crate::checked::{CheckedPolicy, Rule};
use crate::diagnostic::{Code, Diagnostic, Level};
use crate::levels::Levels;
use crate::source::SourceMap;

/// What lints of one policy share.
struct Context<'p> {
    policy: &'p CheckedPolicy,
    sources: &'p SourceMap,
    levels: &'p Levels,
    model: Model<'p>,
    space: Space<'p>,
    replay: Replay<'p>,
    /// Days since 1970-01-01.
    today: i64,
    has_tags: bool,
    budget: Budget,
    /// Rules that match nothing, by index: there is nothing more to say of them.
    dead: BTreeSet<usize>,
    findings: Vec<Diagnostic>,
    undecided: BTreeSet<(usize, Code)>,
}

/// Looks for everything that is hardly meant, at an instant in seconds since 1970-01-01. Findings are in source order and
/// have the severities that `levels` give them. `progress` is told how many of how many steps are done.
pub fn lint(
    output: &Output,
    sources: &SourceMap,
    levels: &Levels,
    now: i64,
    budget: Budget,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Diagnostic>, PolicyError> {
    let policy = &output.policy;
    let today = now.div_euclid(24 * 60 * 60);
    let mut space = Space::new();
    let model = Model::new(&mut space, policy, today);
    let mut context = Context {
        policy,
        sources,
        levels,
        model,
        space,
        replay: Replay::new(output, now)?,
        today,
        has_tags: Facts::of(policy).has_tags,
        budget,
        dead: BTreeSet::new(),
        findings: Vec::new(),
        undecided: BTreeSet::new(),
    };
    let checks: [fn(&mut Context<'_>); 9] = [
        never::check,
        unused::check,
        expiry::check,
        tenant_header::check,
        names::check,
        lists::check,
        wildcard::check,
        shadowed::check,
        overlap::check,
    ];
    for (done, check) in checks.iter().enumerate() {
        progress(done, checks.len());
        check(&mut context);
    }
    progress(checks.len(), checks.len());
    context.tell_undecided();
    let mut findings = levels.apply(context.findings);
    findings.sort_by_key(|finding| (finding.span, finding.code));
    Ok(findings)
}

impl<'p> Context<'p> {
    /// Whether a lint is looked for at all.
    fn looks_for(&self, code: Code) -> bool {
        self.levels.of(code) != Level::Allow
    }

    fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding.warning());
    }

    fn rule(&self, index: usize) -> &'p Rule {
        &self.policy.rules[index]
    }

    /// Looks for a request, for a lint about a rule. Where that takes too long, it is noted.
    fn ask(&mut self, code: Code, rule: usize, question: &Formula) -> Search<Point> {
        let found = solve(&mut self.space, question, self.budget);
        if let Search::TooLong = found {
            self.undecided.insert((rule, code));
        }
        found
    }

    fn witness(&self, point: &Point) -> Witness {
        point.witness(self.has_tags)
    }

    fn tell_undecided(&mut self) {
        if !self.looks_for(Code::Undecided) {
            return;
        }
        for (index, code) in std::mem::take(&mut self.undecided) {
            let rule = self.rule(index);
            let message = format!("whether `{}` holds of `{}` could not be decided", code.as_str(), rule.id);
            let finding = Diagnostic::error(Code::Undecided, rule.span, message);
            self.report(finding.help("the budget of work is spent; fewer patterns that overlap cost less"));
        }
    }
}
