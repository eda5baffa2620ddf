//! The decision: every rule against the request, and what follows from those that match.
//!
//! A condition is true, false or *unknown*: on an ambiguous path nobody knows what a path pattern would say to the
//! path that the upstream reads. The three values combine as Kleene's do (`false and unknown` is false). An allow rule
//! matches only if it is certainly true, a deny rule unless it is certainly false.

use sha2::{Digest, Sha256};
use tidegate_table::{Condition, Customer, Dimension, Effect, EnforceFor, Fault, Rule, Table, Texts};

use crate::canonical::{PathReading, Scheme, Target};
use crate::hygiene::{tokens, trim};
use crate::judgement::Reason;
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

    fn clear(&mut self) {
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
        host_matches(policy, condition, self.scratch, target)
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
    let Some(target) = valid_target(request) else { return Ok(Verdict::deny(Reason::InvalidRequest)) };
    let Some(subject) = Subject::of(policy, request, target)? else {
        return Ok(Verdict::deny(Reason::UnknownCustomer));
    };

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
    if unknown_set {
        return Err(Fault("no such set"));
    }

    let may_waive = policy.mode() == Mode::Report && !is_enforced_already(policy, &subject)?;
    let mut names_special_host = false;
    for index in 0..policy.table.rule_count() {
        let rule = policy.table.rule(index)?;
        let truth = rule_truth(policy, &rule, &subject, scratch)?;
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

/// The target of a request that can be judged at all.
fn valid_target<'r>(request: &RequestView<'r>) -> Option<&'r Target> {
    let target = request.target.ok()?;
    let method_is_judged = is_token(request.method) && !request.method.eq_ignore_ascii_case("TRACE");
    let header_bytes = request
        .headers
        .iter()
        .fold(0_usize, |sum, (name, value)| sum.saturating_add(name.len()).saturating_add(value.len()));
    (method_is_judged && header_bytes <= MAX_HEADERS).then_some(target)
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Who asks for what, checked and looked up once.
struct Subject<'r, 'p> {
    request: &'r RequestView<'r>,
    target: &'r Target,
    customer: Option<&'r str>,
    tags: &'r [String],
    known: Option<Customer<'p>>,
    is_upgrade: bool,
    /// Days since 1970-01-01.
    today: i64,
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

    fn has_tag(&self, wanted: Texts<'_>) -> Result<bool, Fault> {
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

    fn is_customer_in(&self, policy: &Policy<'_>, dimension: &Dimension<'_>) -> Result<bool, Fault> {
        match self.customer {
            Some(name) => meets(policy, dimension, name),
            None => Ok(false),
        }
    }
}

fn is_customer(name: &str) -> bool {
    (1..=MAX_CUSTOMER).contains(&name.len()) && !name.chars().any(char::is_control)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    False,
    Unknown,
    True,
}

impl Truth {
    const fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

fn rule_truth(
    policy: &Policy<'_>,
    rule: &Rule<'_>,
    subject: &Subject<'_, '_>,
    scratch: &Scratch,
) -> Result<Truth, Fault> {
    let condition = rule.condition()?;
    if rule.effect()? == Effect::Allow && !meets_allow_defaults(rule, &condition, subject)? {
        return Ok(Truth::False);
    }
    let matched = condition_truth(policy, &condition, subject, scratch, rule.takes_escapes_literally()?)?;
    if matched == Truth::False {
        return Ok(Truth::False);
    }
    let mut excepted = Truth::False;
    for exception in rule.exceptions()? {
        excepted = excepted.max(condition_truth(policy, &exception?, subject, scratch, false)?);
    }
    Ok(matched.min(excepted.not()))
}

/// What an allow rule wants where it says nothing: https, the scheme's own port, no upgrade; and its day has not come.
fn meets_allow_defaults(rule: &Rule<'_>, condition: &Condition<'_>, subject: &Subject<'_, '_>) -> Result<bool, Fault> {
    let target = subject.target;
    Ok((condition.schemes()?.is_some() || target.scheme() == Scheme::Https)
        && (condition.ports()?.is_some() || target.port() == target.scheme().default_port())
        && (!subject.is_upgrade || rule.meets_upgrades()?)
        && rule.expires()?.is_none_or(|day| subject.today < i64::from(day)))
}

fn condition_truth(
    policy: &Policy<'_>,
    condition: &Condition<'_>,
    subject: &Subject<'_, '_>,
    scratch: &Scratch,
    literal: bool,
) -> Result<Truth, Fault> {
    let target = subject.target;
    if let Some(customers) = condition.customers()?
        && !subject.is_customer_in(policy, &customers)?
    {
        return Ok(Truth::False);
    }
    if let Some(tags) = condition.tags()?
        && !subject.has_tag(tags)?
    {
        return Ok(Truth::False);
    }
    if let Some((http, https)) = condition.schemes()?
        && !(if target.scheme() == Scheme::Http { http } else { https })
    {
        return Ok(Truth::False);
    }
    if let Some(mut ports) = condition.ports()?
        && !ports.any(|port| port == u32::from(target.port()))
    {
        return Ok(Truth::False);
    }
    if let Some(methods) = condition.methods()?
        && !any(methods, |method| method.eq_ignore_ascii_case(subject.request.method))?
    {
        return Ok(Truth::False);
    }
    if !host_matches(policy, condition, scratch, target)? {
        return Ok(Truth::False);
    }
    for header in condition.headers()? {
        let header = header?;
        let value = subject.request.header(header.name);
        if !value.map_or(Ok(false), |value| policy.accepts(header.automaton, trim(value)))? {
            return Ok(Truth::False);
        }
    }
    match condition.paths()? {
        None => Ok(Truth::True),
        Some(automaton) => {
            let one_reading = match target.path_reading() {
                PathReading::Plain => true,
                PathReading::EncodedSlashOrPercent => literal,
                PathReading::Ambiguous => false,
            };
            if one_reading { policy.accepts(automaton, target.path()).map(Truth::from) } else { Ok(Truth::Unknown) }
        }
    }
}

fn host_matches(
    policy: &Policy<'_>,
    condition: &Condition<'_>,
    scratch: &Scratch,
    target: &Target,
) -> Result<bool, Fault> {
    let Some((mut sets, automaton)) = condition.hosts()? else { return Ok(true) };
    if sets.any(|set| scratch.sets.contains(set)) {
        return Ok(true);
    }
    automaton.map_or(Ok(false), |automaton| policy.accepts(automaton, target.host().as_str()))
}

fn names_host_exactly(rule: &Rule<'_>, scratch: &Scratch) -> Result<bool, Fault> {
    Ok(rule.condition()?.hosts()?.is_some_and(|(mut sets, _)| sets.any(|set| scratch.exact_sets.contains(set))))
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
fn bucket(customer: &str) -> u64 {
    let hash = Sha256::digest(customer);
    hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes) % 10_000)
}

fn meets(policy: &Policy<'_>, dimension: &Dimension<'_>, text: &str) -> Result<bool, Fault> {
    if dimension.exact.contains_sorted(text)? {
        return Ok(true);
    }
    dimension.automaton.map_or(Ok(false), |automaton| policy.accepts(automaton, text))
}

fn any(texts: Texts<'_>, mut test: impl FnMut(&str) -> bool) -> Result<bool, Fault> {
    for text in texts {
        if test(text?) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl RequestView<'_> {
    /// The value of a header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether this asks to become a WebSocket.
    pub(crate) fn is_upgrade(&self) -> bool {
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
