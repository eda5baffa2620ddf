//! Views of the table's records: the policy, its rules and their conditions, its customers. Every accessor is total.

use crate::candidates::Posting;
use crate::header::{SectionKind, Table};
use crate::names::Names;
use crate::obligations::{JWT_WORDS, Jwt, PAIR_WORDS, SetHeader};
use crate::record::{Record, Texts};
use crate::words::{Fault, Numbers, Words, to_usize};

pub(crate) const POLICY_WORDS: usize = 10;
pub(crate) const RULE_WORDS: usize = 34;
/// Where a rule's condition begins in its record. What a decision reads stands side by side, and before it what it reads first:
/// of ten thousand rules few are in a cache, and each place costs a wait.
pub(crate) const CONDITION_AT: usize = 4;
pub(crate) const CONDITION_WORDS: usize = 19;
pub(crate) const ENFORCE_FOR_WORDS: usize = 7;
pub(crate) const HEADER_WORDS: usize = 3;

/// Bits of the first word of the policy record.
pub(crate) mod policy_flag {
    pub(crate) const DEFAULT_ALLOW: u32 = 1;
    pub(crate) const REPORT: u32 = 2;
    pub(crate) const IDENTITY: u32 = 4;
    pub(crate) const TAGS: u32 = 8;
    pub(crate) const VARS: u32 = 16;
}

/// Bits of a rule's flags.
pub(crate) mod rule_flag {
    pub(crate) const DENY: u32 = 1;
    pub(crate) const REPORT: u32 = 2;
    pub(crate) const WEBSOCKET: u32 = 4;
    pub(crate) const LITERAL: u32 = 8;
    pub(crate) const EXPIRES: u32 = 16;
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It goes out.
    Allow,
    /// It is refused.
    Deny,
}

impl Effect {
    /// `allow` or `deny`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Table<'_> {
    /// The policy's own record.
    pub fn policy(&self) -> Result<PolicyRecord<'_>, Fault> {
        Ok(PolicyRecord(self.record(SectionKind::Policy, 0, POLICY_WORDS)?))
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> u32 {
        u32::try_from(Words::new(self.section(SectionKind::Rules)).len() / RULE_WORDS).unwrap_or(u32::MAX)
    }

    /// A rule by its place in file order.
    pub fn rule(&self, index: u32) -> Result<Rule<'_>, Fault> {
        Ok(Rule(self.record(SectionKind::Rules, index, RULE_WORDS)?))
    }

    /// A customer that the policy spells out somewhere.
    pub fn customer(&self, name: &str) -> Result<Option<Customer<'_>>, Fault> {
        let names = Names::new(self.section(SectionKind::Customers))?;
        let Some(number) = names.find(name)? else { return Ok(None) };
        Ok(Some(Customer { number, facts: to_usize(names.payload(number)?), table: self }))
    }

    /// How many tags the policy spells out.
    pub fn tag_count(&self) -> Result<u32, Fault> {
        Ok(Names::new(self.section(SectionKind::Tags))?.len())
    }

    /// The number of a tag that the policy spells out somewhere.
    pub fn tag(&self, name: &str) -> Result<Option<u32>, Fault> {
        Names::new(self.section(SectionKind::Tags))?.find(name)
    }

    /// What is filed under a tag.
    pub fn posting_of_tag(&self, tag: u32) -> Result<Option<Posting<'_>>, Fault> {
        self.optional_posting(Names::new(self.section(SectionKind::Tags))?.payload(tag)?)
    }

    pub(crate) fn record(&self, kind: SectionKind, index: u32, size: usize) -> Result<Record<'_>, Fault> {
        let words = Words::new(self.section(kind)).record(index, size)?;
        Ok(Record { words, table: self })
    }
}

/// The policy's own record.
#[derive(Clone, Copy, Debug)]
pub struct PolicyRecord<'t>(Record<'t>);

