//! How an allowed request goes out: obligations met, hygiene worked out.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use tidegate_table::{Algorithm, Fault, Jwt, Posting, Rule, Template, TemplatePart};

use crate::canonical::Target;
use crate::decide::Decision;
use crate::hygiene::{
    answer_passes, fold, is_always_dropped, is_dropped_unless_kept, is_own_credential, is_upgrade_header, tokens,
};
use crate::judgement::Reason;
use crate::policy::Policy;
use crate::request::{Header, MAX_HEADERS, RequestView};

/// What the names in one request's obligations may take, in bytes. A table holds each text once and may point to it as
/// often as it likes, so what it asks for is not bounded by its own size.
const MAX_NAMES: usize = 4 << 20;

/// Where the values of `{secret.NAME}` come from: the Worker's environment, or placeholders where decisions are only shown.
pub trait Secrets {
    /// The secret's value, if there is one.
    fn secret(&self, name: &str) -> Option<String>;
}

/// What becomes of an allowed request: first the tenant's headers pass [`Forwarding::passes`], then all of `remove`
/// goes, then `set` is set, then the token.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    /// Header names that the rules remove, lower case, sorted.
    pub remove: Vec<String>,
    /// Headers that the rules set, sorted by name.
    pub set: Vec<SetHeader>,
    /// The token that the rules ask for.
    pub jwt: Option<JwtSpec>,
    /// The request must not meet a cache: a rule sets a header.
    pub no_store: bool,
    /// This is a WebSocket upgrade, and it may become one.
    pub upgrade: bool,
    // Sets: tenants choose how many headers there are, and how many names stand in `Connection`.
    /// Folded names that the rules let through.
    keep: BTreeSet<String>,
    /// Folded names that the platform speaks with on this host.
    reserved: BTreeSet<String>,
    /// Folded names that the request's `Connection` header names.
    connection: BTreeSet<String>,
}

/// Why a header of the tenant's does not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// No rule can let it through.
    Always,
    /// The request's `Connection` header names it.
    Connection,
    /// The platform attaches a credential, and the tenant's own would be beside it.
    OwnCredential,
    /// The platform speaks with this name on this host.
    Reserved,
    /// It lies about who asks, and no rule keeps it.
    UnlessKept,
    /// It belongs to a WebSocket upgrade, which this is not or may not be.
    Upgrade,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "never passes",
            Self::Connection => "`connection` names it",
            Self::OwnCredential => {
                "the tenant's own credential does not go beside the platform's; `keep` lets it through"
            }
            Self::Reserved => "the platform speaks with this name on this host",
            Self::UnlessKept => "lies about who asks; `keep` lets it through",
            Self::Upgrade => "belongs to a WebSocket upgrade",
        })
    }
}

/// A header of the request that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// One of the tenant's, as it came: its place among those that were received.
    Received(usize),
    /// One that the rules set, or the token.
    Set(Header),
}

/// A header with its value rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetHeader {
    /// Lower-case name.
    pub name: String,
    /// The value.
    pub value: String,
    /// The secrets that went into the value. They must not come back in an answer's headers.
    pub secrets: Vec<String>,
}

/// A token to be signed. `iat` and `exp` are the signer's to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSpec {
    /// The key's id in the policy.
    pub key: String,
    /// Key id for the token's header.
    pub kid: String,
    /// Signature algorithm.
    pub alg: Algorithm,
    /// Name of the Worker secret that holds the key.
    pub secret: String,
    /// Lower-case name of the header that carries the token.
    pub header: String,
    /// What stands before the token, with a space between; nothing if empty.
    pub scheme: String,
    /// Lifetime in seconds.
    pub ttl: u32,
    /// Claims in order: `iss` (where the key has an issuer), `sub`, `aud`, then the rule's own by name. All are strings.
    pub claims: Vec<(String, String)>,
    /// The secrets that went into the claims. They must not come back in an answer's headers.
    pub secrets: Vec<String>,
    /// Indices of the rules that ask for it.
    pub(crate) rules: Vec<u32>,
}

