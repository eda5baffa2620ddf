//! A policy that has passed every check: names resolved, patterns parsed, lists read.
//!
//! This is the common ground of the lowering, the analyses and the reference interpreter. It says *what* the
//! operator wrote, in canonical form, and nothing of how it is matched. A value of these types
//! can be trusted: the fields hold only what the language allows.
//!
//! The defaults that depend on a rule's effect (scheme, port) are *not* filled in: an absent dimension is `None`.

use std::collections::{BTreeMap, BTreeSet};

use crate::alternatives::Places;
use crate::labels::at_and_above;
use crate::levels::Levels;
use crate::list;
use crate::names::Names;
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::ListFormat;

/// What a rule, or a policy where no rule decides, does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Let the request out.
    Allow,
    /// Refuse the request.
    Deny,
}

/// Whether a denial is carried out or only recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Denials refuse.
    Enforce,
    /// Denials are recorded only.
    Report,
}

/// A whole policy, with everything that `extends` brought in.
#[derive(Clone, Debug)]
pub struct CheckedPolicy {
    /// Effect where no rule decides.
    pub default: Effect,
    /// The policy's own mode.
    pub mode: Mode,
    /// Whose requests are enforced already under `mode = "report"`; alternatives.
    pub enforce_for: Vec<EnforceFor>,
    /// How a request names its tenant; `None` for `identity = "none"`.
    pub identity: Option<Identity>,
    /// The platform's own suffixes where tenants live, canonical, sorted.
    pub tenant_domains: Vec<String>,
    /// Facts about customers, by exact name.
    pub customers: BTreeMap<String, Customer>,
    /// Domain lists, in the order in which they were declared (`extends` first).
    pub lists: Vec<List>,
    /// Signing keys, in the order in which they were declared.
    pub keys: Vec<Key>,
    /// Rules, in file order, `extends` first.
    pub rules: Vec<Rule>,
    /// What becomes of findings; nothing of it is compiled.
    pub lints: Levels,
}

/// One alternative of `enforce-for`: all that it names must hold.
#[derive(Clone, Debug, Default)]
pub struct EnforceFor {
    /// Any of these tags.
    pub tags: Option<Vec<String>>,
    /// Any of these names or globs.
    pub customers: Option<Vec<AnyRunGlob>>,
    /// Hundredths of a percent, 0 to 10,000: `percent × 100`.
    pub percent: Option<u32>,
}

/// Outbound parameters that name the tenant: paths of own properties of `env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Path to the customer's name, at least one step.
    pub customer: Vec<String>,
    /// Path to the customer's tags, where the policy declares them.
    pub tags: Option<Vec<String>>,
    /// Path to the customer's variables, where the policy declares them: they go before those of [`Customer::vars`].
    pub vars: Option<Vec<String>>,
}

/// What the policy itself knows about a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customer {
    /// Tags, united with those of the request.
    pub tags: BTreeSet<String>,
    /// Values for `{vars.X}`.
    pub vars: BTreeMap<String, String>,
    /// Where the customer was named; `None` in policies that nobody wrote.
    pub span: Option<Span>,
}

/// A domain list that was read from a file. Its names are canonical, and none is in two of the three sets.
#[derive(Clone, Debug)]
pub struct List {
    /// The list's id.
    pub id: String,
    /// Names that stand for themselves and everything beneath them, as those of nearly every list do.
    pub names: Names,
    /// Names that stand for themselves alone: of response policy zones, which tell `x.example` from `*.x.example`. Unlike
    /// `hosts` of a rule they never open a special host.
    pub alone: Names,
    /// Names that stand for everything beneath them and not for themselves.
    pub beneath: Names,
    /// How many lines of each kind that `skip` names were passed over, by kind.
    pub skipped: Vec<(String, usize)>,
    /// The list's own file; see [`List::place_of`].
    pub file: FileId,
    /// How that file is written.
    pub(crate) format: ListFormat,
    /// Where the list was declared.
    pub span: Span,
}

