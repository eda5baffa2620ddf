//! One header, two ways: obligations of rules that can match one request must agree.
//!
//! All matching allow rules contribute, so a header that two of them set to different values, or that one sets and
//! the other removes, would depend on which is asked first. Rules in report mode grant nothing and are left out.

use std::collections::{BTreeMap, HashMap};

use tidegate_engine::hygiene::fold;

use super::neighbours::Neighbours;
use super::rules::{RuleAt, place_of};
use crate::analysis::formula::Formula;
use crate::analysis::model::{self, Facts};
use crate::analysis::solve::solve;
use crate::analysis::space::Space;
use crate::analysis::strings::Search;
use crate::analysis::{Budget, Witness};
use crate::checked::{Effect, Jwt, Mode, Template};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// Other rules that one finding shows; there may be thousands.
const MAX_SHOWN: usize = 5;

/// What the comparison of two rules may cost, and that of all: policies are compiled on every change.
const BUDGET: Budget = Budget { question: 2_000, all: 100_000 };

/// What a rule does to a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way<'r> {
    Keep,
    Remove,
    Set(&'r Template),
    Token(&'r Jwt),
}

/// A rule that does something to a header, and where it says so.
#[derive(Clone, Copy, Debug)]
struct Act<'r> {
    rule: usize,
    way: Way<'r>,
    span: Span,
}

impl Way<'_> {
    /// A token is put on after everything was removed, and there is nothing to keep where all goes: neither is against
    /// `remove`.
    fn contradicts(self, other: Self) -> bool {
        match (self, other) {
            (Self::Set(a), Self::Set(b)) => a != b,
            (Self::Token(a), Self::Token(b)) => a != b,
            (Self::Set(_), _) | (_, Self::Set(_)) | (Self::Token(_), Self::Keep) | (Self::Keep, Self::Token(_)) => true,
            (Self::Remove | Self::Keep, _) | (Self::Token(_), Self::Remove) => false,
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Keep => "keeps it",
            Self::Remove => "removes it",
            Self::Set(_) => "sets it",
            Self::Token(_) => "puts a token there",
        }
    }
}

/// Compares every two rules that have to do with one header.
pub(super) fn check<'r>(
    rules: &'r [RuleAt<'r>],
    facts: Facts<'r>,
    has_customers: bool,
    findings: &mut Vec<Diagnostic>,
) {
    let mut by_header: BTreeMap<String, Vec<Act<'_>>> = BTreeMap::new();
    let mut tokens = Vec::new();
    for (rule, at) in rules.iter().enumerate() {
        let counts = at.rule.effect == Effect::Allow && at.rule.mode == Mode::Enforce && at.sound;
        if counts {
            collect(rule, at, &mut by_header, &mut tokens);
        }
    }
    let mut space = Space::new();
    space.has_customers = has_customers;
    let mut compare = Compare { rules, facts, space, matches: HashMap::new(), findings };
    for (header, acts) in &by_header {
        compare.header(header, acts);
    }
    compare.tokens(&tokens);
}

fn collect<'r>(
    rule: usize,
    at: &'r RuleAt<'_>,
    by_header: &mut BTreeMap<String, Vec<Act<'r>>>,
    tokens: &mut Vec<Act<'r>>,
) {
    let obligations = &at.rule.obligations;
    let names: Vec<_> = at.entry.set.iter().map(|(name, _)| name.clone()).collect();
    let mut add = |header: &str, way, span: Option<Span>| {
        by_header.entry(fold(header)).or_default().push(Act { rule, way, span: span.unwrap_or(at.rule.span) });
    };
    for header in &obligations.remove {
        add(header, Way::Remove, place_of(&at.entry.remove, &fold(header)));
    }
    for header in &obligations.keep {
        add(header, Way::Keep, place_of(&at.entry.keep, &fold(header)));
    }
    for (header, template) in &obligations.set {
        add(header, Way::Set(template), place_of(&names, &fold(header)));
    }
    if let Some(jwt) = &obligations.jwt {
        let span = at.entry.jwt.as_ref().map(|jwt| jwt.key);
        add(&jwt.header, Way::Token(jwt), span);
        tokens.push(Act { rule, way: Way::Token(jwt), span: span.unwrap_or(at.rule.span) });
    }
}

struct Compare<'c, 'r> {
    rules: &'r [RuleAt<'r>],
    facts: Facts<'r>,
    space: Space<'r>,
    matches: HashMap<usize, Formula>,
    findings: &'c mut Vec<Diagnostic>,
}

/// Whether two rules can match one request.
enum Overlap {
    /// Nobody could tell in time.
    Unknown,
    /// This one.
    At(Witness),
}