impl<'t> PolicyRecord<'t> {
    /// Effect where no rule decides.
    pub fn default_effect(&self) -> Result<Effect, Fault> {
        Ok(if self.0.flag(0, policy_flag::DEFAULT_ALLOW)? { Effect::Allow } else { Effect::Deny })
    }

    /// Whether the policy is in report mode.
    pub fn is_report(&self) -> Result<bool, Fault> {
        self.0.flag(0, policy_flag::REPORT)
    }

    /// The path of the outbound parameter that names the customer; `None` where the policy knows no customers.
    pub fn customer_path(&self) -> Result<Option<Texts<'t>>, Fault> {
        self.0.flag(0, policy_flag::IDENTITY)?.then(|| self.0.texts(1)).transpose()
    }

    /// The path of the outbound parameter that holds the customer's tags, where the policy declares them.
    pub fn tags_path(&self) -> Result<Option<Texts<'t>>, Fault> {
        self.0.flag(0, policy_flag::TAGS)?.then(|| self.0.texts(3)).transpose()
    }

    /// The path of the outbound parameter that holds the customer's variables, where the policy declares them.
    pub fn vars_path(&self) -> Result<Option<Texts<'t>>, Fault> {
        self.0.flag(0, policy_flag::VARS)?.then(|| self.0.texts(5)).transpose()
    }

    /// Whose requests are enforced although the policy is in report mode; alternatives.
    pub fn enforce_for(&self) -> Result<impl Iterator<Item = Result<EnforceFor<'t>, Fault>> + use<'t>, Fault> {
        Ok(self.0.span(7)?.parts(ENFORCE_FOR_WORDS).map(|part| part.map(EnforceFor)))
    }

    /// How many sets the host index tells apart.
    pub fn set_count(&self) -> Result<u32, Fault> {
        self.0.word(9)
    }
}

/// One alternative of a rollout; all that it names must hold.
#[derive(Clone, Copy, Debug)]
pub struct EnforceFor<'t>(Record<'t>);

impl<'t> EnforceFor<'t> {
    /// Any of these customers.
    pub fn customers(&self) -> Result<Option<Customers<'t>>, Fault> {
        self.0.flag(0, 1)?.then(|| customers(self.0, 1)).transpose()
    }

    /// Any of these tags.
    pub fn tags(&self) -> Result<Option<Numbers<'t>>, Fault> {
        self.0.flag(0, 2)?.then(|| numbers(self.0, 4)).transpose()
    }

    /// Hundredths of a percent of customers.
    pub fn percent(&self) -> Result<Option<u32>, Fault> {
        self.0.index(6)
    }
}

/// Alternatives for the customer.
#[derive(Clone, Debug)]
pub struct Customers<'t> {
    /// Numbers of customers, sorted.
    pub exact: Numbers<'t>,
    /// The automaton of the patterns, if there are any.
    pub automaton: Option<u32>,
}

/// Alternatives for the host.
#[derive(Clone, Debug)]
pub struct Hosts<'t> {
    /// Numbers of sets in the host index, sorted.
    pub sets: Numbers<'t>,
    /// The automaton of the patterns, if there are any.
    pub automaton: Option<u32>,
    /// Sets that hold every host which the automaton accepts, sorted; `None` where nothing is known of them.
    pub within: Option<Numbers<'t>>,
}