impl List {
    /// Every name with whether it stands for itself, and whether for what is beneath it.
    pub fn entries(&self) -> impl Iterator<Item = (&str, bool, bool)> {
        let names = self.names.iter().map(|name| (name, true, true));
        let alone = self.alone.iter().map(|name| (name, true, false));
        let beneath = self.beneath.iter().map(|name| (name, false, true));
        names.chain(alone).chain(beneath)
    }

    /// The entry by which a host is in the list.
    pub fn entry_for<'h>(&self, host: &'h str) -> Option<&'h str> {
        let alone = Some(host).filter(|name| self.alone.contains(name));
        let at_or_above = || at_and_above(host).find(|name| self.names.contains(name));
        alone.or_else(at_or_above).or_else(|| at_and_above(host).skip(1).find(|name| self.beneath.contains(name)))
    }

    /// A list of names that stand for themselves and everything beneath them.
    #[cfg(test)]
    pub(crate) fn of_names(id: &str, names: Names, span: Span) -> Self {
        let (id, file, format) = (id.to_owned(), span.file, ListFormat::Domains);
        Self { id, names, alone: Names::default(), beneath: Names::default(), skipped: Vec::new(), file, format, span }
    }

    /// Whether another list has the same names, for the same hosts.
    pub fn has_the_names_of(&self, other: &Self) -> bool {
        self.names == other.names && self.alone == other.alone && self.beneath == other.beneath
    }

    /// How many names the list has.
    pub const fn len(&self) -> usize {
        self.names.len() + self.alone.len() + self.beneath.len()
    }

    /// Whether the list meets no host.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the file first brings in one of the list's names. The file is read anew: a place is asked for few names, and
    /// lists have a million.
    pub fn place_of(&self, name: &str, sources: &SourceMap) -> Option<Span> {
        list::find(self.format, self.file, &sources.file(self.file).text, name)
    }
}

/// A signing key; the key itself is a Worker secret and never here.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key's id in the policy.
    pub id: String,
    /// Signature algorithm.
    pub alg: Algorithm,
    /// Name of the Worker secret that holds the key.
    pub secret: String,
    /// Key id in the token's header.
    pub kid: String,
    /// The `iss` claim.
    pub issuer: Option<String>,
    /// Where the key was declared.
    pub span: Span,
}

/// JWT signature algorithms (RFC 7518 §3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// HMAC with SHA-256.
    Hs256,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique over the whole policy.
    pub id: String,
    /// What it does where it matches.
    pub effect: Effect,
    /// `Report`: evaluated and recorded, not enforced.
    pub mode: Mode,
    /// Days since 1970-01-01; from that day, 00:00 UTC, the rule no longer matches. Allow rules only.
    pub expires: Option<i32>,
    /// What the rule matches.
    pub condition: Condition,
    /// Where it does not, alternatives.
    pub except: Vec<Condition>,
    /// For the refusal's reader.
    pub reason: Option<String>,
    /// Meets WebSocket upgrades too. Allow rules only.
    pub websocket: bool,
    /// `encoded = "literal"`: takes `%2F` and `%25` in the main condition's path as they stand. Allow rules only.
    pub encoded_literal: bool,
    /// What an allowed request gets; empty on deny rules.
    pub obligations: Obligations,
    /// The rule's `id` value in its file.
    pub span: Span,
}

/// Conditions on a request: every dimension that is named must match; values within one are alternatives.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// Customer names and globs.
    pub customers: Option<Vec<AnyRunGlob>>,
    /// Tags, any of which.
    pub tags: Option<Vec<String>>,
    /// The host dimension: `domains`, `hosts`, `host-regex`, `lists` together.
    pub hosts: Option<HostCondition>,
    /// Schemes.
    pub schemes: Option<Vec<Scheme>>,
    /// Ports.
    pub ports: Option<Vec<u16>>,
    /// Methods, upper-cased.
    pub methods: Option<Vec<String>>,
    /// The path dimension: `paths`, `path-regex` together.
    pub paths: Option<Vec<PathPattern>>,
    /// Header conditions: lower-case name, alternatives for its value. Each name is a dimension of its own.
    pub headers: Vec<(String, Vec<AnyRunGlob>)>,
    /// Where its plain values are written.
    pub places: Places,
}