impl Compare<'_, '_> {
    /// Compares what rules do to one header. Each rule is told once of the rules before it.
    fn header(&mut self, header: &str, acts: &[Act<'_>]) {
        let contradict = |a: &Act<'_>, b: &Act<'_>| {
            let both_tokens = matches!((a.way, b.way), (Way::Token(_), Way::Token(_)));
            !both_tokens && a.way.contradicts(b.way)
        };
        if acts.iter().all(|act| act.way == acts[0].way) {
            return;
        }
        let mut told = None;
        let mut neighbours = Neighbours::default();
        for (index, later) in acts.iter().enumerate() {
            for earlier in acts[..index].iter().rev().take_while(|earlier| earlier.rule == later.rule) {
                if contradict(earlier, later) {
                    self.findings.push(within_rule(&self.rules[later.rule].rule.id, header, earlier, later));
                }
            }
            let against = self.against(later, acts, &neighbours, contradict);
            neighbours.add(&self.rules[later.rule].rule, index);
            if told != Some(later.rule) && !against.is_empty() {
                told = Some(later.rule);
                let ends = format!("give `{header}` in two ways");
                self.report(&ends, later, &against);
            }
        }
    }

    /// Compares what tokens rules ask for: a request carries one, whatever header it is in.
    fn tokens(&mut self, acts: &[Act<'_>]) {
        let mut neighbours = Neighbours::default();
        for (index, later) in acts.iter().enumerate() {
            let against = self.against(later, acts, &neighbours, |a, b| a.way.contradicts(b.way));
            neighbours.add(&self.rules[later.rule].rule, index);
            if !against.is_empty() {
                self.report("ask for two different tokens", later, &against);
            }
        }
    }

    /// Those of the earlier acts, of other rules, that one contradicts, and a request for each.
    fn against<'a>(
        &mut self,
        later: &Act<'_>,
        acts: &'a [Act<'a>],
        earlier: &Neighbours<'_>,
        contradict: impl Fn(&Act<'_>, &Act<'_>) -> bool,
    ) -> Vec<(&'a Act<'a>, Overlap)> {
        let is_against = |earlier: &Act<'_>| earlier.rule != later.rule && contradict(earlier, later);
        let neighbours = earlier.of(&self.rules[later.rule].rule, |index| is_against(&acts[index]));
        neighbours
            .into_iter()
            .map(|index| &acts[index])
            .filter_map(|earlier| Some((earlier, self.overlap(earlier.rule, later.rule)?)))
            .collect()
    }

    /// `None` where it is certain that no request is matched by both.
    fn overlap(&mut self, a: usize, b: usize) -> Option<Overlap> {
        let both = self.matches(a).and(self.matches(b));
        match solve(&mut self.space, &both, BUDGET) {
            Search::Found(point) => Some(Overlap::At(point.witness(self.facts.has_tags))),
            Search::Nothing => None,
            Search::TooLong => Some(Overlap::Unknown),
        }
    }

    fn matches(&mut self, rule: usize) -> Formula {
        if let Some(known) = self.matches.get(&rule) {
            return known.clone();
        }
        let formula = model::matches(&mut self.space, &self.rules[rule].rule, self.facts);
        self.matches.insert(rule, formula.clone());
        formula
    }

    fn report(&mut self, ends: &str, later: &Act<'_>, against: &[(&Act<'_>, Overlap)]) {
        let Some((first, overlap)) = against.first() else { return };
        let id = |act: &Act<'_>| self.rules[act.rule].rule.id.as_str();
        let is_set = |act: &Act<'_>| matches!(act.way, Way::Set(_));
        let message = format!("`{}` and `{}` can match one request, and {ends}", id(first), id(later));
        let mut finding = Diagnostic::error(Code::Conflict, later.span, message);
        for (other, _) in against.iter().take(MAX_SHOWN) {
            finding = finding.label(other.span, format!("`{}` {}", id(other), other.way.describe()));
        }
        if against.len() > MAX_SHOWN {
            finding = finding.help(format!("there are {} more rules like `{}`", against.len() - MAX_SHOWN, id(first)));
        }
        finding = finding.help(match overlap {
            Overlap::At(witness) => format!("such a request is {witness}"),
            Overlap::Unknown => "whether there is such a request could not be proved or ruled out".to_owned(),
        });
        finding =
            finding.help(format!("keep them apart: give `{}` an `except` with what `{}` is for", id(first), id(later)));
        if is_set(first) && is_set(later) {
            finding =
                finding.help("or set one template in both, with `{vars.NAME}` for what differs between customers");
        }
        self.findings.push(finding);
    }
}

fn within_rule(id: &str, header: &str, earlier: &Act<'_>, later: &Act<'_>) -> Diagnostic {
    let message = format!("`{id}` gives `{header}` in two ways");
    Diagnostic::error(Code::Conflict, later.span, message)
        .label(earlier.span, format!("here it {}", earlier.way.describe()))
        .help("decide for one: what a rule sets takes the place of what the tenant sent")
}
