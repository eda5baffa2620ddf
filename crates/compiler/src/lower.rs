//! From a checked policy to a table: the last stage, which decides how things are matched.
//!
//! Plain names, wherever they stand, become sets of the one host index. Everything with a wildcard becomes an
//! automaton, one for all the patterns of a dimension. Equal sets and equal automata are stored once.
//!
//! A list is one set. The plain names of rules are cut into sets by who names them: two names are in one set exactly if the same
//! conditions name both, and reach equally far. So a host is in few sets, though ten thousand rules name it, each beside hosts of
//! its own: in one for the name itself and each name above it and each way to reach (`domains`, `hosts`, the endings of
//! patterns), and in the lists that hold it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::mem::{Discriminant, discriminant};

use tidegate_table::write::{
    self, ConditionSpec, CustomerPatternsSpec, CustomersSpec, EnforceForSpec, HostPatternsSpec, HostsSpec,
    IdentitySpec, JwtSpec, KeySpec, PartSpec, PolicySpec, Reach, RuleSpec,
};

use crate::automaton;
use crate::checked::{
    Algorithm, AnyRunGlob, CheckedPolicy, Condition, Effect, EnforceFor, HostCondition, HostPattern, Identity, Jwt,
    Mode, PathPattern, Pattern, Rule, Scheme, Template, TemplatePart,
};
use crate::diagnostic::{Code, Diagnostic, Label};
use crate::explosion::Explosion;
use crate::literal::{Ending, prefix};
use crate::source::{FileId, Span};

/// Compiles a policy's patterns and lays everything out as a table.
pub(crate) fn lower(policy: &CheckedPolicy) -> Result<Vec<u8>, Vec<Diagnostic>> {
    let conditions = || policy.rules.iter().flat_map(|rule| std::iter::once(&rule.condition).chain(&rule.except));
    let hosts = || conditions().filter_map(|condition| condition.hosts.as_ref());
    let endings: Endings<'_> =
        hosts().flat_map(|hosts| &hosts.patterns).map(|pattern| (meaning(pattern), pattern.endings())).collect();
    let mut lowering = Lowering::new(&endings);
    for list in &policy.lists {
        let names = list.entries().map(|(name, itself, beneath)| (name, Reach::of_list(itself, beneath)));
        lowering.lists.push(lowering.sets.add(names.collect()));
    }
    lowering.cut_names(hosts());
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
        let start = Span { file: FileId(0), start: 0, end: 0 };
        let at = policy.lists.first().map(|list| list.span).or_else(|| policy.rules.first().map(|rule| rule.span));
        vec![
            Diagnostic::error(Code::PatternTooLarge, at.unwrap_or(start), "the policy does not fit a table of 4 GiB")
                .help("split its lists, rules and customers over several policies"),
        ]
    })
}

/// The plain names of a host condition, sorted, with how far they reach.
type PlainNames<'p> = Vec<(&'p str, Reach)>;

/// What says all of a pattern: whether it is a glob or a regex, and its text. One text may be both, and mean two things.
type Meaning<'p> = (Discriminant<HostPattern>, &'p str);

/// What the hosts end with that a pattern meets.
type Endings<'p> = HashMap<Meaning<'p>, Option<Vec<Ending>>>;

struct Lowering<'p> {
    endings: &'p Endings<'p>,
    sets: Pool<Vec<(&'p str, Reach)>>,
    automata: Pool<Vec<u8>>,
    /// Automata that were built already, by their regexes.
    built: HashMap<Vec<String>, u32>,
    /// Findings about automata that cannot be built, by their regexes.
    exploded: HashMap<Vec<String>, usize>,
    /// The set of each of the policy's lists.
    lists: Vec<u32>,
    /// The sets that the plain names of host conditions were cut into.
    plain: HashMap<PlainNames<'p>, Vec<u32>>,
    diagnostics: Vec<Diagnostic>,
}

