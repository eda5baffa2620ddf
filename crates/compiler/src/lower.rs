//! From a checked policy to a table: the last stage, which decides how things are matched.
//!
//! Plain names, wherever they stand, become sets of the one host index. Everything with a wildcard becomes an
//! automaton, one for all the patterns of a dimension. Equal sets and equal automata are stored once.

use std::collections::HashMap;
use std::hash::Hash;

use tidegate_table::write::{
    self, ConditionSpec, DimensionSpec, EnforceForSpec, IdentitySpec, JwtSpec, KeySpec, PartSpec, PolicySpec, Reach,
    RuleSpec,
};

use crate::automaton;
use crate::checked::{
    Algorithm, AnyRunGlob, CheckedPolicy, Condition, Effect, EnforceFor, HostCondition, HostPattern, Identity, Jwt,
    Mode, PathPattern, Pattern, Rule, Scheme, Template, TemplatePart,
};
use crate::diagnostic::{Code, Diagnostic};

/// Compiles a policy's patterns and lays everything out as a table.
pub(crate) fn lower(policy: &CheckedPolicy) -> Result<Vec<u8>, Vec<Diagnostic>> {
    let mut lowering = Lowering::default();
    for list in &policy.lists {
        let names = list.entries().map(|(name, itself, beneath)| (name.to_owned(), Reach::of_list(itself, beneath)));
        lowering.lists.push(lowering.sets.add(names.collect()));
    }
    let enforce_for = policy.enforce_for.iter().map(|alternative| lowering.enforce_for(alternative)).collect();
    let rules = policy.rules.iter().map(|rule| lowering.rule(rule)).collect();
    if !lowering.diagnostics.is_empty() {
        return Err(lowering.diagnostics);
    }
    let spec = PolicySpec {
        default: effect(policy.default),
        report: policy.mode == Mode::Report,
        identity: policy.identity.clone().map(|Identity { customer, tags, vars }| IdentitySpec {
            customer,
            tags,
            vars,
        }),
        enforce_for,
        customers: policy
            .customers
            .iter()
            .map(|(name, customer)| (name.clone(), (customer.tags.iter().cloned().collect(), customer.vars.clone())))
            .collect(),
        keys: policy
            .keys
            .iter()
            .map(|key| KeySpec {
                id: key.id.clone(),
                alg: match key.alg {
                    Algorithm::EdDsa => write::Algorithm::EdDsa,
                    Algorithm::Es256 => write::Algorithm::Es256,
                    Algorithm::Hs256 => write::Algorithm::Hs256,
                },
                secret: key.secret.clone(),
                kid: key.kid.clone(),
                issuer: key.issuer.clone(),
            })
            .collect(),
        sets: lowering.sets.values,
        automata: lowering.automata.values,
        rules,
    };
    write::write(&spec).map_err(|write::TooLarge| {
        let at = policy.rules.first().map(|rule| rule.span).or_else(|| policy.lists.first().map(|list| list.span));
        at.map(|span| {
            Diagnostic::error(Code::PatternTooLarge, span, "the policy does not fit a table of 4 GiB")
                .help("split its lists over several policies")
        })
        .into_iter()
        .collect()
    })
}

#[derive(Default)]
struct Lowering {
    sets: Pool<Vec<(String, Reach)>>,
    automata: Pool<Vec<u8>>,
    /// The set of each of the policy's lists.
    lists: Vec<u32>,
    diagnostics: Vec<Diagnostic>,
}

impl Lowering {
    fn enforce_for(&mut self, alternative: &EnforceFor) -> EnforceForSpec {
        EnforceForSpec {
            customers: alternative.customers.as_deref().map(|globs| self.dimension(globs)),
            tags: alternative.tags.clone(),
            percent: alternative.percent,
        }
    }

    fn rule(&mut self, rule: &Rule) -> RuleSpec {
        RuleSpec {
            id: rule.id.clone(),
            effect: effect(rule.effect),
            report: rule.mode == Mode::Report,
            websocket: rule.websocket,
            literal: rule.encoded_literal,
            expires: rule.expires,
            reason: rule.reason.clone(),
            condition: self.condition(&rule.condition),
            except: rule.except.iter().map(|condition| self.condition(condition)).collect(),
            remove: rule.obligations.remove.clone(),
            keep: rule.obligations.keep.clone(),
            set: rule.obligations.set.iter().map(|(name, value)| (name.clone(), parts(value))).collect(),
            jwt: rule.obligations.jwt.as_ref().map(jwt),
        }
    }