impl JwtSpec {
    /// The header that carries the signed token.
    fn stamp(&self, token: &str) -> Header {
        let value = if self.scheme.is_empty() { token.to_owned() } else { format!("{} {token}", self.scheme) };
        (self.header.clone(), value)
    }
}

/// Whether obligations could be met.
pub(crate) enum Outcome {
    Ready(Box<Forwarding>),
    /// Indices of the rules whose obligations failed.
    Unmet(Vec<u32>),
}

impl Forwarding {
    /// Whether hygiene lets one of the tenant's headers through.
    pub fn passes(&self, name: &str) -> bool {
        self.drops(name).is_none()
    }

    /// Why hygiene drops one of the tenant's headers; `None` if it lets it through.
    pub fn drops(&self, name: &str) -> Option<Dropped> {
        self.drops_folded(&fold(name))
    }

    fn drops_folded(&self, name: &str) -> Option<Dropped> {
        if is_upgrade_header(name) {
            return (!self.upgrade).then_some(Dropped::Upgrade);
        }
        let kept = self.keep.contains(name);
        if is_always_dropped(name) {
            Some(Dropped::Always)
        } else if self.reserved.contains(name) {
            Some(Dropped::Reserved)
        } else if self.connection.contains(name) {
            Some(Dropped::Connection)
        } else if is_dropped_unless_kept(name) && !kept {
            Some(Dropped::UnlessKept)
        } else if is_own_credential(name) && self.has_credential() && !kept {
            Some(Dropped::OwnCredential)
        } else {
            None
        }
    }

    /// The headers of the request that goes out: the tenant's as far as they pass, then those that the rules set, then the
    /// token. A name that the rules remove or set is the tenant's under no spelling.
    ///
    /// `token` is the signed token that [`Forwarding::jwt`] asks for.
    pub fn sent(&self, received: &[Header], token: Option<&str>) -> Vec<Sent> {
        let set = self.set.iter().map(|header| (header.name.clone(), header.value.clone()));
        let stamp = self.jwt.iter().zip(token).map(|(jwt, token)| jwt.stamp(token));
        let ours: Vec<Header> = set.chain(stamp).collect();
        let replaced: Vec<String> =
            self.remove.iter().chain(ours.iter().map(|(name, _)| name)).map(|name| fold(name)).collect();
        let passes = |(name, _): &Header| {
            let name = fold(name);
            self.drops_folded(&name).is_none() && !replaced.contains(&name)
        };
        let theirs = received.iter().enumerate().filter(|(_, header)| passes(header));
        theirs.map(|(place, _)| Sent::Received(place)).chain(ours.into_iter().map(Sent::Set)).collect()
    }

    /// [`Forwarding::sent`], written out.
    pub fn headers(&self, received: &[Header], token: Option<&str>) -> Vec<Header> {
        let written = |sent| match sent {
            Sent::Received(place) => received.get(place).cloned(),
            Sent::Set(header) => Some(header),
        };
        self.sent(received, token).into_iter().filter_map(written).collect()
    }

    /// Whether a header of the upstream's answer may reach the tenant.
    pub fn answer_passes(&self, name: &str) -> bool {
        answer_passes(name, self.passes_cookies())
    }

    /// Whether cookies that the upstream sets may reach the tenant.
    pub fn passes_cookies(&self) -> bool {
        !self.has_credential() || self.keep.contains("set-cookie")
    }

    /// Whether the request carries a token or a header with a secret.
    pub fn has_credential(&self) -> bool {
        self.jwt.is_some() || self.set.iter().any(|header| !header.secrets.is_empty())
    }

    /// The secrets that go out with the request, in headers and in the token's claims.
    pub fn secrets(&self) -> impl Iterator<Item = &String> {
        let claims = self.jwt.iter().flat_map(|jwt| &jwt.secrets);
        self.set.iter().flat_map(|header| &header.secrets).chain(claims)
    }

