//! The writer: lays out a policy as table bytes. Same policy, same bytes.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "runs in the compiler, never in the Worker, over lengths of what is in memory; `word` refuses what does not fit"
)]

mod automata;
mod candidates;
mod names;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::take;

pub use automata::{StateSpec, automaton};
use candidates::Candidates;
use names::Numbered;
use sha2::{Digest, Sha256};

use crate::header::{
    ALIGN, CHECKSUM_AT, DIGEST_AT, DIRECTORY_AT, ENTRY_BYTES, FORMAT_VERSION, MAGIC, SectionKind, checksum,
};
pub use crate::hosts::Reach;
use crate::hosts::build::{Entry, HostIndex};
pub use crate::obligations::Algorithm;
pub use crate::records::Effect;
use crate::records::{CONDITION_WORDS, Condition as Dimensions, policy_flag, rule_flag};
use crate::words::NONE;

/// Everything that a table holds. Names are canonical, and every index is that of the vector it speaks of.
#[derive(Clone, Debug)]
pub struct PolicySpec<'n> {
    /// Effect where no rule decides.
    pub default: Effect,
    /// Report mode.
    pub report: bool,
    /// Outbound parameters that name the tenant.
    pub identity: Option<IdentitySpec>,
    /// The rollout's alternatives.
    pub enforce_for: Vec<EnforceForSpec>,
    /// Customers by name: tags (sorted) and variables.
    pub customers: BTreeMap<String, (Vec<String>, BTreeMap<String, String>)>,
    /// Signing keys.
    pub keys: Vec<KeySpec>,
    /// Sets of hosts. Lists hold a million names, so these stay where they are.
    pub sets: Vec<Vec<(&'n str, Reach)>>,
    /// Automata, as [`automaton`] lays them out.
    pub automata: Vec<Vec<u8>>,
    /// Rules in file order.
    pub rules: Vec<RuleSpec>,
}

/// Paths of outbound parameters.
#[derive(Clone, Debug)]
pub struct IdentitySpec {
    /// To the customer's name.
    pub customer: Vec<String>,
    /// To the customer's tags, where the policy declares them.
    pub tags: Option<Vec<String>>,
    /// To the customer's variables, where the policy declares them.
    pub vars: Option<Vec<String>>,
}

/// One alternative of a rollout.
#[derive(Clone, Debug, Default)]
pub struct EnforceForSpec {
    /// Customers.
    pub customers: Option<CustomersSpec>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Hundredths of a percent.
    pub percent: Option<u32>,
}

/// Names and patterns of customers.
#[derive(Clone, Debug, Default)]
pub struct CustomersSpec {
    /// Names.
    pub exact: Vec<String>,
    /// The patterns.
    pub patterns: Option<CustomerPatternsSpec>,
}

/// Patterns of customers.
#[derive(Clone, Debug, Default)]
pub struct CustomerPatternsSpec {
    /// Index of the automaton of all of them.
    pub automaton: u32,
    /// What it accepts begins with one of these; empty where nothing is known of how it begins.
    pub prefixes: Vec<String>,
}

/// Sets and patterns of hosts.
#[derive(Clone, Debug, Default)]
pub struct HostsSpec {
    /// Sets.
    pub sets: Vec<u32>,
    /// The patterns.
    pub patterns: Option<HostPatternsSpec>,
}

/// Patterns of hosts.
#[derive(Clone, Debug, Default)]
pub struct HostPatternsSpec {
    /// Index of the automaton of all of them.
    pub automaton: u32,
    /// What it accepts is in one of these sets; `None` where nothing is known of it. By themselves they mean nothing.
    pub within: Option<Vec<u32>>,
}

