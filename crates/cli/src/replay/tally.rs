//! Counts, in memory that a log cannot grow without end.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::verdict::{Outcome, Verdict};

/// The most groups that are kept apart. Policies have fewer rules that decide; a log may name any.
const MAX_GROUPS: usize = 1_000;

/// The most pairs of a group and a customer that are counted one by one.
const MAX_CUSTOMERS: usize = 200_000;

/// Samples of each group.
const SAMPLES: usize = 3;

/// How a verdict differs from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// It went out and would be refused.
    NewlyDenied,
    /// It was refused and would go out.
    NewlyAllowed,
    /// It would still go out, but for report mode no longer.
    NewlyReported,
    /// It would go out, report mode or not.
    NoLongerReported,
    /// The same becomes of it, for another reason or by another rule.
    OtherRule,
    /// What is recorded does not say.
    Undecided,
}

/// Everything that was counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    groups: HashMap<Key, Group>,
    /// Pairs of a group and a customer so far.
    customers: usize,
    /// Changes for which there was no group left.
    ungrouped: BTreeMap<Change, u64>,
    /// Requests whose verdict is the same.
    pub(crate) unchanged: u64,
}

/// What is counted together: `before` and `after` as people read them.
type Key = (Change, String, String);

/// Requests with one change.
#[derive(Debug)]
pub(crate) struct Group {
    /// The change.
    pub(crate) change: Change,
    /// The verdict before, if it is known.
    pub(crate) before: Option<Verdict>,
    /// The verdict after, if it is known.
    pub(crate) after: Option<Verdict>,
    /// Why one of them is not.
    pub(crate) why: Option<String>,
    /// How many.
    pub(crate) count: u64,
    /// How many of each customer.
    customers: HashMap<Option<String>, u64>,
    /// Requests of customers beyond those.
    pub(crate) of_others: u64,
    /// Some of them, no two alike.
    pub(crate) samples: Vec<Sample>,
}

/// A request, as an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Sample {
    pub(crate) customer: Option<String>,
    pub(crate) method: String,
    pub(crate) url: String,
}

impl Change {
    /// Every change, in the order in which they are told.
    pub(crate) const ALL: [Self; 6] = [
        Self::NewlyDenied,
        Self::NewlyAllowed,
        Self::NewlyReported,
        Self::NoLongerReported,
        Self::OtherRule,
        Self::Undecided,
    ];

    /// As people read it.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::NewlyAllowed => "newly allowed",
            Self::NewlyDenied => "newly denied",
            Self::NewlyReported => "newly reported",
            Self::NoLongerReported => "no longer reported",
            Self::OtherRule => "other rule",
            Self::Undecided => "undecided",
        }
    }

    /// What lies between two verdicts; `None` if nothing, as far as can be known.
    fn between(before: &Verdict, after: &Verdict) -> Option<Self> {
        match (before.outcome, after.outcome) {
            (Outcome::Allowed | Outcome::Reported, Outcome::Denied) => Some(Self::NewlyDenied),
            (Outcome::Denied, Outcome::Allowed | Outcome::Reported) => Some(Self::NewlyAllowed),
            (Outcome::Allowed, Outcome::Reported) => Some(Self::NewlyReported),
            (Outcome::Reported, Outcome::Allowed) => Some(Self::NoLongerReported),
            _ if before.may_equal(after) => None,
            _ => Some(Self::OtherRule),
        }
    }
}

impl Tally {
    /// Counts a request whose verdicts are known.
    pub(crate) fn decided(&mut self, before: Verdict, after: Verdict, sample: impl FnOnce() -> Sample) {
        let Some(change) = Change::between(&before, &after) else {
            self.unchanged += 1;
            return;
        };
        let key = (change, before.to_string(), after.to_string());
        self.count(key, Some(before), Some(after), None, sample);
    }

    /// Counts a request of which something is not known.
    pub(crate) fn undecided(&mut self, before: Option<Verdict>, why: String, sample: impl FnOnce() -> Sample) {
        let named = before.as_ref().map(Verdict::to_string).unwrap_or_default();
        self.count((Change::Undecided, named, why.clone()), before, None, Some(why), sample);
    }