    pub(crate) fn of(
        policy: &Policy<'_>,
        request: &RequestView<'_>,
        target: &Target,
        decision: &Decision<'_>,
        secrets: &dyn Secrets,
    ) -> Result<Outcome, Fault> {
        let mut room = Room(MAX_NAMES);
        let mut forwarding = Self {
            upgrade: request.is_upgrade(),
            reserved: reserved(policy, target, decision, &mut room)?,
            connection: request.header("connection").into_iter().flat_map(tokens).map(fold).collect(),
            ..Self::default()
        };
        let mut unmet = Vec::new();
        // What report mode lets through, and what no rule speaks for, goes out as it is.
        if decision.reason == Reason::Rule && !decision.waived {
            let renderer = Renderer {
                policy,
                request,
                secrets,
                sends_credentials: !request.method.eq_ignore_ascii_case("OPTIONS"),
                room: Cell::new(MAX_HEADERS),
            };
            for index in decision.rules() {
                let rule = policy.table.rule(index)?;
                if forwarding.oblige(index, &rule, &renderer, &mut room)? == Met::No {
                    unmet.push(index);
                }
            }
        }
        forwarding.remove.sort();
        forwarding.remove.dedup();
        forwarding.set.sort_by(|a, b| a.name.cmp(&b.name));
        forwarding.set.dedup();
        Ok(if unmet.is_empty() { Outcome::Ready(Box::new(forwarding)) } else { Outcome::Unmet(unmet) })
    }

    /// Adds what one rule asks for.
    fn oblige(
        &mut self,
        index: u32,
        rule: &Rule<'_>,
        renderer: &Renderer<'_, '_>,
        room: &mut Room,
    ) -> Result<Met, Fault> {
        let mut met = Met::Yes;
        for name in rule.keep()? {
            self.keep.insert(fold(room.take(name?)?));
        }
        for name in rule.remove()? {
            self.remove.push(room.take(name?)?.to_owned());
        }
        for header in rule.set()? {
            let header = header?;
            let name = room.take(header.name()?)?;
            self.no_store = true;
            let template = header.value()?;
            if template.uses_secret()? && !renderer.sends_credentials {
                continue;
            }
            match renderer.header_value(&template)? {
                Some((value, secrets)) => self.set.push(SetHeader { name: name.to_owned(), value, secrets }),
                None => met = Met::No,
            }
        }
        if let Some(jwt) = rule.jwt()? {
            self.no_store = true;
            if renderer.sends_credentials {
                match (renderer.token(&jwt)?, &mut self.jwt) {
                    (None, _) => met = Met::No,
                    // The compiler has seen to it that all rules ask for the same token.
                    (Some(_), Some(known)) => known.rules.push(index),
                    (Some(spec), none) => *none = Some(JwtSpec { rules: vec![index], ..spec }),
                }
            }
        }
        Ok(met)
    }
}

/// Folded names of the headers that any allow rule sets on this host, whatever else it asks for: nobody but the platform may
/// speak with them there. The rule index has them by the sets that hold the host; rules are not looked at.
fn reserved(
    policy: &Policy<'_>,
    target: &Target,
    decision: &Decision<'_>,
    room: &mut Room,
) -> Result<BTreeSet<String>, Fault> {
    let table = &policy.table;
    // No two sets share a posting, so that more than there is cannot be found.
    let mut left = table.postings_room();
    let mut names = BTreeSet::new();
    let mut add = |posting: Posting<'_>| {
        // Of the header that was last read: where it stands, its folded name, and whether nothing more is to be found.
        let mut last = (None, String::new(), false);
        for reserved in posting.reserved() {
            left = left.checked_sub(1).ok_or(Fault("more headers are filed than there is room for"))?;
            let reserved = reserved?;
            let place = Some(reserved.place()?);
            if place != last.0 {
                let name = fold(room.take(reserved.header()?)?);
                let is_known = names.contains(&name);
                last = (place, name, is_known);
            }
            let (_, name, is_known) = &mut last;
            let asked = |automaton| policy.accepts(automaton, target.host().as_str());
            if !*is_known && reserved.automaton()?.map_or(Ok(true), asked)? {
                names.insert(std::mem::take(name));
                *is_known = true;
            }
        }
        Ok(())
    };
    add(table.posting_of_all()?)?;
    for set in decision.sets() {
        table.posting_of_set(set)?.map_or(Ok(()), &mut add)?;
    }
    Ok(names)
}