/// The host dimension's alternatives.
#[derive(Clone, Debug, Default)]
pub struct HostCondition {
    /// Names, each with everything beneath it; canonical.
    pub domains: Vec<String>,
    /// Hosts that stand for themselves alone: names and IP literals (IPv6 in brackets); canonical.
    pub exact: Vec<String>,
    /// Globs and regexes.
    pub patterns: Vec<HostPattern>,
    /// Indices into [`CheckedPolicy::lists`].
    pub lists: Vec<usize>,
}

/// A host pattern that is not a plain name.
#[derive(Clone, Debug)]
pub enum HostPattern {
    /// A glob over labels, canonical (lower case, punycode).
    Glob(Pattern),
    /// A regex over the whole host.
    Regex(Pattern),
}

/// A path pattern.
#[derive(Clone, Debug)]
pub enum PathPattern {
    /// A glob over segments, in the canonical form that paths are matched in. A path without wildcards is one too.
    Glob(Pattern),
    /// A regex over the whole path.
    Regex(Pattern),
}

/// A pattern's canonical text and where it was written.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Canonical text, in the pattern's own grammar.
    pub text: String,
    /// Its place, for findings about it.
    pub span: Span,
}

/// A customer name or header value in which `*` stands for any run of characters and nothing else is special.
#[derive(Clone, Debug)]
pub struct AnyRunGlob(pub Pattern);

impl AnyRunGlob {
    /// The text, if it holds no wildcard.
    pub fn literal(&self) -> Option<&str> {
        (!self.0.text.contains('*')).then_some(self.0.text.as_str())
    }
}

/// Schemes that the policy language knows; ws and wss are judged as these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `http`, and `ws`.
    Http,
    /// `https`, and `wss`.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// What a rule has done to the requests it allows: all `remove`, then all `set`, then `jwt`.
#[derive(Clone, Debug, Default)]
pub struct Obligations {
    /// Header names, lower case.
    pub remove: Vec<String>,
    /// Header names, lower case, that hygiene would drop and that may pass.
    pub keep: Vec<String>,
    /// Lower-case name and value.
    pub set: Vec<(String, Template)>,
    /// A token for the upstream.
    pub jwt: Option<Jwt>,
}

impl Obligations {
    /// The variables that templates ask for, in the order in which they stand.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let claims = self.jwt.iter().flat_map(|jwt| &jwt.claims);
        let templates = self.set.iter().chain(claims).map(|(_, template)| template);
        templates.flat_map(|template| &template.0).filter_map(|part| match part {
            TemplatePart::Var(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether the rule sends something that must not reach the wrong host: a token or a secret.
    pub fn has_credential(&self) -> bool {
        self.jwt.is_some() || self.set.iter().any(|(_, value)| value.uses_secret())
    }
}

/// A token that is minted for each customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// Index into [`CheckedPolicy::keys`].
    pub key: usize,
    /// The `aud` claim.
    pub audience: String,
    /// Lifetime in seconds, 60 to 86,400.
    pub ttl: u32,
    /// Private claims, sorted by name.
    pub claims: Vec<(String, Template)>,
    /// Lower-case header name.
    pub header: String,
    /// What stands before the token, with a space between; nothing if empty.
    pub scheme: String,
}

/// A value with places to be filled in for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub Vec<TemplatePart>);

impl Template {
    /// Whether a Worker secret goes into the value.
    pub fn uses_secret(&self) -> bool {
        self.secrets().next().is_some()
    }

    /// The Worker secrets that go into the value.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Secret(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// `{customer}`.
    Customer,
    /// Text as it stands.
    Literal(String),
    /// `{secret.NAME}`: a Worker secret.
    Secret(String),
    /// `{vars.NAME}`.
    Var(String),
}
