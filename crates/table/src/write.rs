//! The writer: lays out a policy as table bytes. Same policy, same bytes.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "runs in the compiler, never in the Worker, over lengths of what is in memory; `word` refuses what does not fit"
)]

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use crate::header::{
    ALIGN, CHECKSUM_AT, DIGEST_AT, DIRECTORY_AT, ENTRY_BYTES, FORMAT_VERSION, MAGIC, SectionKind, checksum,
};
pub use crate::hosts::Reach;
use crate::hosts::{BLOCK, MAX_KEY, REACH_BITS, payload_width, write_key};
pub use crate::obligations::Algorithm;
pub use crate::records::Effect;
use crate::records::{Condition as Dimensions, policy_flag, rule_flag};
use crate::words::NONE;

/// Everything that a table holds. Names are canonical, and every index is that of the vector it speaks of.
#[derive(Clone, Debug)]
pub struct PolicySpec {
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
    /// Sets of hosts.
    pub sets: Vec<Vec<(String, Reach)>>,
    /// Automata.
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
    pub customers: Option<DimensionSpec>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Hundredths of a percent.
    pub percent: Option<u32>,
}

/// Exact values and the automaton of the patterns.
#[derive(Clone, Debug, Default)]
pub struct DimensionSpec {
    /// Exact values; the writer sorts them.
    pub exact: Vec<String>,
    /// Index of the automaton.
    pub automaton: Option<u32>,
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
    pub customers: Option<DimensionSpec>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Sets, and the automaton of the patterns.
    pub hosts: Option<(Vec<u32>, Option<u32>)>,
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
pub fn write(policy: &PolicySpec) -> Result<Vec<u8>, TooLarge> {
    let mut writer = Writer::default();
    let policy_record = writer.policy(policy)?;
    for key in &policy.keys {
        writer.key(key)?;
    }
    for (name, (tags, vars)) in &policy.customers {
        writer.customer(name, tags, vars)?;
    }
    for rule in &policy.rules {
        writer.rule(rule)?;
    }
    let hosts = HostIndex::build(&policy.sets)?;
    let automata = automata(&policy.automata)?;

    let sections = SectionKind::ALL.map(|kind| match kind {
        SectionKind::Automata => automata.clone(),
        SectionKind::Blocks => le_bytes(&hosts.blocks),
        SectionKind::Conditions => le_bytes(&writer.conditions),
        SectionKind::Customers => le_bytes(&writer.customers),
        SectionKind::Keys => le_bytes(&writer.keys),
        SectionKind::Names => hosts.names.clone(),
        SectionKind::Payloads => hosts.payloads.clone(),
        SectionKind::Policy => le_bytes(&policy_record),
        SectionKind::Postings => le_bytes(&hosts.postings),
        SectionKind::Rules => le_bytes(&writer.rules),
        SectionKind::Text => writer.text.clone(),
        SectionKind::Words => le_bytes(&writer.words),
    });
    assemble(&sections)
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

fn word(number: usize) -> Result<u32, TooLarge> {
    u32::try_from(number).ok().filter(|&number| number != NONE).ok_or(TooLarge)
}

fn le_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn automata(automata: &[Vec<u8>]) -> Result<Vec<u8>, TooLarge> {
    let mut directory = vec![word(automata.len())?];
    let mut next = 4 * (1 + 2 * automata.len());
    for automaton in automata {
        directory.extend([word(next)?, word(automaton.len())?]);
        next += automaton.len();
    }
    Ok([le_bytes(&directory), automata.concat()].concat())
}

/// Collects records, words and texts.
#[derive(Default)]
struct Writer {
    rules: Vec<u32>,
    conditions: Vec<u32>,
    keys: Vec<u32>,
    customers: Vec<u32>,
    words: Vec<u32>,
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

    fn span(&mut self, words: &[u32]) -> Result<[u32; 2], TooLarge> {
        let place = [word(self.words.len())?, word(words.len())?];
        self.words.extend_from_slice(words);
        Ok(place)
    }

    fn texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a String>) -> Result<[u32; 2], TooLarge> {
        let mut words = Vec::new();
        for text in texts {
            words.extend(self.text(text)?);
        }
        self.span(&words)
    }

    fn dimension(&mut self, dimension: Option<&DimensionSpec>) -> Result<[u32; 3], TooLarge> {
        let mut exact: Vec<_> = dimension.iter().flat_map(|dimension| &dimension.exact).collect();
        exact.sort();
        exact.dedup();
        let [start, length] = self.texts(exact)?;
        Ok([start, length, dimension.and_then(|dimension| dimension.automaton).unwrap_or(NONE)])
    }

    fn policy(&mut self, policy: &PolicySpec) -> Result<Vec<u32>, TooLarge> {
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
            enforce_for.extend(self.dimension(alternative.customers.as_ref())?);
            enforce_for.extend(self.texts(alternative.tags.iter().flatten())?);
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

    fn customer(&mut self, name: &str, tags: &[String], vars: &BTreeMap<String, String>) -> Result<(), TooLarge> {
        let mut pairs = Vec::new();
        for (name, value) in vars {
            pairs.extend(self.text(name)?);
            pairs.extend(self.text(value)?);
        }
        let record = [self.text(name)?, self.texts(tags)?, self.span(&pairs)?];
        self.customers.extend(record.as_flattened());
        Ok(())
    }

    fn rule(&mut self, rule: &RuleSpec) -> Result<(), TooLarge> {
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
        let mut record = self.text(&rule.id)?.to_vec();
        record.extend([flags, rule.expires.unwrap_or(0).cast_unsigned()]);
        record.extend(self.optional_text(rule.reason.as_deref())?);
        record.push(self.condition(&rule.condition)?);
        record.push(word(self.conditions.len() / crate::records::CONDITION_WORDS)?);
        record.push(word(rule.except.len())?);
        for condition in &rule.except {
            self.condition(condition)?;
        }
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

    fn condition(&mut self, condition: &ConditionSpec) -> Result<u32, TooLarge> {
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
        record.extend(self.dimension(condition.customers.as_ref())?);
        record.extend(self.texts(condition.tags.iter().flatten())?);
        let (sets, automaton) = condition.hosts.clone().unwrap_or_default();
        record.extend(self.span(&sets)?);
        record.push(automaton.unwrap_or(NONE));
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
        let index = word(self.conditions.len() / record.len())?;
        self.conditions.extend(record);
        Ok(index)
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

/// The four sections of the host index.
#[derive(Default)]
struct HostIndex {
    blocks: Vec<u32>,
    names: Vec<u8>,
    payloads: Vec<u8>,
    postings: Vec<u32>,
}

impl HostIndex {
    fn build(sets: &[Vec<(String, Reach)>]) -> Result<Self, TooLarge> {
        let mut entries = Vec::with_capacity(sets.iter().map(Vec::len).sum());
        for (set, names) in (0_u32..).zip(sets) {
            for (name, reach) in names {
                let mut buffer = [0; MAX_KEY];
                let key = write_key(name, &mut buffer).ok_or(TooLarge)?;
                entries.push((Box::<[u8]>::from(key), set, *reach));
            }
        }
        entries.sort_unstable();

        let mut index = Self::default();
        let mut numbers = Vec::new();
        let mut postings = BTreeMap::new();
        let mut distinct: Vec<Vec<u32>> = Vec::new();
        let mut previous: Box<[u8]> = Box::default();
        for (place, group) in entries.chunk_by(|a, b| a.0 == b.0).enumerate() {
            let key = &group[0].0;
            index.push_name(place, &previous, key)?;
            previous.clone_from(key);
            let mut posting: BTreeMap<u32, Reach> = BTreeMap::new();
            for &(_, set, reach) in group {
                posting.entry(set).and_modify(|known| *known = known.union(reach)).or_insert(reach);
            }
            let posting: Vec<u32> =
                posting.into_iter().map(|(set, reach)| set << REACH_BITS | u32::from(reach.0)).collect();
            let next = distinct.len();
            numbers.push(*postings.entry(posting).or_insert_with_key(|posting| {
                distinct.push(posting.clone());
                next
            }));
        }
        let width = payload_width(distinct.len());
        index.payloads = numbers.iter().flat_map(|number| number.to_le_bytes().into_iter().take(width)).collect();
        if !distinct.is_empty() {
            let mut start = 2 + distinct.len();
            index.postings.push(word(distinct.len())?);
            for posting in &distinct {
                index.postings.push(word(start)?);
                start += posting.len();
            }
            index.postings.push(word(start)?);
            index.postings.extend(distinct.concat());
        }
        Ok(index)
    }

    fn push_name(&mut self, place: usize, previous: &[u8], key: &[u8]) -> Result<(), TooLarge> {
        let mut shared = 0;
        if place.is_multiple_of(BLOCK) {
            self.blocks.push(word(self.names.len())?);
        } else {
            shared = previous.iter().zip(key).take_while(|(a, b)| a == b).count();
        }
        let byte = |length: usize| u8::try_from(length).map_err(|_| TooLarge);
        self.names.extend([byte(shared)?, byte(key.len() - shared)?]);
        self.names.extend_from_slice(&key[shared..]);
        Ok(())
    }
}
