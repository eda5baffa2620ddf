//! What one policy decides otherwise than another.
//!
//! Two policies differ only where a rule that they do not share matches, or where what they say of themselves (default,
//! mode, customers' facts) comes in. So each such rule, and each such statement, is asked for itself: is there a request
//! that is newly denied, newly allowed, decided by another rule, sent otherwise? What is found is a region, named by the
//! two rules that decide there; it is taken out of the question, which is then asked again, until nothing is left.

mod sent;
mod settings;
mod signature;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use tidegate_engine::{PolicyError, Reason};

pub use self::sent::text;
use self::sent::{Entry, details, entries, sets};
use self::settings::{same_enforcement, settings};
use self::signature::partners;
use crate::Output;
use crate::analysis::formula::{Formula, Predicate};
use crate::analysis::model::{self, Model};
use crate::analysis::replay::{Replay, Verdict};
use crate::analysis::request::{Point, Witness};
use crate::analysis::solve::{Budget, solve};
use crate::analysis::space::Space;
use crate::analysis::strings::Search;
use crate::analysis::values::ValueSet;
use crate::checked::{Effect, Mode};

/// Regions that are told of one rule; a policy that was written anew differs everywhere.
const MAX_REGIONS: usize = 40;

/// What two policies come to, compared.
#[derive(Debug, Default)]
pub struct Diff {
    /// Where they differ, one region each.
    pub changes: Vec<Change>,
    /// What they say of themselves that cannot be seen in single requests.
    pub settings: Vec<Setting>,
    /// Rules of which it could not be told in time whether they make a difference, by id.
    pub undecided: Vec<String>,
    /// Rules of which more regions than are told make a difference, by id.
    pub more: Vec<String>,
}

/// A region of requests that the two policies treat otherwise.
#[derive(Clone, Debug)]
pub struct Change {
    /// How.
    pub kind: Kind,
    /// What differs in what is sent or recorded, a line each.
    pub details: Vec<String>,
    /// A request of the region.
    pub witness: Witness,
    /// What the old policy says to it.
    pub old: Verdict,
    /// What the new policy says to it.
    pub new: Verdict,
}

/// How a region differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Denied by the old policy, allowed by the new one.
    NewlyAllowed,
    /// Allowed by the old policy, denied by the new one.
    NewlyDenied,
    /// Allowed by both, in one of them only because denials are not enforced.
    Enforcement,
    /// Allowed by both, and sent in another way.
    Obligations,
    /// The same effect, for another rule.
    OtherRule,
    /// The same, recorded otherwise: rules in report mode.
    Recorded,
}

/// A statement of the policy about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key.
    pub key: String,
    /// What the old policy says.
    pub old: String,
    /// What the new policy says.
    pub new: String,
}

impl Kind {
    /// Every kind, in the order in which people are told.
    pub const ALL: [Self; 6] =
        [Self::NewlyAllowed, Self::NewlyDenied, Self::Enforcement, Self::Obligations, Self::OtherRule, Self::Recorded];

    /// The kebab-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforcement => "enforcement",
            Self::NewlyAllowed => "newly-allowed",
            Self::NewlyDenied => "newly-denied",
            Self::Obligations => "obligations",
            Self::OtherRule => "other-rule",
            Self::Recorded => "recorded",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforcement => "enforced otherwise",
            Self::NewlyAllowed => "newly allowed",
            Self::NewlyDenied => "newly denied",
            Self::Obligations => "sent otherwise",
            Self::OtherRule => "same effect, other rule",
            Self::Recorded => "recorded otherwise",
        })
    }
}

impl Diff {
    /// Nothing differs, and that is proved.
    pub fn is_proved_empty(&self) -> bool {
        self.is_empty() && self.undecided.is_empty() && self.more.is_empty()
    }

    /// Nothing was found that differs.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.settings.is_empty()
    }
}

