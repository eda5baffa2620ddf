//! The writer of the rule index: chooses each rule's anchor and files it, as [`crate::candidates`] reads it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::names::Numbered;
use super::{ConditionSpec, Effect, RuleSpec, TooLarge, Writer, word};
use crate::candidates::{self, HEAD_WORDS, PREFIX_WORDS};
use crate::words::NONE;

/// Rules that share a key before pairs of keys are looked at: so many are evaluated about as fast as a pair is looked up.
const FEW: usize = 4;
/// Pairs that one rule is filed under.
const MAX_PAIRS: usize = 64;

/// What rules are filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key<'p> {
    Customer(u32),
    /// What a customer's name begins with.
    Prefix(&'p str),
    /// A set of the host index.
    Set(u32),
    Tag(u32),
}

/// A key, or a pair of them.
type Keys<'p> = (Key<'p>, Option<Key<'p>>);

/// What is filed under a key.
#[derive(Default)]
struct Filed<'p> {
    rules: Vec<u32>,
    reserved: BTreeSet<(&'p str, Option<u32>)>,
    /// By second key.
    pairs: BTreeMap<Key<'p>, Vec<u32>>,
}

impl<'p> Filed<'p> {
    /// The headers for which no automaton has to be asked.
    fn always(&self) -> BTreeSet<&'p str> {
        self.reserved.iter().filter(|(_, automaton)| automaton.is_none()).map(|&(header, _)| header).collect()
    }

    /// Drops automata where the header is reserved without them, here or (`always`) everywhere.
    fn reserve_once(&mut self, always: &BTreeSet<&str>) {
        let here = self.always();
        self.reserved
            .retain(|(header, automaton)| !always.contains(header) && (automaton.is_none() || !here.contains(header)));
    }
}

/// The section, and where in it customers and tags find their postings.
pub(super) struct Candidates {
    pub(super) words: Vec<u32>,
    customers: HashMap<u32, u32>,
    tags: HashMap<u32, u32>,
}

impl Candidates {
    /// The posting of a customer.
    pub(super) fn of_customer(&self, number: u32) -> u32 {
        self.customers.get(&number).copied().unwrap_or(NONE)
    }

    /// The posting of a tag.
    pub(super) fn of_tag(&self, number: u32) -> u32 {
        self.tags.get(&number).copied().unwrap_or(NONE)
    }

    pub(super) fn build(
        rules: &[RuleSpec],
        sets: usize,
        customers: &Numbered<'_>,
        tags: &Numbered<'_>,
        writer: &mut Writer,
    ) -> Result<Self, TooLarge> {
        let anchors = anchors(rules, customers, tags)?;
        let mut for_all = Filed::default();
        let mut filed: BTreeMap<Key<'_>, Filed<'_>> = BTreeMap::new();
        for ((index, rule), anchor) in (0..).zip(rules).zip(anchors) {
            let index = word(index)?;
            match anchor {
                None => for_all.rules.push(index),
                Some(keys) => {
                    for (first, second) in keys {
                        let filed = filed.entry(first).or_default();
                        second.map_or(&mut filed.rules, |key| filed.pairs.entry(key).or_default()).push(index);
                    }
                }
            }
            reserve(rule, &mut filed, &mut for_all);
        }
        for_all.reserve_once(&BTreeSet::new());
        let always = for_all.always();
        for filed in filed.values_mut() {
            filed.reserve_once(&always);
        }
        lay_out(&for_all, &filed, sets, writer)
    }
}