fn customers(record: Record<'_>, at: usize) -> Result<Customers<'_>, Fault> {
    Ok(Customers { exact: numbers(record, at)?, automaton: record.index(at.saturating_add(2))? })
}

fn numbers(record: Record<'_>, at: usize) -> Result<Numbers<'_>, Fault> {
    Ok(record.span(at)?.words.numbers())
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'t>(Record<'t>);

impl<'t> Rule<'t> {
    /// The id.
    pub fn id(&self) -> Result<&'t str, Fault> {
        self.0.text(23)
    }

    /// What it does where it matches.
    pub fn effect(&self) -> Result<Effect, Fault> {
        Ok(if self.0.flag(0, rule_flag::DENY)? { Effect::Deny } else { Effect::Allow })
    }

    /// Whether the rule is in report mode.
    pub fn is_report(&self) -> Result<bool, Fault> {
        self.0.flag(0, rule_flag::REPORT)
    }

    /// Whether the rule meets WebSocket upgrades.
    pub fn meets_upgrades(&self) -> Result<bool, Fault> {
        self.0.flag(0, rule_flag::WEBSOCKET)
    }

    /// Whether `%2F` and `%25` in a path are taken as they stand.
    pub fn takes_escapes_literally(&self) -> Result<bool, Fault> {
        self.0.flag(0, rule_flag::LITERAL)
    }

    /// Days since 1970-01-01; from that day on the rule does not match.
    pub fn expires(&self) -> Result<Option<i32>, Fault> {
        Ok(self.0.flag(0, rule_flag::EXPIRES)?.then_some(self.0.word(1)?.cast_signed()))
    }

    /// For the refusal's reader.
    pub fn reason(&self) -> Result<Option<&'t str>, Fault> {
        self.0.optional_text(25)
    }

    /// What it matches.
    pub fn condition(&self) -> Result<Condition<'t>, Fault> {
        Ok(Condition(Record { words: self.0.words.slice(CONDITION_AT, CONDITION_WORDS)?, ..self.0 }))
    }

    /// Where it does not; alternatives.
    pub fn exceptions(&self) -> Result<impl Iterator<Item = Result<Condition<'t>, Fault>> + use<'t>, Fault> {
        let (first, count, table) = (self.0.word(2)?, self.0.word(3)?, self.0.table);
        let end = first.checked_add(count).ok_or(Fault("exceptions out of bounds"))?;
        Ok((first..end)
            .map(move |index| Ok(Condition(table.record(SectionKind::Exceptions, index, CONDITION_WORDS)?))))
    }

    /// Names of headers to remove, lower case.
    pub fn remove(&self) -> Result<Texts<'t>, Fault> {
        self.0.texts(27)
    }

    /// Names of headers that hygiene lets through here, lower case.
    pub fn keep(&self) -> Result<Texts<'t>, Fault> {
        self.0.texts(29)
    }

    /// Headers to set.
    pub fn set(&self) -> Result<impl Iterator<Item = Result<SetHeader<'t>, Fault>> + use<'t>, Fault> {
        Ok(self.0.span(31)?.parts(PAIR_WORDS).map(|part| part.map(SetHeader)))
    }

    /// The token to attach.
    pub fn jwt(&self) -> Result<Option<Jwt<'t>>, Fault> {
        let Some(start) = self.0.index(33)? else { return Ok(None) };
        Ok(Some(Jwt(Record { words: self.0.pool().slice(to_usize(start), JWT_WORDS)?, ..self.0 })))
    }
}

/// Conditions on a request. An absent dimension is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Condition<'t>(Record<'t>);

impl<'t> Condition<'t> {
    pub(crate) const CUSTOMERS: u32 = 1;
    pub(crate) const TAGS: u32 = 2;
    pub(crate) const HOSTS: u32 = 4;
    pub(crate) const SCHEMES: u32 = 8;
    pub(crate) const PORTS: u32 = 16;
    pub(crate) const METHODS: u32 = 32;
    pub(crate) const PATHS: u32 = 64;

