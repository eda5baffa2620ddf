//! A rule against a request, dimension by dimension.
//!
//! A condition is true, false or *unknown*: on an ambiguous path nobody knows what a path pattern would say to the
//! path that the upstream reads. The three values combine as Kleene's do (`false and unknown` is false).
//!
//! There is one walk over a rule's dimensions, and whoever asks may watch it ([`Observer`]). Decisions watch nothing and
//! stop at the first dimension that is false; explanations see every one. So what is explained is what was decided.

use tidegate_table::{Condition, Effect, Fault, Rule, Texts};

use crate::canonical::{PathReading, Scheme, Target};
use crate::decide::{Scratch, Subject};
use crate::hygiene::trim;
use crate::policy::Policy;

/// Whether something holds of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It does not.
    False,
    /// Nobody knows: upstreams may read the path in several ways.
    Unknown,
    /// It does.
    True,
}

impl Truth {
    /// `true`, `false` or `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::False => "false",
            Self::Unknown => "unknown",
            Self::True => "true",
        }
    }

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

/// One of the things that must all hold for a condition to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension<'p> {
    /// The customer's name.
    Customer,
    /// The customer's tags.
    Tag,
    /// The host.
    Host,
    /// The scheme.
    Scheme,
    /// The scheme, where an allow rule names none: https.
    DefaultScheme,
    /// The port.
    Port,
    /// The port, where an allow rule names none: the scheme's own.
    DefaultPort,
    /// The method.
    Method,
    /// The path.
    Path,
    /// The value of the header with this lower-case name.
    Header(&'p str),
    /// A WebSocket upgrade, which an allow rule meets only if it says so.
    Upgrade,
    /// The day from which an allow rule no longer matches.
    Expiry,
}

/// Who watches an evaluation.
pub(crate) trait Observer<'p> {
    /// Whether what can change the outcome no more is looked at all the same.
    const SEES_ALL: bool;

    /// A dimension of the condition at hand was looked at.
    fn dimension(&mut self, dimension: Dimension<'p>, truth: Truth);

    /// The condition at hand is now the rule's next exception.
    fn exception(&mut self);
}

/// Watches nothing.
pub(crate) struct Nobody;

impl Observer<'_> for Nobody {
    const SEES_ALL: bool = false;

    fn dimension(&mut self, _: Dimension<'_>, _: Truth) {}

    fn exception(&mut self) {}
}

/// Dimensions that must all hold, as far as they were looked at.
struct Conjunction<'o, O> {
    observer: &'o mut O,
    truth: Truth,
}

impl<'o, 'p, O: Observer<'p>> Conjunction<'o, O> {
    fn new(observer: &'o mut O) -> Self {
        Self { observer, truth: Truth::True }
    }

    /// Takes one more dimension into account. Says whether that settles it: then nothing more need be looked at.
    fn is_settled_by(&mut self, dimension: Dimension<'p>, truth: impl Into<Truth>) -> bool {
        let truth = truth.into();
        self.observer.dimension(dimension, truth);
        self.truth = self.truth.min(truth);
        self.truth == Truth::False && !O::SEES_ALL
    }
}

/// Whether a rule matches: every dimension that it names, and no exception.
pub(crate) fn rule_truth<'p, O: Observer<'p>>(
    policy: &Policy<'_>,
    rule: &Rule<'p>,
    subject: &Subject<'_, '_>,
    scratch: &Scratch,
    observer: &mut O,
) -> Result<Truth, Fault> {
    let condition = rule.condition()?;
    let mut matched = Truth::True;
    if rule.effect()? == Effect::Allow {
        matched = allow_defaults_truth(rule, &condition, subject, observer)?;
        if matched == Truth::False && !O::SEES_ALL {
            return Ok(Truth::False);
        }
    }
    let literal = rule.takes_escapes_literally()?;
    matched = matched.min(condition_truth(policy, &condition, subject, scratch, literal, observer)?);
    if matched == Truth::False && !O::SEES_ALL {
        return Ok(Truth::False);
    }
    let mut excepted = Truth::False;
    for exception in rule.exceptions()? {
        observer.exception();
        excepted = excepted.max(condition_truth(policy, &exception?, subject, scratch, false, observer)?);
    }
    Ok(matched.min(excepted.not()))
}

