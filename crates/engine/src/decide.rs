//! The decision: every rule against the request, and what follows from those that match.
//!
//! An allow rule matches only if it is certainly true, a deny rule unless it is certainly false ([`crate::matching`]).

use std::fmt;

use sha2::{Digest, Sha256};
use tidegate_table::{Condition, Customer, Dimension, Effect, EnforceFor, Fault, Table, Texts};

use crate::canonical::{InvalidTarget, Target};
use crate::hygiene::tokens;
use crate::judgement::Reason;
use crate::matching::{Nobody, Truth, covers_host, meets, names_host_exactly, rule_truth};
use crate::policy::{Mode, Policy};
use crate::request::{MAX_HEADERS, RequestView};

/// A customer's name, in bytes.
const MAX_CUSTOMER: usize = 256;

/// Room for decisions; see [`Policy::scratch`].
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// Sets of the host index that hold the request's host.
    sets: BitSet,
    /// Those of them that name it exactly.
    exact_sets: BitSet,
    rules: Vec<u32>,
    would_deny: Vec<u32>,
    would_allow: Vec<u32>,
    denied: Vec<u32>,
}

impl Scratch {
    pub(crate) fn for_table(table: &Table<'_>) -> Self {
        let sets = table.policy().and_then(|policy| policy.set_count()).unwrap_or(0);
        let rules = || Vec::with_capacity(usize::try_from(table.rule_count()).unwrap_or(0));
        Self {
            sets: BitSet::with_room(sets),
            exact_sets: BitSet::with_room(sets),
            rules: rules(),
            would_deny: rules(),
            would_allow: rules(),
            denied: rules(),
        }
    }

    /// Whether a set of the host index holds the request's host.
    pub(crate) fn holds_host(&self, set: u32) -> bool {
        self.sets.contains(set)
    }

    /// Whether a set of the host index names the request's host exactly.
    pub(crate) fn names_host(&self, set: u32) -> bool {
        self.exact_sets.contains(set)
    }

    pub(crate) fn clear(&mut self) {
        self.sets.clear();
        self.exact_sets.clear();
        for list in [&mut self.rules, &mut self.would_deny, &mut self.would_allow, &mut self.denied] {
            list.clear();
        }
    }
}

/// What was decided, before anybody tried to meet obligations.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'s> {
    /// What happens.
    pub effect: Effect,
    /// Why.
    pub reason: Reason,
    /// False exactly when the effect is allow and would be deny without report mode.
    pub enforced: bool,
    /// What failed, where the reason is `evaluation-fault`.
    pub fault: Option<Fault>,
    /// The policy's report mode let this through: no obligations.
    pub(crate) waived: bool,
    scratch: &'s Scratch,
}

impl<'s> Decision<'s> {
    /// Indices of the rules that decided, in file order.
    pub fn rules(&self) -> &'s [u32] {
        &self.scratch.rules
    }

    /// Indices of the deny rules that matched and were not enforced.
    pub fn would_deny(&self) -> &'s [u32] {
        &self.scratch.would_deny
    }

    /// Indices of the report-mode allow rules that matched.
    pub fn would_allow(&self) -> &'s [u32] {
        &self.scratch.would_allow
    }

    /// Whether the host dimension of a condition covers the request's host.
    pub(crate) fn covers_host(
        &self,
        policy: &Policy<'_>,
        condition: &Condition<'_>,
        target: &Target,
    ) -> Result<bool, Fault> {
        covers_host(policy, condition, self.scratch, target)
    }
}

struct Verdict {
    effect: Effect,
    reason: Reason,
    enforced: bool,
    waived: bool,
}

impl Verdict {
    const fn deny(reason: Reason) -> Self {
        Self { effect: Effect::Deny, reason, enforced: true, waived: false }
    }
}

pub(crate) fn decide<'s>(policy: &Policy<'_>, request: &RequestView<'_>, scratch: &'s mut Scratch) -> Decision<'s> {
    scratch.clear();
    let (verdict, fault) = match evaluate(policy, request, scratch) {
        Ok(verdict) => (verdict, None),
        Err(fault) => {
            scratch.clear();
            (Verdict::deny(Reason::EvaluationFault), Some(fault))
        }
    };
    let Verdict { effect, reason, enforced, waived } = verdict;
    Decision { effect, reason, enforced, fault, waived, scratch }
}

