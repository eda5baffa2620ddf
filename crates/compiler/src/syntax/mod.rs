//! Text → [`PolicyFile`]: what one file says, every value with its place, nothing resolved.
//!
//! TOML is parsed with recovery, and the tree that comes out is walked by hand: a derived reader would stop at the
//! first fault, and a run reports them all. This stage knows which keys a table has, of what types their values are, and
//! which keys exclude each other. What the values *mean*, names, patterns, files, is the business of [`crate::check`].
//!
//! A value that is reported here is absent from the result, so that later stages do not report it again; a rule with
//! such a gap says so ([`RuleEntry::sound`]), for an absent dimension would mean "any".

pub(crate) mod keys;
mod policy;
mod rule;

use crate::checked::{Algorithm, Effect, Mode, Scheme};
use crate::diagnostic::Diagnostic;
use crate::levels::Levels;
use crate::source::{FileId, Span, Spanned, Text};
use crate::tree::{self, Entry, Texts};

/// Whether a file is the policy itself or one that it extends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reached through `extends`: brings rules, lists, keys, customers, tenant domains.
    Extended,
    /// The file that was asked for.
    Root,
}

/// What one policy file says.
#[derive(Debug, Default)]
pub(crate) struct PolicyFile {
    pub(crate) default: Option<Effect>,
    pub(crate) mode: Option<Mode>,
    pub(crate) extends: Vec<Text>,
    pub(crate) tenant_domains: Vec<Text>,
    pub(crate) identity: Option<IdentityEntry>,
    pub(crate) enforce_for: Option<Entry<Vec<EnforceForEntry>>>,
    pub(crate) customers: Vec<CustomerEntry>,
    pub(crate) lists: Vec<ListEntry>,
    pub(crate) keys: Vec<KeyEntry>,
    pub(crate) rules: Vec<RuleEntry>,
    pub(crate) lints: Levels,
    /// The file is TOML. If it is not, what the other fields hold is what could be made of it.
    pub(crate) is_toml: bool,
}

/// `identity`.
#[derive(Debug)]
pub(crate) enum IdentityEntry {
    /// `identity = "none"`.
    None,
    /// The table.
    Parameters { customer: Option<Text>, tags: Option<Text>, vars: Option<Text> },
}

/// An element of `enforce-for`.
#[derive(Debug)]
pub(crate) struct EnforceForEntry {
    pub(crate) tags: Option<Texts>,
    pub(crate) customers: Option<Texts>,
    /// `percent × 100`.
    pub(crate) percent: Option<u32>,
}

/// `[customers.NAME]`.
#[derive(Debug)]
pub(crate) struct CustomerEntry {
    pub(crate) name: Text,
    pub(crate) tags: Option<Texts>,
    pub(crate) vars: Vec<(Text, Text)>,
}

/// `[lists.ID]`.
#[derive(Debug)]
pub(crate) struct ListEntry {
    pub(crate) id: Text,
    pub(crate) file: Option<Text>,
    pub(crate) format: Option<Spanned<ListFormat>>,
    pub(crate) skip: Option<Texts>,
}

/// How a list file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListFormat {
    Adblock,
    Dnsmasq,
    Domains,
    Hosts,
    Rpz,
}

/// `[keys.ID]`.
#[derive(Debug)]
pub(crate) struct KeyEntry {
    pub(crate) id: Text,
    pub(crate) alg: Option<Algorithm>,
    pub(crate) secret: Option<Text>,
    pub(crate) kid: Option<Text>,
    pub(crate) issuer: Option<Text>,
}

/// `[[rule]]`.
#[derive(Debug)]
pub(crate) struct RuleEntry {
    /// The table's header.
    pub(crate) span: Span,
    pub(crate) id: Option<Text>,
    pub(crate) effect: Option<Effect>,
    pub(crate) mode: Option<Mode>,
    /// Days since 1970-01-01.
    pub(crate) expires: Option<i32>,
    pub(crate) reason: Option<Text>,
    pub(crate) websocket: bool,
    pub(crate) encoded_literal: bool,
    pub(crate) condition: ConditionEntry,
    pub(crate) except: Vec<ConditionEntry>,
    pub(crate) remove: Vec<Text>,
    pub(crate) keep: Vec<Text>,
    pub(crate) set: Vec<(Text, Text)>,
    pub(crate) jwt: Option<Entry<JwtEntry>>,
    /// Nothing was found wrong in the rule.
    pub(crate) sound: bool,
}

/// The dimensions of a rule or of an `except`.
#[derive(Debug, Default)]
pub(crate) struct ConditionEntry {
    pub(crate) customers: Option<Texts>,
    pub(crate) tags: Option<Texts>,
    pub(crate) domains: Option<Texts>,
    pub(crate) hosts: Option<Texts>,
    pub(crate) host_regex: Option<Texts>,
    pub(crate) lists: Option<Texts>,
    pub(crate) schemes: Option<Entry<Vec<Spanned<Scheme>>>>,
    pub(crate) ports: Option<Vec<Spanned<u16>>>,
    pub(crate) methods: Option<Texts>,
    pub(crate) paths: Option<Texts>,
    pub(crate) path_regex: Option<Texts>,
    pub(crate) headers: Vec<(Text, Texts)>,
}

/// `jwt`.
#[derive(Debug)]
pub(crate) struct JwtEntry {
    pub(crate) key: Option<Text>,
    pub(crate) audience: Option<Text>,
    pub(crate) ttl: Option<Text>,
    pub(crate) header: Option<Text>,
    pub(crate) scheme: Option<Text>,
    pub(crate) claims: Vec<(Text, Text)>,
}

/// Reads one policy file. Findings are added in no particular order.
pub(crate) fn parse(file: FileId, text: &str, role: Role, findings: &mut Vec<Diagnostic>) -> PolicyFile {
    let (mut policy, is_toml) =
        tree::read(file, text, &policy::GRAMMAR, findings, |reader, root| policy::read(reader, root, role));
    policy.is_toml = is_toml;
    policy
}
