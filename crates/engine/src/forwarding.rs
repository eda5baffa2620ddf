//! How an allowed request goes out: obligations met, hygiene worked out.

use tidegate_table::{Algorithm, Effect, Fault, Jwt, Rule, Template, TemplatePart};

use crate::canonical::Target;
use crate::decide::Decision;
use crate::hygiene::{fold, is_always_dropped, is_dropped_unless_kept, is_own_credential, is_upgrade_header, tokens};
use crate::judgement::Reason;
use crate::policy::Policy;
use crate::request::RequestView;

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
    /// Folded names that the rules let through.
    keep: Vec<String>,
    /// Folded names that the platform speaks with on this host.
    reserved: Vec<String>,
    /// Folded names that the request's `Connection` header names.
    connection: Vec<String>,
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
    /// Indices of the rules that ask for it.
    pub(crate) rules: Vec<u32>,
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
        let name = fold(name);
        if is_upgrade_header(&name) {
            return self.upgrade;
        }
        let kept = self.keep.contains(&name);
        !(is_always_dropped(&name)
            || self.reserved.contains(&name)
            || self.connection.contains(&name)
            || (is_dropped_unless_kept(&name) && !kept)
            || (is_own_credential(&name) && self.has_credential() && !kept))
    }

    /// Whether a header of the upstream's answer may reach the tenant.
    pub fn answer_passes(&self, name: &str) -> bool {
        let name = fold(name);
        let sets_cookie = name == "set-cookie" && self.has_credential() && !self.keep.contains(&name);
        !(name.starts_with("tidegate-") || sets_cookie)
    }

    /// Whether the request carries a token or a header with a secret.
    pub fn has_credential(&self) -> bool {
        self.jwt.is_some() || self.set.iter().any(|header| !header.secrets.is_empty())
    }

    pub(crate) fn of(
        policy: &Policy<'_>,
        request: &RequestView<'_>,
        target: &Target,
        decision: &Decision<'_>,
        secrets: &dyn Secrets,
    ) -> Result<Outcome, Fault> {
        let mut forwarding = Self {
            upgrade: request.is_upgrade(),
            reserved: reserved(policy, target, decision)?,
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
            };
            for &index in decision.rules() {
                let rule = policy.table.rule(index)?;
                if forwarding.oblige(index, &rule, &renderer)? == Met::No {
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
    fn oblige(&mut self, index: u32, rule: &Rule<'_>, renderer: &Renderer<'_, '_>) -> Result<Met, Fault> {
        let mut met = Met::Yes;
        for name in rule.keep()? {
            self.keep.push(fold(name?));
        }
        for name in rule.remove()? {
            self.remove.push(name?.to_owned());
        }
        for header in rule.set()? {
            let header = header?;
            self.no_store = true;
            let template = header.value()?;
            if template.uses_secret()? && !renderer.sends_credentials {
                continue;
            }
            match renderer.header_value(&template)? {
                Some((value, secrets)) => self.set.push(SetHeader { name: header.name()?.to_owned(), value, secrets }),
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
/// speak with them there.
fn reserved(policy: &Policy<'_>, target: &Target, decision: &Decision<'_>) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for index in 0..policy.table.rule_count() {
        let rule = policy.table.rule(index)?;
        if rule.effect()? != Effect::Allow {
            continue;
        }
        let mut own = Vec::new();
        for header in rule.set()? {
            own.push(fold(header?.name()?));
        }
        if let Some(jwt) = rule.jwt()? {
            own.push(fold(jwt.header()?));
        }
        if !own.is_empty() && decision.covers_host(policy, &rule.condition()?, target)? {
            names.append(&mut own);
        }
    }
    Ok(names)
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
}

impl Renderer<'_, '_> {
    /// A value and the secrets in it.
    fn render(&self, template: &Template<'_>) -> Result<Option<(String, Vec<String>)>, Fault> {
        let mut value = String::new();
        let mut secrets = Vec::new();
        for part in template.parts() {
            match part? {
                TemplatePart::Literal(text) => value.push_str(text),
                TemplatePart::Customer => match self.customer() {
                    Some(customer) => value.push_str(customer),
                    None => return Ok(None),
                },
                TemplatePart::Var(name) => {
                    let known = self.customer().map_or(Ok(None), |customer| self.policy.table.customer(customer))?;
                    match known.map_or(Ok(None), |known| known.var(name).map(|var| var.map(str::to_owned)))? {
                        Some(var) => value.push_str(&var),
                        None => return Ok(None),
                    }
                }
                TemplatePart::Secret(name) => match self.secrets.secret(name) {
                    Some(secret) => {
                        value.push_str(&secret);
                        secrets.push(secret);
                    }
                    None => return Ok(None),
                },
            }
        }
        let breaks_out = value.contains(['\r', '\n', '\0']);
        Ok((!breaks_out).then_some((value, secrets)))
    }

    fn header_value(&self, template: &Template<'_>) -> Result<Option<(String, Vec<String>)>, Fault> {
        Ok(self.render(template)?.filter(|(value, _)| value.is_ascii()))
    }

    fn token(&self, jwt: &Jwt<'_>) -> Result<Option<JwtSpec>, Fault> {
        let key = jwt.key()?;
        let Some(customer) = self.customer().filter(|customer| customer.is_ascii()) else { return Ok(None) };
        let claim = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut claims: Vec<_> = key.issuer()?.map(|issuer| claim("iss", issuer)).into_iter().collect();
        claims.push(claim("sub", customer));
        claims.push(claim("aud", jwt.audience()?));
        for private in jwt.claims()? {
            let (name, template) = private?;
            let Some((value, _)) = self.render(&template)? else { return Ok(None) };
            claims.push((name.to_owned(), value));
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
            rules: Vec::new(),
        }))
    }

    /// The customer, where the policy knows customers at all.
    fn customer(&self) -> Option<&str> {
        self.policy.identity().and(self.request.customer)
    }
}