    fn condition(&mut self, condition: &Condition) -> ConditionSpec {
        ConditionSpec {
            customers: condition.customers.as_deref().map(|globs| self.dimension(globs)),
            tags: condition.tags.clone(),
            hosts: condition.hosts.as_ref().map(|hosts| self.hosts(hosts)),
            schemes: condition
                .schemes
                .as_ref()
                .map(|schemes| (schemes.contains(&Scheme::Http), schemes.contains(&Scheme::Https))),
            ports: condition.ports.clone(),
            methods: condition.methods.clone(),
            paths: condition.paths.as_ref().map(|patterns| {
                self.automaton(patterns.iter().map(|path| {
                    let (PathPattern::Glob(pattern) | PathPattern::Regex(pattern)) = path;
                    (path.regex(), pattern)
                }))
            }),
            headers: condition
                .headers
                .iter()
                .map(|(name, globs)| (name.clone(), self.automaton(globs.iter().map(|glob| (glob.regex(), &glob.0)))))
                .collect(),
        }
    }

    fn dimension(&mut self, globs: &[AnyRunGlob]) -> DimensionSpec {
        let (exact, wild): (Vec<_>, Vec<_>) = globs.iter().partition(|glob| glob.literal().is_some());
        DimensionSpec {
            exact: exact.into_iter().filter_map(AnyRunGlob::literal).map(str::to_owned).collect(),
            automaton: (!wild.is_empty()).then(|| self.automaton(wild.into_iter().map(|glob| (glob.regex(), &glob.0)))),
        }
    }

    fn hosts(&mut self, hosts: &HostCondition) -> (Vec<u32>, Option<u32>) {
        let mut names: Vec<_> = hosts.domains.iter().map(|name| (name.clone(), Reach::DOMAIN)).collect();
        names.extend(hosts.exact.iter().map(|name| (name.clone(), Reach::EXACT)));
        names.sort();
        names.dedup();
        let mut sets: Vec<_> = hosts.lists.iter().filter_map(|&list| self.lists.get(list).copied()).collect();
        if !names.is_empty() {
            sets.push(self.sets.add(names));
        }
        let automaton = (!hosts.patterns.is_empty()).then(|| {
            self.automaton(hosts.patterns.iter().map(|host| {
                let (HostPattern::Glob(pattern) | HostPattern::Regex(pattern)) = host;
                (host.regex(), pattern)
            }))
        });
        (sets, automaton)
    }

    /// One automaton for all the patterns of a dimension.
    fn automaton<'a>(&mut self, patterns: impl IntoIterator<Item = (String, &'a Pattern)>) -> u32 {
        let (regexes, patterns): (Vec<_>, Vec<_>) = patterns.into_iter().unzip();
        if let Ok(automaton) = automaton::compile(&regexes) {
            return self.automata.add(automaton);
        }
        if let Some(first) = patterns.first() {
            let all = patterns.iter().map(|pattern| format!("`{}`", pattern.text)).collect::<Vec<_>>().join(", ");
            self.diagnostics.push(
                Diagnostic::error(
                    Code::PatternTooLarge,
                    first.span,
                    format!("together, these patterns are too large: {all}"),
                )
                .help("split the rule in two, or use fewer wildcards in one pattern"),
            );
        }
        0
    }
}

/// Values, each kept once, known by their place.
#[derive(Default)]
struct Pool<T> {
    values: Vec<T>,
    places: HashMap<T, u32>,
}

impl<T: Clone + Eq + Hash> Pool<T> {
    fn add(&mut self, value: T) -> u32 {
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(value.clone()).or_insert(next);
        if place == next {
            self.values.push(value);
        }
        place
    }
}

fn effect(effect: Effect) -> write::Effect {
    match effect {
        Effect::Allow => write::Effect::Allow,
        Effect::Deny => write::Effect::Deny,
    }
}

fn jwt(jwt: &Jwt) -> JwtSpec {
    JwtSpec {
        key: u32::try_from(jwt.key).unwrap_or(u32::MAX),
        audience: jwt.audience.clone(),
        ttl: jwt.ttl,
        header: jwt.header.clone(),
        scheme: jwt.scheme.clone(),
        claims: jwt.claims.iter().map(|(name, value)| (name.clone(), parts(value))).collect(),
    }
}

fn parts(template: &Template) -> Vec<PartSpec> {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Customer => PartSpec::Customer,
        TemplatePart::Literal(text) => PartSpec::Literal(text.clone()),
        TemplatePart::Secret(name) => PartSpec::Secret(name.clone()),
        TemplatePart::Var(name) => PartSpec::Var(name.clone()),
    };
    template.0.iter().map(part).collect()
}
