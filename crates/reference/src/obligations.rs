//! Obligations: what the rules that allow a request have done to it (`docs/policy.md`, "What a rule does").

use std::collections::{BTreeMap, BTreeSet};

use tidegate_compiler::checked::{CheckedPolicy, Jwt, Rule, Template, TemplatePart};

use crate::Token;
use crate::identity::Tenant;
use crate::request::{CanonicalRequest, trim};

/// What is rendered for one request, in bytes: headers' values, and the names and values of claims.
const MAX_RENDERED: usize = 128 * 1024;

/// The obligations of all rules that allow a request, rendered.
#[derive(Default)]
pub(crate) struct Obligations {
    /// Lower-case names.
    pub(crate) remove: BTreeSet<String>,
    /// Lower-case names.
    pub(crate) keep: BTreeSet<String>,
    /// Lower-case names, and values.
    pub(crate) set: BTreeMap<String, String>,
    pub(crate) token: Option<Token>,
    /// A token or a secret goes out.
    pub(crate) attaches_credential: bool,
    pub(crate) no_store: bool,
}

/// Renders what rules ask for.
pub(crate) struct Renderer<'r> {
    policy: &'r CheckedPolicy,
    request: &'r CanonicalRequest,
    tenant: &'r Tenant,
    secret: &'r dyn Fn(&str) -> Option<String>,
    /// Bytes so far.
    rendered: usize,
}

impl<'r> Renderer<'r> {
    pub(crate) fn new(
        policy: &'r CheckedPolicy,
        request: &'r CanonicalRequest,
        tenant: &'r Tenant,
        secret: &'r dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self { policy, request, tenant, secret, rendered: 0 }
    }

    /// The obligations of these rules together; or those rules whose obligations cannot be met.
    pub(crate) fn render<'p>(mut self, rules: &[&'p Rule]) -> Result<Obligations, Vec<&'p Rule>> {
        let mut obligations = Obligations::default();
        let mut failed = Vec::new();
        for rule in rules {
            if self.add(rule, &mut obligations).is_none() {
                failed.push(*rule);
            }
        }
        if failed.is_empty() { Ok(obligations) } else { Err(failed) }
    }

    fn add(&mut self, rule: &Rule, all: &mut Obligations) -> Option<()> {
        let of_rule = &rule.obligations;
        all.remove.extend(of_rule.remove.iter().cloned());
        all.keep.extend(of_rule.keep.iter().cloned());
        // Requests of a rule with a credential meet no cache, also those that go without it.
        all.no_store |= of_rule.jwt.is_some() || !of_rule.set.is_empty();
        // A pre-flight needs no credential: none is rendered, and none is sent.
        let sends_credentials = self.request.method != "OPTIONS";
        for (name, template) in &of_rule.set {
            if template.uses_secret() && !sends_credentials {
                continue;
            }
            let value = self.text(template).filter(|value| is_header_value(value))?;
            self.count(&value)?;
            all.attaches_credential |= template.uses_secret();
            all.set.insert(name.clone(), value);
        }
        if let Some(jwt) = &of_rule.jwt
            && sends_credentials
        {
            let token = self.token(jwt)?;
            all.attaches_credential = true;
            // Tokens of several rules are one and the same.
            all.token.get_or_insert(token);
        }
        Some(())
    }

    fn token(&mut self, jwt: &Jwt) -> Option<Token> {
        let key = self.policy.keys.get(jwt.key)?;
        let customer = self.tenant.customer.as_ref().filter(|customer| customer.is_ascii())?;
        let mut claims = BTreeMap::new();
        for (name, template) in &jwt.claims {
            let value = self.text(template).filter(|value| is_one_line(value))?;
            self.count(name)?;
            self.count(&value)?;
            claims.insert(name.clone(), value);
        }
        claims.insert("sub".to_owned(), customer.clone());
        claims.insert("aud".to_owned(), jwt.audience.clone());
        if let Some(issuer) = &key.issuer {
            claims.insert("iss".to_owned(), issuer.clone());
        }
        Some(Token {
            key: key.id.clone(),
            kid: key.kid.clone(),
            alg: key.alg,
            header: jwt.header.clone(),
            scheme: jwt.scheme.clone(),
            ttl: jwt.ttl,
            claims,
        })
    }

    /// A template with its places filled in; `None` where something for them is missing.
    fn text(&self, template: &Template) -> Option<String> {
        template
            .0
            .iter()
            .map(|part| match part {
                TemplatePart::Customer => self.tenant.customer.clone(),
                TemplatePart::Literal(text) => Some(text.clone()),
                TemplatePart::Secret(name) => (self.secret)(name),
                TemplatePart::Var(name) => self.tenant.vars.get(name).cloned(),
            })
            .collect()
    }

    /// `None` when it becomes too much.
    fn count(&mut self, text: &str) -> Option<()> {
        self.rendered += text.len();
        (self.rendered <= MAX_RENDERED).then_some(())
    }
}

/// What HTTP carries unharmed: ASCII without line breaks, NUL, or white space at its ends, which it takes off.
fn is_header_value(value: &str) -> bool {
    value.is_ascii() && is_one_line(value) && trim(value) == value
}

fn is_one_line(value: &str) -> bool {
    !value.contains(['\r', '\n', '\0'])
}