/// Compares two policies at an instant, in seconds since 1970-01-01; for one customer, if one is named.
pub fn diff(
    old: &Output,
    new: &Output,
    now: i64,
    customer: Option<&str>,
    budget: Budget,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Diff, PolicyError> {
    let mut found = Diff { settings: settings(&old.policy, &new.policy), ..Diff::default() };
    if old.table == new.table {
        return Ok(found);
    }
    let mut space = Space::new();
    let today = now.div_euclid(24 * 60 * 60);
    let sides = [Model::new(&mut space, &old.policy, today), Model::new(&mut space, &new.policy, today)];
    let scope = match customer {
        Some(name) if space.has_customers => {
            let one = space.values.add(ValueSet::Names(BTreeSet::from([name.to_owned()])));
            Formula::is(Predicate::Customer(one))
        }
        _ => Formula::everything(),
    };
    let replays = [Replay::new(old, now)?, Replay::new(new, now)?];
    let partners = partners(&old.policy, &new.policy);
    let has_tags = sides.iter().any(|side| model::Facts::of(side.policy).has_tags);
    let mut differ = Differ { space, sides, replays, partners, scope, has_tags, budget, found: Diff::default() };
    differ.run(progress);
    found.changes = differ.found.changes;
    found.undecided = differ.found.undecided;
    found.more = differ.found.more;
    for names in [&mut found.undecided, &mut found.more] {
        names.sort_unstable();
        names.dedup();
    }
    found.changes.sort_by_key(|change| (change.kind, change.new.rule(), change.old.rule()));
    Ok(found)
}

/// The two policies.
const OLD: usize = 0;
const NEW: usize = 1;

struct Differ<'p> {
    space: Space<'p>,
    sides: [Model<'p>; 2],
    replays: [Replay<'p>; 2],
    /// For each rule of each policy, the same rule in the other one.
    partners: [Vec<Option<usize>>; 2],
    scope: Formula,
    has_tags: bool,
    budget: Budget,
    found: Diff,
}

impl Differ<'_> {
    fn run(&mut self, progress: &mut dyn FnMut(usize, usize)) {
        let changed: Vec<(usize, usize)> = [OLD, NEW]
            .into_iter()
            .flat_map(|side| (0..self.partners[side].len()).map(move |index| (side, index)))
            .filter(|&(side, index)| self.partners[side][index].is_none())
            .collect();
        let steps = changed.len() + 2;
        // What holds of all requests is asked of all requests.
        let [old, new] = [OLD, NEW].map(|side| self.sides[side].policy);
        if old.default != new.default || old.mode != new.mode || !same_enforcement(old, new) {
            self.effects(&Formula::everything(), "the policy itself");
            self.shared_denials();
        }
        if old.mode == Mode::Report || new.mode == Mode::Report {
            self.waived();
        }
        progress(1, steps);
        for (step, &(side, index)) in changed.iter().enumerate() {
            let id = self.sides[side].policy.rules[index].id.clone();
            let rule = self.sides[side].rules[index].clone();
            self.keep_to(&rule.matches);
            if rule.decides {
                self.effects(&rule.matches, &id);
                self.names(side, index, &id);
                if rule.effect == Effect::Allow {
                    self.obligations(side, index, &id);
                }
            }
            self.records(side, index, &id);
            progress(step + 2, steps);
        }
        for (side, index) in self.moved() {
            let id = self.sides[side].policy.rules[index].id.clone();
            let matches = self.sides[side].rules[index].matches.clone();
            self.keep_to(&matches);
            self.names(side, index, &id);
        }
        self.facts();
        self.reserved();
        progress(steps, steps);
    }

    /// Leaves the rules out of account that match nothing of a set which all questions to come are about.
    fn keep_to(&mut self, set: &Formula) {
        let budget = Budget { question: self.budget.question.min(100), ..self.budget };
        let set = self.scope.clone().and(set.clone());
        for side in [OLD, NEW] {
            let rules: Vec<Formula> = self.sides[side].rules.iter().map(|rule| rule.matches.clone()).collect();
            let out = rules.into_iter().enumerate().filter(|(_, matches)| {
                solve(&mut self.space, &set.clone().and(matches.clone()), budget) == Search::Nothing
            });
            let out = out.map(|(index, _)| index).collect();
            self.sides[side].leave_out(out);
        }
    }

    /// Newly denied and newly allowed requests of a set.
    fn effects(&mut self, within: &Formula, id: &str) {
        let [old, new] = [OLD, NEW].map(|side| self.sides[side].denied());
        let denied = old.not().and(new.clone());
        let allowed = old.and(new.not());
        for (kind, question) in [(Kind::NewlyDenied, denied), (Kind::NewlyAllowed, allowed)] {
            self.enumerate(kind, &within.clone().and(question), id, |old, new| old.effect != new.effect);
        }
    }

    /// Requests that a rule decides and is named for, while the other policy names another for the same effect.
    fn names(&mut self, side: usize, index: usize, id: &str) {
        let other = 1 - side;
        let effect = self.sides[side].rules[index].effect;
        let mut question = self.sides[side].determined_by(index);
        question = question.and(match effect {
            Effect::Allow => self.sides[other].allowed(),
            Effect::Deny => self.sides[other].denied(),
        });
        let namesake = self.sides[other].policy.rules.iter().position(|rule| rule.id == *id && rule.effect == effect);
        if let Some(namesake) = namesake.filter(|&namesake| self.sides[other].rules[namesake].decides) {
            question = question.and(self.sides[other].determined_by(namesake).not());
        }
        self.enumerate(Kind::OtherRule, &question, id, |old, new| old.effect == new.effect);
    }

    /// Requests that both policies allow, and that one sends otherwise for a rule's sake.
    fn obligations(&mut self, side: usize, index: usize, id: &str) {
        let touched = entries(&self.sides[side].policy.rules[index], self.sides[side].policy);
        if touched.is_empty() {
            return;
        }
        // Rules whose obligations may make up for it, or come on top.
        let headers: HashSet<String> = touched.iter().map(|entry| entry.header.clone()).collect();
        let relevant: Vec<(usize, usize)> = [OLD, NEW]
            .into_iter()
            .flat_map(|side| self.sides[side].deciding(Effect::Allow).map(move |(index, _)| (side, index)))
            .filter(|&(side, index)| {
                let policy = self.sides[side].policy;
                entries(&policy.rules[index], policy).iter().any(|entry| headers.contains(&entry.header))
            })
            .collect();
        let both = self.sides[OLD].allowed().and(self.sides[NEW].allowed());
        let mut question = self.sides[side].rules[index].matches.clone().and(both);
        for _ in 0..MAX_REGIONS {
            let Some((witness, point)) = self.ask(&question, id) else { return };
            let verdicts = [OLD, NEW].map(|side| self.replays[side].verdict(&witness));
            let sent = [OLD, NEW].map(|side| self.sent(side, &verdicts[side], &point));
            let details = details(&sent[OLD], &sent[NEW]);
            let [old, new] = verdicts;
            if !details.is_empty() {
                self.report(Kind::Obligations, details, witness, old, new);
            }
            // The same rules matching, the same is sent.
            let mut same = Vec::new();
            for &(side, index) in &relevant {
                let matches = self.sides[side].rules[index].matches.clone();
                let holds = matches.holds(&mut |predicate| self.space.holds(predicate, &point));
                same.push(if holds { matches } else { matches.not() });
            }
            for side in [OLD, NEW] {
                let waived = self.sides[side].waived();
                let holds = waived.holds(&mut |predicate| self.space.holds(predicate, &point));
                same.push(if holds { waived } else { waived.not() });
            }
            question = question.and(Formula::all(same).not());
        }
        // Regions that are sent alike were looked at, too: what is left may be anything.
        self.found.undecided.push(id.to_owned());
    }

    /// Requests that a deny rule of both policies decides in one of them, and something else in the other.
    fn shared_denials(&mut self) {
        for side in [OLD, NEW] {
            let deny = self.sides[side].deciding(Effect::Deny).map(|(index, _)| index);
            let shared: Vec<usize> = deny.filter(|&index| self.partners[side][index].is_some()).collect();
            for index in shared {
                let id = self.sides[side].policy.rules[index].id.clone();
                self.names(side, index, &id);
            }
        }
    }

    /// Requests that a rule in report mode matches in one policy alone.
    fn records(&mut self, side: usize, index: usize, id: &str) {
        let other = 1 - side;
        let mut question = self.recorded(side, index);
        let effect = self.sides[side].rules[index].effect;
        let namesake = self.sides[other].policy.rules.iter().position(|rule| rule.id == *id && rule.effect == effect);
        if let Some(namesake) = namesake {
            question = question.and(self.recorded(other, namesake).not());
        }
        let Some((witness, _)) = self.ask(&question, id) else { return };
        let [old, new] = [OLD, NEW].map(|side| self.replays[side].verdict(&witness));
        let detail = match side {
            OLD => format!("`{id}` is no longer recorded"),
            _ => format!("`{id}` is recorded"),
        };
        self.report(Kind::Recorded, vec![detail], witness, old, new);
    }

    /// Requests for which a rule is recorded and not carried out: it is in report mode, or a deny rule that the policy's waives.
    fn recorded(&self, side: usize, index: usize) -> Formula {
        let model = &self.sides[side];
        let rule = &model.rules[index];
        match (rule.decides, rule.effect) {
            (false, _) => rule.matches.clone(),
            (true, Effect::Deny) => rule.matches.clone().and(model.enforced.not()),
            (true, Effect::Allow) => Formula::nothing(),
        }
    }

    /// Requests that both policies let through, one of them only because its denials are not enforced.
    fn waived(&mut self) {
        let [old, new] = [OLD, NEW].map(|side| self.sides[side].waived());
        let both = self.sides[OLD].allowed().and(self.sides[NEW].allowed());
        let differ = old.clone().and(new.not()).or(old.not().and(new));
        self.enumerate(Kind::Enforcement, &both.and(differ), "mode", |old, new| old.effect == new.effect);
    }

    /// Customers of whom the two policies know other things, where a template asks for them.
    fn facts(&mut self) {
        let [old, new] = [OLD, NEW].map(|side| self.sides[side].policy);
        let names: BTreeSet<&String> = old.customers.keys().chain(new.customers.keys()).collect();
        let mut questions = Vec::new();
        for name in names {
            let vars = [old, new].map(|policy| policy.customers.get(name).map(|customer| &customer.vars));
            let var = |side: usize, var: &str| vars[side].and_then(|vars| vars.get(var));
            for (index, rule) in new.rules.iter().enumerate().filter(|(index, _)| self.sides[NEW].rules[*index].decides)
            {
                for asked in rule.obligations.variables().collect::<BTreeSet<_>>() {
                    let [before, after] = [var(OLD, asked), var(NEW, asked)];
                    if before != after {
                        let shown =
                            |value: Option<&String>| value.map_or("none".to_owned(), |value| format!("`{value}`"));
                        let detail = format!("`{{vars.{asked}}}` of `{name}`: {} → {}", shown(before), shown(after));
                        questions.push((name.clone(), index, detail));
                    }
                }
            }
        }
        for (name, index, detail) in questions {
            let one = self.space.values.add(ValueSet::Names(BTreeSet::from([name])));
            let customer = Formula::is(Predicate::Customer(one));
            let matches = self.sides[NEW].rules[index].matches.clone().and(customer);
            self.keep_to(&matches);
            let both = self.sides[OLD].allowed().and(self.sides[NEW].allowed());
            let waived = self.sides[OLD].waived().or(self.sides[NEW].waived());
            let question = matches.and(both).and(waived.not());
            let id = self.sides[NEW].policy.rules[index].id.clone();
            let Some((witness, _)) = self.ask(&question, &id) else { continue };
            let [old, new] = [OLD, NEW].map(|side| self.replays[side].verdict(&witness));
            self.report(Kind::Obligations, vec![detail], witness, old, new);
        }
    }

    /// Hosts where what a tenant sends under a header's name is newly dropped, or newly passes.
    fn reserved(&mut self) {
        let set_by = |side: usize, differ: &Self| -> BTreeMap<String, Vec<usize>> {
            let mut headers = BTreeMap::<String, Vec<usize>>::new();
            for (index, rule) in differ.sides[side].policy.rules.iter().enumerate() {
                for header in sets(rule) {
                    headers.entry(header).or_default().push(index);
                }
            }
            headers
        };
        let by_header = [OLD, NEW].map(|side| set_by(side, self));
        let headers: BTreeSet<&String> = by_header.iter().flat_map(BTreeMap::keys).collect();
        for header in headers {
            let rules = [OLD, NEW].map(|side| by_header[side].get(header).cloned().unwrap_or_default());
            let all_shared = [OLD, NEW]
                .into_iter()
                .all(|side| rules[side].iter().all(|&index| self.partners[side][index].is_some()));
            if all_shared {
                continue;
            }
            let covered = [OLD, NEW].map(|side| {
                let policy = self.sides[side].policy;
                let hosts = rules[side].iter().map(|&index| {
                    model::hosts(&mut self.space, policy.rules[index].condition.hosts.as_ref(), &policy.lists)
                });
                Formula::any(hosts.collect::<Vec<_>>())
            });
            let [old, new] = covered;
            self.keep_to(&old.clone().or(new.clone()));
            let both = self.sides[OLD].allowed().and(self.sides[NEW].allowed());
            let ways = [
                (new.clone().and(old.not()), format!("a `{header}` of the tenant's own is dropped")),
                (old.and(new.not()), format!("a `{header}` of the tenant's own passes")),
            ];
            for (question, detail) in ways {
                let Some((witness, _)) = self.ask(&question.and(both.clone()), header) else { continue };
                let [old, new] = [OLD, NEW].map(|side| self.replays[side].verdict(&witness));
                self.report(Kind::Obligations, vec![detail], witness, old, new);
            }
        }
    }

    /// Rules that both policies have, in another order: it only picks names.
    fn moved(&self) -> Vec<(usize, usize)> {
        let mut highest = None;
        let mut moved = Vec::new();
        for (new, old) in self.partners[NEW].iter().enumerate() {
            let Some(old) = *old else { continue };
            if highest.is_some_and(|highest| old < highest) {
                moved.push((NEW, new));
                moved.push((OLD, old));
            } else {
                highest = Some(old);
            }
        }
        moved
    }

    /// Asks again and again, taking out what was found by the two rules that decide there.
    fn enumerate(&mut self, kind: Kind, question: &Formula, id: &str, shows: impl Fn(&Verdict, &Verdict) -> bool) {
        let mut question = question.clone();
        for round in 0.. {
            if round == MAX_REGIONS {
                self.found.more.push(id.to_owned());
                return;
            }
            let Some((witness, _)) = self.ask(&question, id) else { return };
            let [old, new] = [OLD, NEW].map(|side| self.replays[side].verdict(&witness));
            // A witness that does not show what it was found for is a fault of ours: nothing is claimed.
            if !shows(&old, &new) {
                self.found.undecided.push(id.to_owned());
                return;
            }
            let region = self.region(OLD, &old).and(self.region(NEW, &new));
            question = question.and(region.not());
            self.report(kind, Vec::new(), witness, old, new);
        }
    }

    /// Requests that a policy decides for the same reason, by the same rule.
    fn region(&self, side: usize, verdict: &Verdict) -> Formula {
        let model = &self.sides[side];
        match (verdict.reason, verdict.rule()) {
            (Reason::Rule, Some(rule)) => model.determined_by(rule),
            (Reason::SpecialHost, _) => model.denied_as_special(),
            _ => model.by_default(),
        }
    }

    fn ask(&mut self, question: &Formula, id: &str) -> Option<(Witness, Point)> {
        let question = self.scope.clone().and(question.clone());
        match solve(&mut self.space, &question, self.budget) {
            Search::Found(point) => Some((point.witness(self.has_tags), point)),
            Search::Nothing => None,
            Search::TooLong => {
                self.found.undecided.push(id.to_owned());
                None
            }
        }
    }

    fn report(&mut self, kind: Kind, details: Vec<String>, witness: Witness, old: Verdict, new: Verdict) {
        let is_known = self.found.changes.iter().any(|known| {
            known.kind == kind
                && known.details == details
                && known.old.rule() == old.rule()
                && known.new.rule() == new.rule()
                && known.old.reason == old.reason
                && known.new.reason == new.reason
        });
        if !is_known {
            self.found.changes.push(Change { kind, details, witness, old, new });
        }
    }

    /// What a policy does to a request that it allows.
    fn sent(&self, side: usize, verdict: &Verdict, point: &Point) -> BTreeSet<Entry> {
        let policy = self.sides[side].policy;
        let is_waived = self.sides[side].waived().holds(&mut |predicate| self.space.holds(predicate, point));
        let rules = verdict.rules.iter().filter(|_| !is_waived).filter_map(|&index| policy.rules.get(index));
        rules.flat_map(|rule| entries(rule, policy)).collect()
    }
}