    fn count(
        &mut self,
        key: Key,
        before: Option<Verdict>,
        after: Option<Verdict>,
        why: Option<String>,
        sample: impl FnOnce() -> Sample,
    ) {
        let change = key.0;
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&key) {
            *self.ungrouped.entry(change).or_default() += 1;
            return;
        }
        let group = self.groups.entry(key).or_insert_with(|| Group {
            change,
            before,
            after,
            why,
            count: 0,
            customers: HashMap::new(),
            of_others: 0,
            samples: Vec::new(),
        });
        group.count += 1;
        let sample = sample();
        match group.customers.get_mut(&sample.customer) {
            Some(count) => *count += 1,
            None if self.customers < MAX_CUSTOMERS => {
                self.customers += 1;
                group.customers.insert(sample.customer.clone(), 1);
            }
            None => group.of_others += 1,
        }
        if group.samples.len() < SAMPLES {
            let is_like = |known: &Sample| known.method == sample.method && known.url == sample.url;
            if !group.samples.iter().any(is_like) {
                group.samples.push(sample);
            }
        }
    }

    /// The groups: by change, then the largest first.
    pub(crate) fn groups(&self) -> Vec<&Group> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by(|(a, first), (b, second)| (a.0, second.count, a).cmp(&(b.0, first.count, b)));
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// How many requests of each change, those without a group among them.
    pub(crate) fn count_of(&self, change: Change) -> u64 {
        let grouped: u64 = self.groups.values().filter(|group| group.change == change).map(|group| group.count).sum();
        grouped + self.ungrouped_of(change)
    }

    /// Those of a change for which there was no group left.
    pub(crate) fn ungrouped_of(&self, change: Change) -> u64 {
        self.ungrouped.get(&change).copied().unwrap_or(0)
    }

    /// Whether anything would change for certain.
    pub(crate) fn changes(&self) -> u64 {
        Change::ALL.into_iter().filter(|change| *change != Change::Undecided).map(|change| self.count_of(change)).sum()
    }

    /// Every request.
    pub(crate) fn total(&self) -> u64 {
        self.changes() + self.count_of(Change::Undecided) + self.unchanged
    }
}

impl Group {
    /// Customers and how many of the requests are theirs, the most first.
    pub(crate) fn customers(&self) -> Vec<(Option<&str>, u64)> {
        let mut customers: Vec<_> = self.customers.iter().map(|(name, count)| (name.as_deref(), *count)).collect();
        customers.sort_by(|(a, first), (b, second)| (second, a).cmp(&(first, b)));
        customers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::verdict::Because;

    fn verdict(outcome: Outcome, rule: &str) -> Verdict {
        Verdict { outcome, because: vec![Because { reason: "rule", rule: Some(rule.to_owned()) }] }
    }

    fn sample(customer: usize) -> Sample {
        Sample { customer: Some(customer.to_string()), method: "GET".into(), url: "https://a.example/".into() }
    }

    #[test]
    fn requests_of_one_change_are_one_group_and_no_two_samples_alike() {
        let mut tally = Tally::default();
        for customer in [1, 2, 2] {
            let verdicts = [verdict(Outcome::Allowed, "a"), verdict(Outcome::Denied, "b")];
            let [before, after] = verdicts;
            tally.decided(before, after, || sample(customer));
        }
        tally.decided(verdict(Outcome::Denied, "a"), verdict(Outcome::Denied, "a"), || unreachable!("nothing to show"));
        let groups = tally.groups();
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].customers(), [(Some("2"), 2), (Some("1"), 1)]);
        assert_eq!(groups[0].samples, [sample(1)]);
        assert_eq!((tally.changes(), tally.unchanged, tally.total()), (3, 1, 4));
    }

    #[test]
    fn a_log_that_names_rules_and_customers_without_end_is_counted_all_the_same() {
        let mut tally = Tally::default();
        for number in 0..MAX_GROUPS + 10 {
            tally.decided(verdict(Outcome::Allowed, &number.to_string()), verdict(Outcome::Denied, "b"), || {
                sample(number)
            });
        }
        assert_eq!(tally.groups().len(), MAX_GROUPS);
        assert_eq!((tally.ungrouped_of(Change::NewlyDenied), tally.count_of(Change::NewlyDenied)), (10, 1_010));
        for number in 0..MAX_CUSTOMERS {
            tally.decided(verdict(Outcome::Allowed, "1"), verdict(Outcome::Denied, "b"), || sample(number));
        }
        let group = tally.groups()[0];
        let named: u64 = group.customers.values().sum();
        assert_eq!(named + group.of_others, group.count);
        assert!(group.of_others > 0);
    }
}