/// Room that is left for names.
struct Room(usize);

impl Room {
    /// Makes room for one more.
    fn take<'n>(&mut self, name: &'n str) -> Result<&'n str, Fault> {
        // What a name costs beside its bytes.
        const OVERHEAD: usize = 64;
        let left = self.0.checked_sub(name.len().saturating_add(OVERHEAD));
        self.0 = left.ok_or(Fault("more obligations than a request can have"))?;
        Ok(name)
    }
}

#[derive(PartialEq, Eq)]
enum Met {
    Yes,
    No,
}

/// Fills in templates for one request. `None` stands for a value that cannot be had or cannot be sent.
struct Renderer<'r, 'p> {
    policy: &'r Policy<'p>,
    request: &'r RequestView<'r>,
    secrets: &'r dyn Secrets,
    sends_credentials: bool,
    /// Bytes that values may yet take: what is more, no request can carry.
    room: Cell<usize>,
}

impl Renderer<'_, '_> {
    /// A value and the secrets in it.
    fn render(&self, template: &Template<'_>) -> Result<Option<(String, Vec<String>)>, Fault> {
        let mut value = String::new();
        let mut secrets = Vec::new();
        for part in template.parts() {
            let secret;
            let text = match part? {
                TemplatePart::Literal(text) => Some(text),
                TemplatePart::Customer => self.customer(),
                TemplatePart::Var(name) => self.var(name)?,
                TemplatePart::Secret(name) => {
                    secret = self.secrets.secret(name);
                    secrets.extend(secret.clone());
                    secret.as_deref()
                }
            };
            let Some(text) = text.filter(|text| self.has_room_for(text)) else { return Ok(None) };
            value.push_str(text);
        }
        let breaks_out = value.contains(['\r', '\n', '\0']);
        Ok((!breaks_out).then_some((value, secrets)))
    }

    /// A header's value: one that arrives as it is rendered. White space at its ends would not, and a customer would
    /// arrive as another.
    fn header_value(&self, template: &Template<'_>) -> Result<Option<(String, Vec<String>)>, Fault> {
        let arrives = |value: &str| value.is_ascii() && value.trim_matches([' ', '\t']) == value;
        Ok(self.render(template)?.filter(|(value, _)| arrives(value)))
    }

    fn token(&self, jwt: &Jwt<'_>) -> Result<Option<JwtSpec>, Fault> {
        let key = jwt.key()?;
        let Some(customer) = self.customer().filter(|customer| customer.is_ascii()) else { return Ok(None) };
        let claim = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut claims: Vec<_> = key.issuer()?.map(|issuer| claim("iss", issuer)).into_iter().collect();
        claims.push(claim("sub", customer));
        claims.push(claim("aud", jwt.audience()?));
        let mut secrets = Vec::new();
        for private in jwt.claims()? {
            let (name, template) = private?;
            let value = if self.has_room_for(name) { self.render(&template)? } else { None };
            let Some((value, mut rendered)) = value else { return Ok(None) };
            claims.push((name.to_owned(), value));
            secrets.append(&mut rendered);
        }
        Ok(Some(JwtSpec {
            key: key.id()?.to_owned(),
            kid: key.kid()?.to_owned(),
            alg: key.alg()?,
            secret: key.secret()?.to_owned(),
            header: jwt.header()?.to_owned(),
            scheme: jwt.scheme()?.to_owned(),
            ttl: jwt.ttl()?,
            claims,
            secrets,
            rules: Vec::new(),
        }))
    }