/// The anchor of each rule; `None` where it has no dimension that can be filed.
fn anchors<'p>(
    rules: &'p [RuleSpec],
    customers: &Numbered<'_>,
    tags: &Numbered<'_>,
) -> Result<Vec<Option<Vec<Keys<'p>>>>, TooLarge> {
    let dimensions = rules.iter().map(|rule| Dimensions::of(&rule.condition, customers, tags));
    let dimensions = dimensions.collect::<Result<Vec<_>, _>>()?;
    let mut shared: HashMap<Keys<'p>, usize> = HashMap::new();
    let mut choose = |choices: Vec<Vec<Vec<Keys<'p>>>>| -> Vec<Option<(usize, Vec<Keys<'p>>)>> {
        choices.iter().flatten().flatten().for_each(|keys| *shared.entry(*keys).or_default() += 1);
        let cost = |keys: &[Keys<'p>]| {
            let counts = keys.iter().filter_map(|keys| shared.get(keys));
            (counts.clone().max().copied().unwrap_or(0), counts.sum::<usize>())
        };
        let best =
            |choices: Vec<Vec<Keys<'p>>>| choices.into_iter().map(|keys| (cost(&keys), keys)).min_by_key(|it| it.0);
        choices.into_iter().map(|choices| best(choices).map(|((most, _), keys)| (most, keys))).collect()
    };
    let singles = choose(dimensions.iter().map(Dimensions::singles).collect());
    let is_shared = |single: &Option<(usize, _)>| single.as_ref().is_some_and(|(most, _)| *most > FEW);
    let pairs = dimensions.iter().zip(&singles);
    let pairs = pairs.map(|(dimensions, single)| if is_shared(single) { dimensions.pairs() } else { Vec::new() });
    let pairs = choose(pairs.collect());
    // No pair is shared by more rules than its own keys are. But it may be by more than those of the third dimension, whose
    // pairs were too many.
    let best = pairs.into_iter().zip(singles).map(|(pair, single)| match (pair, single) {
        (Some(pair), Some(single)) => Some(if pair.0 < single.0 { pair } else { single }),
        (pair, single) => pair.or(single),
    });
    Ok(best.map(|best| Some(best?.1)).collect())
}

/// The dimensions by which a rule can be filed, with their keys, sorted, each once.
struct Dimensions<'p> {
    customers: Option<Vec<Key<'p>>>,
    hosts: Option<Vec<Key<'p>>>,
    tags: Option<Vec<Key<'p>>>,
}

impl<'p> Dimensions<'p> {
    fn of(condition: &'p ConditionSpec, customers: &Numbered<'_>, tags: &Numbered<'_>) -> Result<Self, TooLarge> {
        let sorted = |keys: BTreeSet<Key<'p>>| keys.into_iter().collect();
        let hosts = condition.hosts.as_ref().and_then(|hosts| {
            let within = match &hosts.patterns {
                None => &[][..],
                Some(patterns) => patterns.within.as_deref()?,
            };
            Some(sorted(hosts.sets.iter().chain(within).copied().map(Key::Set).collect()))
        });
        let customers = match &condition.customers {
            Some(named) if named.patterns.as_ref().is_none_or(|patterns| !patterns.prefixes.is_empty()) => {
                let exact = customers.numbers(&named.exact)?.into_iter().map(Key::Customer);
                let prefixes = named.patterns.iter().flat_map(|patterns| &patterns.prefixes);
                Some(sorted(exact.chain(prefixes.map(|prefix| Key::Prefix(prefix))).collect()))
            }
            _ => None,
        };
        let tags = match &condition.tags {
            Some(wanted) => Some(tags.numbers(wanted)?.into_iter().map(Key::Tag).collect()),
            None => None,
        };
        Ok(Self { customers, hosts, tags })
    }

    fn singles(&self) -> Vec<Vec<Keys<'p>>> {
        let named = [&self.hosts, &self.customers, &self.tags].into_iter().flatten();
        named.map(|keys| keys.iter().map(|&key| (key, None)).collect()).collect()
    }

    fn pairs(&self) -> Vec<Vec<Keys<'p>>> {
        let two = [(&self.hosts, &self.customers), (&self.hosts, &self.tags), (&self.tags, &self.customers)];
        let named = two.into_iter().filter_map(|(first, second)| first.as_ref().zip(second.as_ref()));
        let few = named.filter(|(first, second)| first.len().saturating_mul(second.len()) <= MAX_PAIRS);
        few.map(|(first, second)| {
            first.iter().flat_map(|&key| second.iter().map(move |&other| (key, Some(other)))).collect()
        })
        .collect()
    }
}

/// Files the headers that a rule speaks with by its hosts.
fn reserve<'p>(rule: &'p RuleSpec, filed: &mut BTreeMap<Key<'p>, Filed<'p>>, for_all: &mut Filed<'p>) {
    if rule.effect != Effect::Allow {
        return;
    }
    let headers = rule.set.iter().map(|(name, _)| name).chain(rule.jwt.iter().map(|jwt| &jwt.header));
    for header in headers {
        let Some(hosts) = &rule.condition.hosts else {
            for_all.reserved.insert((header, None));
            continue;
        };
        for &set in &hosts.sets {
            filed.entry(Key::Set(set)).or_default().reserved.insert((header, None));
        }
        let Some(patterns) = &hosts.patterns else { continue };
        let reserved = (header.as_str(), Some(patterns.automaton));
        match &patterns.within {
            None => _ = for_all.reserved.insert(reserved),
            Some(within) => {
                for &set in within {
                    filed.entry(Key::Set(set)).or_default().reserved.insert(reserved);
                }
            }
        }
    }
}