fn evaluate(policy: &Policy<'_>, request: &RequestView<'_>, scratch: &mut Scratch) -> Result<Verdict, Fault> {
    let subject = match prepare(policy, request, scratch)? {
        Ok(subject) => subject,
        Err(unjudged) => return Ok(Verdict::deny(unjudged.reason())),
    };
    let target = subject.target;
    let may_waive = policy.mode() == Mode::Report && !is_enforced_already(policy, &subject)?;
    let mut names_special_host = false;
    for index in 0..policy.table.rule_count() {
        let rule = policy.table.rule(index)?;
        let truth = rule_truth(policy, &rule, &subject, scratch, &mut Nobody)?;
        let report = rule.is_report()?;
        match rule.effect()? {
            Effect::Deny if truth != Truth::False => {
                if report || may_waive {
                    scratch.would_deny.push(index);
                } else {
                    scratch.denied.push(index);
                }
            }
            Effect::Allow if truth == Truth::True => {
                if report {
                    scratch.would_allow.push(index);
                } else {
                    scratch.rules.push(index);
                    names_special_host = names_special_host || names_host_exactly(&rule, scratch)?;
                }
            }
            _ => {}
        }
    }

    // Deny wins, then special hosts, then allow, then the default.
    if !scratch.denied.is_empty() {
        std::mem::swap(&mut scratch.rules, &mut scratch.denied);
        return Ok(Verdict::deny(Reason::Rule));
    }
    if target.host().is_special() && !names_special_host {
        scratch.rules.clear();
        return Ok(Verdict::deny(Reason::SpecialHost));
    }
    let default = policy.table.policy()?.default_effect()?;
    let reason = if scratch.rules.is_empty() { Reason::Default } else { Reason::Rule };
    let denied_by_default = reason == Reason::Default && default == Effect::Deny;
    if denied_by_default && !may_waive {
        return Ok(Verdict::deny(Reason::Default));
    }
    let would_be_denied = denied_by_default || !scratch.would_deny.is_empty();
    let waived = may_waive && (denied_by_default || denied_but_for_policy_mode(policy, scratch)?);
    Ok(Verdict { effect: Effect::Allow, reason, enforced: !would_be_denied, waived })
}

/// Whether a deny rule that is not itself in report mode was waived by the policy's.
fn denied_but_for_policy_mode(policy: &Policy<'_>, scratch: &Scratch) -> Result<bool, Fault> {
    for &index in &scratch.would_deny {
        if !policy.table.rule(index)?.is_report()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Why a request never comes to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unjudged {
    /// `invalid-request`: names and values of the headers are over 128 KiB together.
    Headers,
    /// `invalid-request`: the method is no token (RFC 9110 §5.6.2).
    Method,
    /// `invalid-request`: the URL is none that can be judged.
    Target(InvalidTarget),
    /// `invalid-request`: TRACE sends back what it is sent, credentials too.
    Trace,
    /// `unknown-customer`: the request does not say whose it is.
    UnknownCustomer,
}

impl Unjudged {
    /// The reason of the denial.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Headers | Self::Method | Self::Target(_) | Self::Trace => Reason::InvalidRequest,
            Self::UnknownCustomer => Reason::UnknownCustomer,
        }
    }
}

impl fmt::Display for Unjudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Headers => f.write_str("the headers are over 128 KiB"),
            Self::Method => f.write_str("the method is not a token"),
            Self::Target(invalid) => invalid.fmt(f),
            Self::Trace => f.write_str("TRACE is never let through"),
            Self::UnknownCustomer => f.write_str("the request does not say whose it is"),
        }
    }
}

/// Makes a request ready for the rules: who asks for what, and which sets of the host index hold its host.
pub(crate) fn prepare<'r, 'p>(
    policy: &'p Policy<'_>,
    request: &'r RequestView<'_>,
    scratch: &mut Scratch,
) -> Result<Result<Subject<'r, 'p>, Unjudged>, Fault> {
    let target = match valid_target(request) {
        Ok(target) => target,
        Err(unjudged) => return Ok(Err(unjudged)),
    };
    let Some(subject) = Subject::of(policy, request, target)? else { return Ok(Err(Unjudged::UnknownCustomer)) };

    let known_sets = policy.table.policy()?.set_count()?;
    let mut unknown_set = false;
    policy.table.sets_of_host(target.host().as_str(), |set, exact| {
        if set >= known_sets {
            unknown_set = true;
            return;
        }
        scratch.sets.insert(set);
        if exact {
            scratch.exact_sets.insert(set);
        }
    })?;
    if unknown_set { Err(Fault("no such set")) } else { Ok(Ok(subject)) }
}

