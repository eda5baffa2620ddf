//! Which rules of a policy a set of requests has tried, and which of their alternatives.
//!
//! A rule has *decided* if a decision named it (of a rule in report mode: would have), it has *matched* if it held though another
//! rule decided. An alternative was *met* if its rule held and the request's value is one of its; that of an exception if the rest of
//! the rule held and the exception applied. So a host that is only ever asked for by customers whom the rule does not mean
//! is not covered. A list counts as one alternative.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tidegate_compiler::alternatives::{self, Alternative, Values};
use tidegate_compiler::checked::{CheckedPolicy, Condition, Effect, Scheme};
use tidegate_compiler::source::{SourceMap, Span};
use tidegate_engine::canonical::Scheme as JudgedScheme;
use tidegate_engine::{ConditionTrace, Judgement, RuleTrace, Target, Truth};

use crate::explanation::Place;
use crate::request::Request;

/// What was tried of one policy.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// The policy's file.
    pub policy: PathBuf,
    /// Every rule, in file order, `extends` first.
    pub rules: Vec<RuleCoverage>,
}

/// What was tried of one rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleCoverage {
    /// The rule's id.
    pub id: String,
    /// `allow` or `deny`.
    pub effect: &'static str,
    /// Where it is written.
    #[serde(flatten)]
    pub place: Place,
    /// How many requests it decided.
    pub decided: usize,
    /// How many requests it held of, those that it decided included.
    pub matched: usize,
    /// Its alternatives, those of its exceptions last.
    pub alternatives: Vec<AlternativeCoverage>,
}

/// Whether one alternative was met.
#[derive(Clone, Debug, Serialize)]
pub struct AlternativeCoverage {
    /// Of which exception it is, from 1; null for the rule's own.
    pub except: Option<usize>,
    /// The key that it stands under.
    pub key: &'static str,
    /// The header that it is a condition on.
    pub header: Option<String>,
    /// Its canonical text.
    pub text: String,
    /// Where it is written.
    #[serde(flatten)]
    pub place: Place,
    /// Whether it was met.
    pub met: bool,
}

impl Coverage {
    /// Rules that decided at least one request.
    pub fn decided(&self) -> usize {
        self.rules.iter().filter(|rule| rule.decided > 0).count()
    }

    /// Alternatives, and how many of them were met.
    pub fn alternatives(&self) -> (usize, usize) {
        let all = || self.rules.iter().flat_map(|rule| &rule.alternatives);
        (all().count(), all().filter(|alternative| alternative.met).count())
    }

    /// Adds what other requests tried of the same policy.
    pub fn add(&mut self, other: &Self) {
        for (rule, other) in self.rules.iter_mut().zip(&other.rules) {
            rule.decided += other.decided;
            rule.matched += other.matched;
            for (alternative, other) in rule.alternatives.iter_mut().zip(&other.alternatives) {
                alternative.met |= other.met;
            }
        }
    }
}

/// Takes down what requests try of a policy.
pub(crate) struct Recorder<'p> {
    policy: &'p CheckedPolicy,
    /// Of each rule, its own condition's and then its exceptions'.
    alternatives: Vec<Vec<Vec<Alternative<'p>>>>,
    coverage: Coverage,
}

impl<'p> Recorder<'p> {
    pub(crate) fn new(path: &Path, policy: &'p CheckedPolicy, sources: &SourceMap) -> Self {
        let place = |span: Span| Place::of(span, sources);
        let of = |condition: &'p Condition| alternatives::of(condition, policy);
        let (mut all, mut rules) = (Vec::new(), Vec::new());
        for rule in &policy.rules {
            let own: Vec<_> = std::iter::once(&rule.condition).chain(&rule.except).map(of).collect();
            let described = own
                .iter()
                .enumerate()
                .flat_map(|(number, alternatives)| alternatives.iter().map(move |alternative| (number, alternative)));
            let described = described.map(|(number, alternative)| AlternativeCoverage {
                except: (number > 0).then_some(number),
                key: alternative.key.as_str(),
                header: alternative.header.map(str::to_owned),
                text: alternative.text.clone(),
                place: place(alternative.span.unwrap_or(rule.span)),
                met: false,
            });
            rules.push(RuleCoverage {
                id: rule.id.clone(),
                effect: if rule.effect == Effect::Allow { "allow" } else { "deny" },
                place: place(rule.span),
                decided: 0,
                matched: 0,
                alternatives: described.collect(),
            });
            all.push(own);
        }
        Self { policy, alternatives: all, coverage: Coverage { policy: path.to_owned(), rules } }
    }

    pub(crate) fn finish(self) -> Coverage {
        self.coverage
    }

    /// Takes down what one request tried.
    pub(crate) fn record(
        &mut self,
        request: &Request,
        target: &Target,
        tags: &[&str],
        traces: &[RuleTrace<'_>],
        judgement: &Judgement<'_>,
    ) {
        let values = Values {
            customer: self.policy.identity.as_ref().and(request.customer.as_deref()),
            tags,
            host: target.host().as_str(),
            scheme: match target.scheme() {
                JudgedScheme::Http => Scheme::Http,
                JudgedScheme::Https => Scheme::Https,
            },
            port: target.port(),
            method: &request.method,
            path: target.path(),
            headers: &request.headers,
        };
        let spoke = |index: u32| {
            // A rule in report mode speaks in the record alone.
            let named = [&judgement.rules, &judgement.would_deny, &judgement.would_allow];
            named.into_iter().flatten().any(|rule| rule.index == index)
        };
        for ((trace, rule), alternatives) in traces.iter().zip(&mut self.coverage.rules).zip(&self.alternatives) {
            rule.matched += usize::from(trace.matches());
            rule.decided += usize::from(spoke(trace.rule.index));
            let conditions = std::iter::once(trace.matches()).chain(excepted(trace));
            let met = conditions.zip(alternatives).flat_map(|(applies, alternatives)| {
                alternatives.iter().map(move |alternative| applies && alternative.meets(&values))
            });
            for (alternative, met) in rule.alternatives.iter_mut().zip(met) {
                alternative.met |= met;
            }
        }
    }
}

/// Of each exception, whether it applied to a request that the rule otherwise holds of.
fn excepted(trace: &RuleTrace<'_>) -> impl Iterator<Item = bool> {
    let holds = |condition: &ConditionTrace<'_>| condition.truth() != Truth::False;
    let otherwise = holds(&trace.condition);
    trace.exceptions.iter().map(move |exception| otherwise && holds(exception))
}