fn lay_out<'p>(
    for_all: &Filed<'p>,
    filed: &BTreeMap<Key<'p>, Filed<'p>>,
    sets: usize,
    writer: &mut Writer,
) -> Result<Candidates, TooLarge> {
    let keys = filed.iter().flat_map(|(key, filed)| std::iter::once(key).chain(filed.pairs.keys()));
    let prefixes: BTreeSet<&str> =
        keys.filter_map(|key| if let Key::Prefix(prefix) = key { Some(*prefix) } else { None }).collect();
    let mut layout = Layout { prefixes: prefixes.into_iter().collect(), words: Vec::new(), writer };
    let sets_at = HEAD_WORDS + PREFIX_WORDS * layout.prefixes.len();
    layout.words = vec![NONE; sets_at + sets];
    layout.words[0] = layout.posting(for_all)?;
    layout.words[1] = word(layout.prefixes.len())?;
    layout.prefix_tree()?;
    let (mut customers, mut tags) = (HashMap::new(), HashMap::new());
    // Many customers may lead to the same rules. The other keys have postings of their own: the engine counts on that.
    let mut known: HashMap<&[u32], u32> = HashMap::new();
    for (key, filed) in filed {
        let again = if let Key::Customer(_) = key { known.get(filed.rules.as_slice()).copied() } else { None };
        let place = again.map_or_else(|| layout.posting(filed), Ok)?;
        match *key {
            Key::Customer(number) => {
                known.insert(&filed.rules, place);
                customers.insert(number, place);
            }
            Key::Prefix(prefix) => {
                let at = HEAD_WORDS + PREFIX_WORDS * layout.number(prefix)?;
                layout.words[at + 3] = place;
            }
            Key::Set(set) => layout.words[sets_at + usize::try_from(set).map_err(|_| TooLarge)?] = place,
            Key::Tag(number) => _ = tags.insert(number, place),
        }
    }
    word(layout.words.len())?;
    Ok(Candidates { words: layout.words, customers, tags })
}

struct Layout<'w, 'p> {
    /// Sorted.
    prefixes: Vec<&'p str>,
    words: Vec<u32>,
    writer: &'w mut Writer,
}

impl<'p> Layout<'_, 'p> {
    /// The texts of prefixes, and of each the longest other one that it begins with.
    fn prefix_tree(&mut self) -> Result<(), TooLarge> {
        let mut above: Vec<usize> = Vec::new();
        for (place, prefix) in self.prefixes.iter().enumerate() {
            // They are sorted: each comes after those that it begins with.
            while above.last().is_some_and(|&last| !prefix.starts_with(self.prefixes[last])) {
                above.pop();
            }
            let [offset, length] = self.writer.text(prefix)?;
            let parent = above.last().map_or(Ok(NONE), |&parent| word(parent))?;
            let at = HEAD_WORDS + PREFIX_WORDS * place;
            self.words[at..at + PREFIX_WORDS].copy_from_slice(&[offset, length, parent, NONE]);
            above.push(place);
        }
        Ok(())
    }

    fn number(&self, prefix: &str) -> Result<usize, TooLarge> {
        self.prefixes.binary_search(&prefix).map_err(|_| TooLarge)
    }

    /// Lays out a posting, after those of its pairs. Says where.
    fn posting(&mut self, filed: &Filed<'p>) -> Result<u32, TooLarge> {
        let mut pairs = Vec::with_capacity(filed.pairs.len());
        for (key, rules) in &filed.pairs {
            let second = match *key {
                Key::Customer(number) => candidates::Key::Customer(number),
                Key::Prefix(prefix) => candidates::Key::Prefix(word(self.number(prefix)?)?),
                Key::Tag(number) => candidates::Key::Tag(number),
                Key::Set(_) => return Err(TooLarge),
            };
            pairs.push([second.word(), self.posting(&Filed { rules: rules.clone(), ..Filed::default() })?]);
        }
        pairs.sort_unstable();
        let place = word(self.words.len())?;
        self.words.extend([word(filed.rules.len())?, word(filed.reserved.len())?, word(pairs.len())?]);
        self.words.extend(&filed.rules);
        for (header, automaton) in &filed.reserved {
            self.words.extend(self.writer.text(header)?);
            self.words.push(automaton.unwrap_or(NONE));
        }
        self.words.extend(pairs.as_flattened());
        Ok(place)
    }
}