/// A signing key.
#[derive(Clone, Debug)]
pub struct KeySpec {
    /// Id.
    pub id: String,
    /// Algorithm.
    pub alg: Algorithm,
    /// Name of the Worker secret.
    pub secret: String,
    /// Key id.
    pub kid: String,
    /// Issuer.
    pub issuer: Option<String>,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct RuleSpec {
    /// Id.
    pub id: String,
    /// Effect.
    pub effect: Effect,
    /// Report mode.
    pub report: bool,
    /// Meets upgrades.
    pub websocket: bool,
    /// Takes `%2F` and `%25` as they stand.
    pub literal: bool,
    /// Day from which it does not match.
    pub expires: Option<i32>,
    /// For the refusal's reader.
    pub reason: Option<String>,
    /// What it matches.
    pub condition: ConditionSpec,
    /// Where it does not.
    pub except: Vec<ConditionSpec>,
    /// Headers to remove.
    pub remove: Vec<String>,
    /// Headers that hygiene lets through.
    pub keep: Vec<String>,
    /// Headers to set.
    pub set: Vec<(String, Vec<PartSpec>)>,
    /// Token to attach.
    pub jwt: Option<JwtSpec>,
}

/// A condition.
#[derive(Clone, Debug, Default)]
pub struct ConditionSpec {
    /// Customers.
    pub customers: Option<CustomersSpec>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Hosts.
    pub hosts: Option<HostsSpec>,
    /// Whether http and whether https.
    pub schemes: Option<(bool, bool)>,
    /// Ports.
    pub ports: Option<Vec<u16>>,
    /// Methods.
    pub methods: Option<Vec<String>>,
    /// The automaton of the paths.
    pub paths: Option<u32>,
    /// Names and automata of header conditions.
    pub headers: Vec<(String, u32)>,
}

/// A token.
#[derive(Clone, Debug)]
pub struct JwtSpec {
    /// Index of the key.
    pub key: u32,
    /// Audience.
    pub audience: String,
    /// Seconds.
    pub ttl: u32,
    /// Header.
    pub header: String,
    /// Scheme.
    pub scheme: String,
    /// Private claims.
    pub claims: Vec<(String, Vec<PartSpec>)>,
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub enum PartSpec {
    /// The customer.
    Customer,
    /// Text.
    Literal(String),
    /// A secret.
    Secret(String),
    /// A variable.
    Var(String),
}

/// The policy does not fit the format: a section would pass 4 GiB, or a host name 253 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Lays out a policy as table bytes.
pub fn write(policy: &PolicySpec<'_>) -> Result<Vec<u8>, TooLarge> {
    let customers = Numbered::new(customers_of(policy))?;
    let tags = Numbered::new(tags_of(policy))?;
    let mut writer = Writer::default();
    let policy_record = writer.policy(policy, &customers, &tags)?;
    for key in &policy.keys {
        writer.key(key)?;
    }
    for rule in &policy.rules {
        writer.rule(rule, &customers, &tags)?;
    }
    let candidates = Candidates::build(&policy.rules, policy.sets.len(), &customers, &tags, &mut writer)?;
    let mut facts = Vec::with_capacity(customers.names().len());
    for (number, name) in (0..).zip(customers.names()) {
        let known = policy.customers.get(*name);
        facts.push(writer.facts(candidates.of_customer(number), known, &tags)?);
    }
    let mut customers = customers.section(|number| facts[number])?;
    let mut tags = tags.section(|number| u32::try_from(number).map_or(NONE, |number| candidates.of_tag(number)))?;
    let entries: Vec<_> = (0..)
        .zip(&policy.sets)
        .flat_map(|(set, names)| names.iter().map(move |(name, reach)| Entry { name, set, reach: *reach }))
        .collect();
    let mut hosts = HostIndex::build(&entries)?;
    let mut automata = automata::section(&policy.automata)?;

    // Each kind is there once.
    let sections = SectionKind::ALL.map(|kind| match kind {
        SectionKind::Automata => take(&mut automata),
        SectionKind::Buckets => take(&mut hosts.buckets),
        SectionKind::Candidates => le_bytes(&candidates.words),
        SectionKind::Exceptions => le_bytes(&writer.exceptions),
        SectionKind::Customers => take(&mut customers),
        SectionKind::Keys => le_bytes(&writer.keys),
        SectionKind::Lengths => take(&mut hosts.lengths),
        SectionKind::Model => take(&mut hosts.model),
        SectionKind::Parents => take(&mut hosts.parents),
        SectionKind::Payloads => take(&mut hosts.payloads),
        SectionKind::Policy => le_bytes(&policy_record),
        SectionKind::Postings => take(&mut hosts.postings),
        SectionKind::Remainders => take(&mut hosts.remainders),
        SectionKind::Rules => le_bytes(&writer.rules),
        SectionKind::Runs => take(&mut hosts.runs),
        SectionKind::Tags => take(&mut tags),
        SectionKind::Text => take(&mut writer.text),
        SectionKind::Words => le_bytes(&writer.words),
    });
    assemble(&sections)
}

/// Every name of a customer that a policy spells out.
fn customers_of<'p>(policy: &'p PolicySpec<'_>) -> BTreeSet<&'p str> {
    let conditions = conditions_of(policy).filter_map(|condition| condition.customers.as_ref());
    let rollout = policy.enforce_for.iter().filter_map(|alternative| alternative.customers.as_ref());
    let exact = conditions.chain(rollout).flat_map(|dimension| &dimension.exact);
    policy.customers.keys().chain(exact).map(String::as_str).collect()
}

/// Every tag that a policy spells out.
fn tags_of<'p>(policy: &'p PolicySpec<'_>) -> BTreeSet<&'p str> {
    let conditions = conditions_of(policy).filter_map(|condition| condition.tags.as_ref());
    let rollout = policy.enforce_for.iter().filter_map(|alternative| alternative.tags.as_ref());
    let own = policy.customers.values().map(|(tags, _)| tags);
    conditions.chain(rollout).chain(own).flatten().map(String::as_str).collect()
}

fn conditions_of<'p>(policy: &'p PolicySpec<'_>) -> impl Iterator<Item = &'p ConditionSpec> {
    policy.rules.iter().flat_map(|rule| std::iter::once(&rule.condition).chain(&rule.except))
}

/// Puts header, directory and sections together and seals them.
fn assemble(sections: &[Vec<u8>; SectionKind::ALL.len()]) -> Result<Vec<u8>, TooLarge> {
    let mut table = vec![0; (DIRECTORY_AT + ENTRY_BYTES * sections.len()).next_multiple_of(ALIGN)];
    for (place, (section, kind)) in sections.iter().zip(SectionKind::ALL).enumerate() {
        let entry = [kind.number(), word(table.len())?, word(section.len())?];
        let at = DIRECTORY_AT + ENTRY_BYTES * place;
        table[at..at + ENTRY_BYTES].copy_from_slice(&le_bytes(&entry));
        table.extend_from_slice(section);
        table.resize(table.len().next_multiple_of(ALIGN), 0);
    }
    let length = word(table.len())?;
    table[..8].copy_from_slice(&MAGIC);
    table[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    table[12..16].copy_from_slice(&word(sections.len())?.to_le_bytes());
    table[16..24].copy_from_slice(&u64::from(length).to_le_bytes());
    let digest = Sha256::new().chain_update(&table[..CHECKSUM_AT]).chain_update(&table[DIRECTORY_AT..]).finalize();
    table[DIGEST_AT..DIRECTORY_AT].copy_from_slice(&digest);
    seal(&mut table);
    Ok(table)
}

/// Writes the checksum that fits the other bytes. For tests of what happens to tables that were tampered with.
pub fn seal(table: &mut [u8]) {
    if let Some(checksum) = checksum(table) {
        table[CHECKSUM_AT..DIGEST_AT].copy_from_slice(&checksum.to_le_bytes());
    }
}

pub(crate) fn word(number: usize) -> Result<u32, TooLarge> {
    u32::try_from(number).ok().filter(|&number| number != NONE).ok_or(TooLarge)
}

pub(crate) fn le_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Collects records, words and texts.
#[derive(Default)]
struct Writer {
    rules: Vec<u32>,
    exceptions: Vec<u32>,
    keys: Vec<u32>,
    words: Vec<u32>,
    /// Spans of the words that may be used again.
    spans: HashMap<Vec<u32>, [u32; 2]>,
    text: Vec<u8>,
    texts: HashMap<String, [u32; 2]>,
}

impl Writer {
    fn text(&mut self, text: &str) -> Result<[u32; 2], TooLarge> {
        if let Some(&place) = self.texts.get(text) {
            return Ok(place);
        }
        let place = [word(self.text.len())?, word(text.len())?];
        self.text.extend_from_slice(text.as_bytes());
        self.texts.insert(text.to_owned(), place);
        Ok(place)
    }

    fn optional_text(&mut self, text: Option<&str>) -> Result<[u32; 2], TooLarge> {
        text.map_or(Ok([NONE, 0]), |text| self.text(text))
    }

    /// Equal spans are stored once.
    fn span(&mut self, words: &[u32]) -> Result<[u32; 2], TooLarge> {
        if let Some(&place) = self.spans.get(words) {
            return Ok(place);
        }
        let place = [word(self.words.len())?, word(words.len())?];
        self.words.extend_from_slice(words);
        self.spans.insert(words.to_vec(), place);
        Ok(place)
    }

    /// A span with its length before it, known by its place alone.
    fn counted(&mut self, count: usize, words: &[u32]) -> Result<u32, TooLarge> {
        let [start, _] = self.span(&[&[word(count)?], words].concat())?;
        Ok(start)
    }

    fn texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a String>) -> Result<[u32; 2], TooLarge> {
        let mut words = Vec::new();
        for text in texts {
            words.extend(self.text(text)?);
        }
        self.span(&words)
    }

    fn customers(&mut self, dimension: Option<&CustomersSpec>, customers: &Numbered<'_>) -> Result<[u32; 3], TooLarge> {
        let exact = customers.numbers(dimension.iter().flat_map(|dimension| &dimension.exact))?;
        let [start, length] = self.span(&exact)?;
        let patterns = dimension.and_then(|dimension| dimension.patterns.as_ref());
        Ok([start, length, patterns.map_or(NONE, |patterns| patterns.automaton)])
    }

    fn tags(&mut self, wanted: Option<&Vec<String>>, tags: &Numbered<'_>) -> Result<[u32; 2], TooLarge> {
        let numbers = tags.numbers(wanted.into_iter().flatten())?;
        self.span(&numbers)
    }

    /// Sets, the automaton, and the sets that what it accepts is in.
    fn hosts(&mut self, hosts: Option<&HostsSpec>) -> Result<[u32; 5], TooLarge> {
        let sorted = |sets: &[u32]| sets.iter().copied().collect::<BTreeSet<u32>>().into_iter().collect::<Vec<_>>();
        let [sets, length] = self.span(&sorted(hosts.map_or(&[], |hosts| &hosts.sets)))?;
        let Some(patterns) = hosts.and_then(|hosts| hosts.patterns.as_ref()) else {
            return Ok([sets, length, NONE, NONE, 0]);
        };
        let within = patterns.within.as_ref().map_or(Ok([NONE, 0]), |within| self.span(&sorted(within)))?;
        Ok([sets, length, patterns.automaton, within[0], within[1]])
    }

    fn policy(
        &mut self,
        policy: &PolicySpec<'_>,
        customers: &Numbered<'_>,
        all_tags: &Numbered<'_>,
    ) -> Result<Vec<u32>, TooLarge> {
        let mut flags = 0;
        if policy.default == Effect::Allow {
            flags |= policy_flag::DEFAULT_ALLOW;
        }
        if policy.report {
            flags |= policy_flag::REPORT;
        }
        let (mut customer, mut tags, mut vars) = ([0; 2], [0; 2], [0; 2]);
        if let Some(identity) = &policy.identity {
            flags |= policy_flag::IDENTITY;
            customer = self.texts(&identity.customer)?;
            if let Some(path) = &identity.tags {
                flags |= policy_flag::TAGS;
                tags = self.texts(path)?;
            }
            if let Some(path) = &identity.vars {
                flags |= policy_flag::VARS;
                vars = self.texts(path)?;
            }
        }
        let mut enforce_for = Vec::new();
        for alternative in &policy.enforce_for {
            enforce_for.push(u32::from(alternative.customers.is_some()) | u32::from(alternative.tags.is_some()) << 1);
            enforce_for.extend(self.customers(alternative.customers.as_ref(), customers)?);
            enforce_for.extend(self.tags(alternative.tags.as_ref(), all_tags)?);
            enforce_for.push(alternative.percent.unwrap_or(NONE));
        }
        let enforce_for = self.span(&enforce_for)?;
        let mut record = vec![flags];
        record.extend([customer, tags, vars, enforce_for].as_flattened());
        record.push(word(policy.sets.len())?);
        Ok(record)
    }

    fn key(&mut self, key: &KeySpec) -> Result<(), TooLarge> {
        let id = self.text(&key.id)?;
        let texts = [self.text(&key.secret)?, self.text(&key.kid)?, self.optional_text(key.issuer.as_deref())?];
        self.keys.extend(id);
        self.keys.push(key.alg.number());
        self.keys.extend(texts.as_flattened());
        Ok(())
    }

    /// What is known of a customer: the posting of the rules that name it, its tags, its variables. Customers of whom the same
    /// is known share it.
    fn facts(
        &mut self,
        posting: u32,
        known: Option<&(Vec<String>, BTreeMap<String, String>)>,
        all_tags: &Numbered<'_>,
    ) -> Result<u32, TooLarge> {
        let tags = all_tags.numbers(known.iter().flat_map(|(tags, _)| tags))?;
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (name, value) in known.iter().flat_map(|(_, vars)| vars) {
            names.extend(self.text(name)?);
            values.extend(self.text(value)?);
        }
        let mut facts = vec![posting, self.counted(tags.len(), &tags)?, self.counted(names.len() / 2, &names)?];
        facts.extend(values);
        let [start, _] = self.span(&facts)?;
        Ok(start)
    }

    fn rule(&mut self, rule: &RuleSpec, customers: &Numbered<'_>, tags: &Numbered<'_>) -> Result<(), TooLarge> {
        let mut flags = 0;
        for (set, flag) in [
            (rule.effect == Effect::Deny, rule_flag::DENY),
            (rule.report, rule_flag::REPORT),
            (rule.websocket, rule_flag::WEBSOCKET),
            (rule.literal, rule_flag::LITERAL),
            (rule.expires.is_some(), rule_flag::EXPIRES),
        ] {
            if set {
                flags |= flag;
            }
        }
        let mut record = vec![flags, rule.expires.unwrap_or(0).cast_unsigned()];
        record.extend([word(self.exceptions.len() / CONDITION_WORDS)?, word(rule.except.len())?]);
        record.extend(self.condition(&rule.condition, customers, tags)?);
        for condition in &rule.except {
            let exception = self.condition(condition, customers, tags)?;
            self.exceptions.extend(exception);
        }
        record.extend(self.text(&rule.id)?);
        record.extend(self.optional_text(rule.reason.as_deref())?);
        record.extend(self.texts(&rule.remove)?);
        record.extend(self.texts(&rule.keep)?);
        record.extend(self.pairs(&rule.set)?);
        record.push(match &rule.jwt {
            Some(jwt) => self.jwt(jwt)?,
            None => NONE,
        });
        self.rules.extend(record);
        Ok(())
    }

    fn condition(
        &mut self,
        condition: &ConditionSpec,
        customers: &Numbered<'_>,
        tags: &Numbered<'_>,
    ) -> Result<Vec<u32>, TooLarge> {
        let mut dimensions = 0;
        for (named, dimension) in [
            (condition.customers.is_some(), Dimensions::CUSTOMERS),
            (condition.tags.is_some(), Dimensions::TAGS),
            (condition.hosts.is_some(), Dimensions::HOSTS),
            (condition.schemes.is_some(), Dimensions::SCHEMES),
            (condition.ports.is_some(), Dimensions::PORTS),
            (condition.methods.is_some(), Dimensions::METHODS),
            (condition.paths.is_some(), Dimensions::PATHS),
        ] {
            if named {
                dimensions |= dimension;
            }
        }
        let mut record = vec![dimensions];
        record.extend(self.customers(condition.customers.as_ref(), customers)?);
        record.extend(self.tags(condition.tags.as_ref(), tags)?);
        record.extend(self.hosts(condition.hosts.as_ref())?);
        let (http, https) = condition.schemes.unwrap_or_default();
        record.push(u32::from(http) | u32::from(https) << 1);
        let ports: Vec<_> = condition.ports.iter().flatten().map(|&port| u32::from(port)).collect();
        record.extend(self.span(&ports)?);
        record.extend(self.texts(condition.methods.iter().flatten())?);
        record.push(condition.paths.unwrap_or(NONE));
        let mut headers = Vec::new();
        for (name, automaton) in &condition.headers {
            headers.extend(self.text(name)?);
            headers.push(*automaton);
        }
        record.extend(self.span(&headers)?);
        Ok(record)
    }

    /// Names with templates.
    fn pairs(&mut self, pairs: &[(String, Vec<PartSpec>)]) -> Result<[u32; 2], TooLarge> {
        let mut words = Vec::new();
        for (name, template) in pairs {
            words.extend(self.text(name)?);
            let mut parts = Vec::new();
            for part in template {
                let (kind, text) = match part {
                    PartSpec::Literal(text) => (0, self.text(text)?),
                    PartSpec::Customer => (1, [NONE, 0]),
                    PartSpec::Var(name) => (2, self.text(name)?),
                    PartSpec::Secret(name) => (3, self.text(name)?),
                };
                parts.push(kind);
                parts.extend(text);
            }
            words.extend(self.span(&parts)?);
        }
        self.span(&words)
    }

    /// Where the token's record begins in the words.
    fn jwt(&mut self, jwt: &JwtSpec) -> Result<u32, TooLarge> {
        let mut record = vec![jwt.key];
        record.extend(self.text(&jwt.audience)?);
        record.push(jwt.ttl);
        record.extend(self.text(&jwt.header)?);
        record.extend(self.text(&jwt.scheme)?);
        record.extend(self.pairs(&jwt.claims)?);
        let [start, _] = self.span(&record)?;
        Ok(start)
    }
}