/// The target of a request that can be judged at all.
fn valid_target<'r>(request: &RequestView<'r>) -> Result<&'r Target, Unjudged> {
    let target = request.target.map_err(Unjudged::Target)?;
    if !is_token(request.method) {
        return Err(Unjudged::Method);
    }
    if request.method.eq_ignore_ascii_case("TRACE") {
        return Err(Unjudged::Trace);
    }
    let header_bytes = request
        .headers
        .iter()
        .fold(0_usize, |sum, (name, value)| sum.saturating_add(name.len()).saturating_add(value.len()));
    if header_bytes > MAX_HEADERS { Err(Unjudged::Headers) } else { Ok(target) }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Who asks for what, checked and looked up once.
pub(crate) struct Subject<'r, 'p> {
    pub(crate) request: &'r RequestView<'r>,
    pub(crate) target: &'r Target,
    customer: Option<&'r str>,
    tags: &'r [String],
    known: Option<Customer<'p>>,
    pub(crate) is_upgrade: bool,
    /// Days since 1970-01-01.
    pub(crate) today: i64,
}

impl<'r, 'p> Subject<'r, 'p> {
    /// `None` where the request does not say whose it is.
    fn of(policy: &'p Policy<'_>, request: &'r RequestView<'_>, target: &'r Target) -> Result<Option<Self>, Fault> {
        let (customer, tags) = match policy.identity() {
            None => (None, &[][..]),
            Some(identity) => {
                let Some(customer) = request.customer.filter(|name| is_customer(name)) else { return Ok(None) };
                let tags = match (&identity.tags, request.tags) {
                    (None, _) => &[],
                    (Some(_), Some(tags)) => tags,
                    (Some(_), None) => return Ok(None),
                };
                if identity.vars.is_some() && request.vars.is_none() {
                    return Ok(None);
                }
                (Some(customer), tags)
            }
        };
        let known = match customer {
            Some(name) => policy.table.customer(name)?,
            None => None,
        };
        let today = request.now.div_euclid(24 * 60 * 60);
        Ok(Some(Self { request, target, customer, tags, known, is_upgrade: request.is_upgrade(), today }))
    }

    pub(crate) fn has_tag(&self, wanted: Texts<'_>) -> Result<bool, Fault> {
        for tag in wanted {
            let tag = tag?;
            if self.tags.iter().any(|own| own == tag) {
                return Ok(true);
            }
            if let Some(known) = &self.known
                && known.tags()?.contains_sorted(tag)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn is_customer_in(&self, policy: &Policy<'_>, dimension: &Dimension<'_>) -> Result<bool, Fault> {
        match self.customer {
            Some(name) => meets(policy, dimension, name),
            None => Ok(false),
        }
    }
}

fn is_customer(name: &str) -> bool {
    (1..=MAX_CUSTOMER).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Whether a rollout enforces this request although the policy is in report mode.
fn is_enforced_already(policy: &Policy<'_>, subject: &Subject<'_, '_>) -> Result<bool, Fault> {
    for alternative in policy.table.policy()?.enforce_for()? {
        if is_in(policy, &alternative?, subject)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_in(policy: &Policy<'_>, alternative: &EnforceFor<'_>, subject: &Subject<'_, '_>) -> Result<bool, Fault> {
    if let Some(customers) = alternative.customers()?
        && !subject.is_customer_in(policy, &customers)?
    {
        return Ok(false);
    }
    if let Some(tags) = alternative.tags()?
        && !subject.has_tag(tags)?
    {
        return Ok(false);
    }
    match alternative.percent()? {
        None => Ok(true),
        Some(share) => Ok(subject.customer.is_some_and(|name| bucket(name) < u64::from(share))),
    }
}

/// Which of 10,000 buckets a customer is in, the same for ever.
pub fn bucket(customer: &str) -> u64 {
    let hash = Sha256::digest(customer);
    hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes) % 10_000)
}

impl RequestView<'_> {
    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether this asks to become a WebSocket.
    pub fn is_upgrade(&self) -> bool {
        self.header("upgrade").is_some_and(|value| tokens(value).any(|token| token.eq_ignore_ascii_case("websocket")))
    }
}

/// A set of small numbers.
#[derive(Clone, Debug, Default)]
struct BitSet(Vec<u64>);

impl BitSet {
    fn with_room(size: u32) -> Self {
        Self(Vec::with_capacity(usize::try_from(size).unwrap_or(0).div_ceil(64)))
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn insert(&mut self, number: u32) {
        let (word, bit) = Self::place(number);
        if word >= self.0.len() {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn contains(&self, number: u32) -> bool {
        let (word, bit) = Self::place(number);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    fn place(number: u32) -> (usize, u64) {
        (usize::try_from(number / 64).unwrap_or(usize::MAX), 1 << (number % 64))
    }
}