    /// Customers.
    pub fn customers(&self) -> Result<Option<Customers<'t>>, Fault> {
        self.has(Self::CUSTOMERS)?.then(|| customers(self.0, 1)).transpose()
    }

    /// Numbers of tags, sorted.
    pub fn tags(&self) -> Result<Option<Numbers<'t>>, Fault> {
        self.has(Self::TAGS)?.then(|| numbers(self.0, 4)).transpose()
    }

    /// Hosts.
    pub fn hosts(&self) -> Result<Option<Hosts<'t>>, Fault> {
        if !self.has(Self::HOSTS)? {
            return Ok(None);
        }
        let within = self.0.index(9)?.map(|_| numbers(self.0, 9)).transpose()?;
        Ok(Some(Hosts { sets: numbers(self.0, 6)?, automaton: self.0.index(8)?, within }))
    }

    /// Schemes: whether http and whether https.
    pub fn schemes(&self) -> Result<Option<(bool, bool)>, Fault> {
        self.has(Self::SCHEMES)?.then(|| Ok((self.0.flag(11, 1)?, self.0.flag(11, 2)?))).transpose()
    }

    /// Ports.
    pub fn ports(&self) -> Result<Option<Numbers<'t>>, Fault> {
        self.has(Self::PORTS)?.then(|| numbers(self.0, 12)).transpose()
    }

    /// Methods, upper case.
    pub fn methods(&self) -> Result<Option<Texts<'t>>, Fault> {
        self.has(Self::METHODS)?.then(|| self.0.texts(14)).transpose()
    }

    /// The automaton of the path patterns.
    pub fn paths(&self) -> Result<Option<u32>, Fault> {
        if self.has(Self::PATHS)? {
            Ok(Some(self.0.index(16)?.ok_or(Fault("paths without an automaton"))?))
        } else {
            Ok(None)
        }
    }

    /// Header conditions, each a dimension of its own.
    pub fn headers(&self) -> Result<impl Iterator<Item = Result<HeaderCondition<'t>, Fault>> + use<'t>, Fault> {
        Ok(self.0.span(17)?.parts(HEADER_WORDS).map(|part| {
            let part = part?;
            Ok(HeaderCondition { name: part.text(0)?, automaton: part.word(2)? })
        }))
    }

    fn has(&self, dimension: u32) -> Result<bool, Fault> {
        self.0.flag(0, dimension)
    }
}

/// A condition on a header's value.
#[derive(Clone, Copy, Debug)]
pub struct HeaderCondition<'t> {
    /// Lower-case name.
    pub name: &'t str,
    /// The automaton of its patterns.
    pub automaton: u32,
}

/// A customer that the policy spells out somewhere, and what it knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Customer<'t> {
    number: u32,
    facts: usize,
    table: &'t Table<'t>,
}

impl<'t> Customer<'t> {
    /// The number by which conditions name it.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The rules that are filed under its name.
    pub fn posting(&self) -> Result<Option<Posting<'t>>, Fault> {
        self.table.optional_posting(self.words().at(self.facts)?)
    }

    /// Numbers of its tags, sorted.
    pub fn tags(&self) -> Result<Numbers<'t>, Fault> {
        let (start, count) = self.counted(1)?;
        Ok(self.words().slice(start, count)?.numbers())
    }

    /// The value of a variable.
    pub fn var(&self, name: &str) -> Result<Option<&'t str>, Fault> {
        let (start, count) = self.counted(2)?;
        let words = self.words().slice(start, count.checked_mul(2).ok_or(Fault("variables out of bounds"))?)?;
        for (index, known) in (Texts { record: Record { words, table: self.table }, next: 0 }).enumerate() {
            if known? == name {
                let value = index.checked_mul(2).and_then(|at| at.checked_add(self.facts)?.checked_add(3));
                let words = self.words().slice(value.ok_or(Fault("variables out of bounds"))?, 2)?;
                return Record { words, table: self.table }.text(0).map(Some);
            }
        }
        Ok(None)
    }

    /// What one of the facts points to: where it begins, and how many there are.
    fn counted(&self, fact: usize) -> Result<(usize, usize), Fault> {
        let place = to_usize(self.words().at(self.facts.saturating_add(fact))?);
        Ok((place.saturating_add(1), to_usize(self.words().at(place)?)))
    }

    fn words(&self) -> Words<'t> {
        Words::new(self.table.section(SectionKind::Words))
    }
}