impl<'p> Lowering<'p> {
    fn new(endings: &'p Endings<'p>) -> Self {
        Self {
            endings,
            sets: Pool::default(),
            automata: Pool::default(),
            built: HashMap::new(),
            exploded: HashMap::new(),
            lists: Vec::new(),
            plain: HashMap::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Cuts the plain names of all conditions into sets, such that names in one set are named by the same conditions.
    fn cut_names(&mut self, conditions: impl Iterator<Item = &'p HostCondition>) {
        let mut distinct = Pool::default();
        conditions.map(plain_names).filter(|names| !names.is_empty()).for_each(|names| _ = distinct.add(names));
        let mut named_by: BTreeMap<(&'p str, Reach), Vec<usize>> = BTreeMap::new();
        for (place, names) in distinct.values.iter().enumerate() {
            for name in names {
                named_by.entry(*name).or_default().push(place);
            }
        }
        let mut cut: BTreeMap<Vec<usize>, PlainNames<'p>> = BTreeMap::new();
        for (name, places) in named_by {
            cut.entry(places).or_default().push(name);
        }
        let mut sets = vec![Vec::new(); distinct.values.len()];
        for (places, names) in cut {
            let set = self.sets.add(names);
            for place in places {
                sets[place].push(set);
            }
        }
        self.plain = distinct.values.into_iter().zip(sets).collect();
    }

    fn enforce_for(&mut self, alternative: &'p EnforceFor) -> EnforceForSpec {
        EnforceForSpec {
            customers: alternative.customers.as_deref().map(|globs| self.customers(globs)),
            tags: alternative.tags.clone(),
            percent: alternative.percent,
        }
    }

    fn rule(&mut self, rule: &'p Rule) -> RuleSpec {
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

    fn condition(&mut self, condition: &'p Condition) -> ConditionSpec {
        ConditionSpec {
            customers: condition.customers.as_deref().map(|globs| self.customers(globs)),
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

    fn customers(&mut self, globs: &[AnyRunGlob]) -> CustomersSpec {
        let (exact, wild): (Vec<_>, Vec<_>) = globs.iter().partition(|glob| glob.literal().is_some());
        let prefixes: Vec<_> = wild.iter().map(|glob| prefix(&glob.0.text).to_owned()).collect();
        let is_known = prefixes.iter().all(|prefix| !prefix.is_empty());
        CustomersSpec {
            exact: exact.into_iter().filter_map(AnyRunGlob::literal).map(str::to_owned).collect(),
            patterns: (!wild.is_empty()).then(|| CustomerPatternsSpec {
                automaton: self.automaton(wild.into_iter().map(|glob| (glob.regex(), &glob.0))),
                prefixes: if is_known { prefixes } else { Vec::new() },
            }),
        }
    }

    fn hosts(&mut self, hosts: &'p HostCondition) -> HostsSpec {
        let lists = hosts.lists.iter().filter_map(|&list| self.lists.get(list)).copied();
        let plain = self.plain.get(&plain_names(hosts)).into_iter().flatten().copied();
        HostsSpec {
            sets: lists.chain(plain).collect(),
            patterns: (!hosts.patterns.is_empty()).then(|| HostPatternsSpec {
                automaton: self.automaton(hosts.patterns.iter().map(|host| {
                    let (HostPattern::Glob(pattern) | HostPattern::Regex(pattern)) = host;
                    (host.regex(), pattern)
                })),
                within: self.within(&hosts.patterns),
            }),
        }
    }

    /// The sets that a host is in one of if a pattern meets it: one for each ending, so that patterns share them.
    fn within(&mut self, patterns: &'p [HostPattern]) -> Option<Vec<u32>> {
        let endings: Option<Vec<&'p Vec<Ending>>> =
            patterns.iter().map(|pattern| self.endings.get(&meaning(pattern))?.as_ref()).collect();
        let set = |ending: &'p Ending| match ending {
            Ending::Beneath(name) => vec![(name.as_str(), Reach::of_list(false, true))],
            Ending::Itself(name) => vec![(name.as_str(), Reach::of_list(true, false))],
        };
        Some(endings?.into_iter().flatten().map(|ending| self.sets.add(set(ending))).collect())
    }

    /// One automaton for all the patterns of a dimension.
    fn automaton<'a>(&mut self, patterns: impl IntoIterator<Item = (String, &'a Pattern)>) -> u32 {
        let (regexes, patterns): (Vec<_>, Vec<_>) = patterns.into_iter().unzip();
        if let Some(&automaton) = self.built.get(&regexes) {
            return automaton;
        }
        if let Ok(automaton) = automaton::compile(&regexes) {
            let automaton = self.automata.add(automaton);
            self.built.insert(regexes, automaton);
            return automaton;
        }
        // What is returned names no automaton: there will be no table.
        let known = self.exploded.get(&regexes).copied();
        if let (Some(known), Some(again)) = (known, patterns.first()) {
            let label = Label { span: again.span, message: "the same patterns stand here".to_owned() };
            self.diagnostics[known].labels.push(label);
        } else {
            self.diagnostics.push(Explosion::of(&regexes).finding(&patterns));
            self.exploded.insert(regexes, self.diagnostics.len() - 1);
        }
        u32::MAX
    }
}

fn plain_names(hosts: &HostCondition) -> PlainNames<'_> {
    let mut names: Vec<_> = hosts.domains.iter().map(|name| (name.as_str(), Reach::DOMAIN)).collect();
    names.extend(hosts.exact.iter().map(|name| (name.as_str(), Reach::EXACT)));
    names.sort();
    names.dedup();
    names
}

fn meaning(pattern: &HostPattern) -> Meaning<'_> {
    let (HostPattern::Glob(Pattern { text, .. }) | HostPattern::Regex(Pattern { text, .. })) = pattern;
    (discriminant(pattern), text)
}

/// Values, each kept once, known by their place.
struct Pool<T> {
    values: Vec<T>,
    /// The places of values with one hash: a value itself may be a list of a million names, and is not kept twice.
    places: HashMap<u64, Vec<u32>>,
    hasher: RandomState,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { values: Vec::new(), places: HashMap::new(), hasher: RandomState::new() }
    }
}

impl<T: Eq + Hash> Pool<T> {
    fn add(&mut self, value: T) -> u32 {
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let places = self.places.entry(self.hasher.hash_one(&value)).or_default();
        if let Some(&known) = places.iter().find(|&&place| self.values[place as usize] == value) {
            return known;
        }
        places.push(next);
        self.values.push(value);
        next
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