/// What an allow rule wants where it says nothing: https, the scheme's own port, no upgrade; and its day has not come.
fn allow_defaults_truth<'p, O: Observer<'p>>(
    rule: &Rule<'p>,
    condition: &Condition<'p>,
    subject: &Subject<'_, '_>,
    observer: &mut O,
) -> Result<Truth, Fault> {
    let target = subject.target;
    let mut all = Conjunction::new(observer);
    if condition.schemes()?.is_none() && all.is_settled_by(Dimension::DefaultScheme, target.scheme() == Scheme::Https) {
        return Ok(Truth::False);
    }
    if condition.ports()?.is_none()
        && all.is_settled_by(Dimension::DefaultPort, target.port() == target.scheme().default_port())
    {
        return Ok(Truth::False);
    }
    if subject.is_upgrade && all.is_settled_by(Dimension::Upgrade, rule.meets_upgrades()?) {
        return Ok(Truth::False);
    }
    if let Some(day) = rule.expires()?
        && all.is_settled_by(Dimension::Expiry, subject.today < i64::from(day))
    {
        return Ok(Truth::False);
    }
    Ok(all.truth)
}

fn condition_truth<'p, O: Observer<'p>>(
    policy: &Policy<'_>,
    condition: &Condition<'p>,
    subject: &Subject<'_, '_>,
    scratch: &Scratch,
    literal: bool,
    observer: &mut O,
) -> Result<Truth, Fault> {
    let target = subject.target;
    let mut all = Conjunction::new(observer);
    if let Some(customers) = condition.customers()?
        && all.is_settled_by(Dimension::Customer, subject.is_customer_in(policy, &customers)?)
    {
        return Ok(Truth::False);
    }
    if let Some(tags) = condition.tags()?
        && all.is_settled_by(Dimension::Tag, scratch.has_tag(tags))
    {
        return Ok(Truth::False);
    }
    if let Some((http, https)) = condition.schemes()?
        && all.is_settled_by(Dimension::Scheme, if target.scheme() == Scheme::Http { http } else { https })
    {
        return Ok(Truth::False);
    }
    if let Some(mut ports) = condition.ports()?
        && all.is_settled_by(Dimension::Port, ports.any(|port| port == u32::from(target.port())))
    {
        return Ok(Truth::False);
    }
    if let Some(methods) = condition.methods()?
        && all.is_settled_by(
            Dimension::Method,
            any(methods, |method| method.eq_ignore_ascii_case(subject.request.method))?,
        )
    {
        return Ok(Truth::False);
    }
    if let Some(met) = host_meets(policy, condition, scratch, target)?
        && all.is_settled_by(Dimension::Host, met)
    {
        return Ok(Truth::False);
    }
    for header in condition.headers()? {
        let header = header?;
        let value = subject.request.header(header.name);
        let met = value.map_or(Ok(false), |value| policy.accepts(header.automaton, trim(value)))?;
        if all.is_settled_by(Dimension::Header(header.name), met) {
            return Ok(Truth::False);
        }
    }
    if let Some(automaton) = condition.paths()? {
        let one_reading = match target.path_reading() {
            PathReading::Plain => true,
            PathReading::EncodedSlashOrPercent => literal,
            PathReading::Ambiguous => false,
        };
        let truth = if one_reading { policy.accepts(automaton, target.path())?.into() } else { Truth::Unknown };
        if all.is_settled_by(Dimension::Path, truth) {
            return Ok(Truth::False);
        }
    }
    Ok(all.truth)
}

/// `None` where the condition names no host.
fn host_meets(
    policy: &Policy<'_>,
    condition: &Condition<'_>,
    scratch: &Scratch,
    target: &Target,
) -> Result<Option<bool>, Fault> {
    let Some(hosts) = condition.hosts()? else { return Ok(None) };
    if scratch.holds_host(&hosts.sets) {
        return Ok(Some(true));
    }
    // A search is for hosts that end as the patterns do.
    let Some(automaton) = hosts.automaton.filter(|_| hosts.within.is_none_or(|within| scratch.holds_host(&within)))
    else {
        return Ok(Some(false));
    };
    policy.accepts(automaton, target.host().as_str()).map(Some)
}

/// Whether a rule's `hosts` holds this very host, without wildcard.
pub(crate) fn names_host_exactly(rule: &Rule<'_>, scratch: &Scratch) -> Result<bool, Fault> {
    Ok(rule.condition()?.hosts()?.is_some_and(|hosts| scratch.names_host(&hosts.sets)))
}

fn any(texts: Texts<'_>, mut test: impl FnMut(&str) -> bool) -> Result<bool, Fault> {
    for text in texts {
        if test(text?) {
            return Ok(true);
        }
    }
    Ok(false)
}