    /// Makes room for a text, if there is enough.
    fn has_room_for(&self, text: &str) -> bool {
        let left = self.room.get().checked_sub(text.len());
        self.room.set(left.unwrap_or(0));
        left.is_some()
    }

    /// A variable: what the request brings goes before what the policy holds.
    fn var(&self, name: &str) -> Result<Option<&str>, Fault> {
        let brings = self.policy.identity().is_some_and(|identity| identity.vars.is_some());
        let brought = self.request.vars.filter(|_| brings).into_iter().flatten().find(|(known, _)| known == name);
        if let Some((_, value)) = brought {
            return Ok(Some(value));
        }
        let known = self.customer().map_or(Ok(None), |customer| self.policy.table.customer(customer))?;
        known.map_or(Ok(None), |known| known.var(name))
    }

    /// The customer, where the policy knows customers at all.
    fn customer(&self) -> Option<&str> {
        self.policy.identity().and(self.request.customer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<Header> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn set(name: &str, value: &str) -> SetHeader {
        SetHeader { name: name.to_owned(), value: value.to_owned(), secrets: Vec::new() }
    }

    fn jwt(scheme: &str) -> JwtSpec {
        JwtSpec {
            key: "platform".into(),
            kid: "1".into(),
            alg: Algorithm::Hs256,
            secret: "KEY".into(),
            header: "authorization".into(),
            scheme: scheme.into(),
            ttl: 60,
            claims: Vec::new(),
            secrets: Vec::new(),
            rules: Vec::new(),
        }
    }

    #[test]
    fn what_the_rules_set_replaces_the_tenants_own_under_every_spelling() {
        let forwarding = Forwarding { set: vec![set("x-api-key", "ours")], ..Forwarding::default() };
        let received = pairs(&[("x_api_key", "theirs"), ("x-api-key", "theirs"), ("accept", "*/*")]);
        assert_eq!(forwarding.headers(&received, None), pairs(&[("accept", "*/*"), ("x-api-key", "ours")]));
    }

    #[test]
    fn what_the_rules_remove_goes_under_every_spelling() {
        let forwarding = Forwarding { remove: vec!["x-debug".into()], ..Forwarding::default() };
        let received = pairs(&[("x_debug", "1"), ("x-debug", "1"), ("x-debugger", "1")]);
        assert_eq!(forwarding.headers(&received, None), pairs(&[("x-debugger", "1")]));
    }

    #[test]
    fn the_token_replaces_the_tenants_own_authorization() {
        let received = pairs(&[("authorization", "Basic theirs")]);
        for (scheme, value) in [("Bearer", "Bearer a.b.c"), ("", "a.b.c")] {
            let forwarding = Forwarding { jwt: Some(jwt(scheme)), ..Forwarding::default() };
            assert_eq!(forwarding.headers(&received, Some("a.b.c")), pairs(&[("authorization", value)]));
        }
    }

    #[test]
    fn hygiene_holds_without_any_rule() {
        let received =
            pairs(&[("cf-connecting-ip", "1.2.3.4"), ("upgrade", "websocket"), ("x-forwarded-for", "a"), ("x-a", "b")]);
        assert_eq!(Forwarding::default().headers(&received, None), pairs(&[("x-a", "b")]));
    }

    #[test]
    fn an_allowed_upgrade_keeps_its_handshake() {
        let forwarding = Forwarding { upgrade: true, ..Forwarding::default() };
        let handshake = pairs(&[("sec-websocket-protocol", "chat"), ("upgrade", "websocket")]);
        assert_eq!(forwarding.headers(&handshake, None), handshake);
    }
}
