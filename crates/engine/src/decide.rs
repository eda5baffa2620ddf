//! The decision: every rule that can match against the request, and what follows from those that do.
//!
//! Which rules can match says the table's rule index, see [`tidegate_table::Posting`]: what a decision costs depends on how many these are,
//! not on how many there are. They are gathered in a bit set, which puts them in file order, each once.
//!
//! An allow rule matches only if it is certainly true, a deny rule unless it is certainly false ([`crate::matching`]).

use std::fmt;

use sha2::{Digest, Sha256};
use tidegate_table::{Customer, Customers, Effect, EnforceFor, Fault, Numbers, Table};

use crate::bits::BitSet;
use crate::candidates::gather;
use crate::canonical::{InvalidTarget, Target};
use crate::hygiene::tokens;
use crate::judgement::Reason;
use crate::matching::{Nobody, Truth, names_host_exactly, rule_truth};
use crate::policy::{Mode, Policy};
use crate::request::{MAX_HEADERS, RequestView};

/// A customer's name, in bytes.
const MAX_CUSTOMER: usize = 256;

/// Room for decisions; see [`Policy::scratch`]. Bits: two for each set of the host index, one for each tag, five for each
/// rule, none for customers and names.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// Sets of the host index that hold the request's host.
    pub(crate) sets: BitSet,
    /// Those of them that name it exactly.
    exact_sets: BitSet,
    /// Tags of the request and of its customer.
    pub(crate) tags: BitSet,
    /// Rules that can match.
    pub(crate) candidates: BitSet,
    rules: BitSet,
    would_deny: BitSet,
    would_allow: BitSet,
    denied: BitSet,
}

impl Scratch {
    pub(crate) fn for_table(table: &Table<'_>) -> Self {
        let sets = || BitSet::with_room(table.policy().and_then(|policy| policy.set_count()).unwrap_or(0));
        let rules = || BitSet::with_room(table.rule_count());
        Self {
            sets: sets(),
            exact_sets: sets(),
            tags: BitSet::with_room(table.tag_count().unwrap_or(0)),
            candidates: rules(),
            rules: rules(),
            would_deny: rules(),
            would_allow: rules(),
            denied: rules(),
        }
    }

    /// Whether one of these sets of the host index, sorted, holds the request's host.
    pub(crate) fn holds_host(&self, sets: &Numbers<'_>) -> bool {
        self.sets.iter().any(|set| sets.contains_sorted(set))
    }

    /// Whether one of these sets of the host index, sorted, names the request's host exactly.
    pub(crate) fn names_host(&self, sets: &Numbers<'_>) -> bool {
        self.exact_sets.iter().any(|set| sets.contains_sorted(set))
    }

    /// Whether the request or its customer has one of these tags.
    pub(crate) fn has_tag(&self, mut tags: Numbers<'_>) -> bool {
        tags.any(|tag| self.tags.contains(tag))
    }

    /// Empties it, and makes room for another policy than the one it was made for.
    pub(crate) fn make_ready(&mut self, table: &Table<'_>) -> Result<(), Fault> {
        let (sets, tags, rules) = (table.policy()?.set_count()?, table.tag_count()?, table.rule_count());
        if self.sets.room() < sets || self.tags.room() < tags || self.rules.room() < rules {
            *self = Self::for_table(table);
        }
        self.clear();
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        for set in [
            &mut self.sets,
            &mut self.exact_sets,
            &mut self.tags,
            &mut self.candidates,
            &mut self.rules,
            &mut self.would_deny,
            &mut self.would_allow,
            &mut self.denied,
        ] {
            set.clear();
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
    pub fn rules(&self) -> impl Iterator<Item = u32> + use<'s> {
        self.scratch.rules.iter()
    }

    /// Indices of the deny rules that matched and were not enforced, in file order.
    pub fn would_deny(&self) -> impl Iterator<Item = u32> + use<'s> {
        self.scratch.would_deny.iter()
    }

    /// Indices of the report-mode allow rules that matched, in file order.
    pub fn would_allow(&self) -> impl Iterator<Item = u32> + use<'s> {
        self.scratch.would_allow.iter()
    }

    /// Sets of the host index that hold the request's host.
    pub(crate) fn sets(&self) -> impl Iterator<Item = u32> + use<'s> {
        self.scratch.sets.iter()
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
    let evaluated = scratch.make_ready(&policy.table).and_then(|()| evaluate(policy, request, scratch));
    let (verdict, fault) = match evaluated {
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
    let may_waive = policy.mode() == Mode::Report && !is_enforced_already(policy, &subject, scratch)?;
    let mut names_special_host = false;
    gather(policy, &subject, scratch)?;
    let mut from = 0;
    while let Some(index) = scratch.candidates.next(from) {
        from = index.saturating_add(1);
        let rule = policy.table.rule(index)?;
        let truth = rule_truth(policy, &rule, &subject, scratch, &mut Nobody)?;
        let report = rule.is_report()?;
        match rule.effect()? {
            Effect::Deny if truth != Truth::False => {
                if report || may_waive {
                    scratch.would_deny.insert(index)?;
                } else {
                    scratch.denied.insert(index)?;
                }
            }
            Effect::Allow if truth == Truth::True => {
                if report {
                    scratch.would_allow.insert(index)?;
                } else {
                    scratch.rules.insert(index)?;
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
    for index in scratch.would_deny.iter() {
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

    let mut unknown = None;
    policy.table.sets_of_host(target.host().as_str(), |set, exact| {
        unknown = unknown.or(scratch.sets.insert(set).err());
        if exact {
            unknown = unknown.or(scratch.exact_sets.insert(set).err());
        }
    })?;
    if let Some(fault) = unknown {
        return Err(fault);
    }
    for tag in subject.tags {
        if let Some(tag) = policy.table.tag(tag)? {
            scratch.tags.insert(tag)?;
        }
    }
    if let Some(known) = &subject.known {
        for tag in known.tags()? {
            scratch.tags.insert(tag)?;
        }
    }
    Ok(Ok(subject))
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
    pub(crate) customer: Option<&'r str>,
    tags: &'r [String],
    /// The customer, if the policy names it anywhere.
    pub(crate) known: Option<Customer<'p>>,
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

    pub(crate) fn is_customer_in(&self, policy: &Policy<'_>, customers: &Customers<'_>) -> Result<bool, Fault> {
        if self.known.as_ref().is_some_and(|known| customers.exact.contains_sorted(known.number())) {
            return Ok(true);
        }
        match (customers.automaton, self.customer) {
            (Some(automaton), Some(name)) => policy.accepts(automaton, name),
            _ => Ok(false),
        }
    }
}

fn is_customer(name: &str) -> bool {
    (1..=MAX_CUSTOMER).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Whether a rollout enforces this request although the policy is in report mode.
fn is_enforced_already(policy: &Policy<'_>, subject: &Subject<'_, '_>, scratch: &Scratch) -> Result<bool, Fault> {
    for alternative in policy.table.policy()?.enforce_for()? {
        if is_in(policy, &alternative?, subject, scratch)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_in(
    policy: &Policy<'_>,
    alternative: &EnforceFor<'_>,
    subject: &Subject<'_, '_>,
    scratch: &Scratch,
) -> Result<bool, Fault> {
    if let Some(customers) = alternative.customers()?
        && !subject.is_customer_in(policy, &customers)?
    {
        return Ok(false);
    }
    if let Some(tags) = alternative.tags()?
        && !scratch.has_tag(tags)
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
