//! The space of requests: its dimensions, the sets that policies name in each, and points in what is left of it.
//!
//! The dimensions are independent of each other but for one thing: the policy itself may hold tags of customers. A
//! question about tags is therefore turned into one about customers where it has to be:
//!
//! ```text
//!                             has one of T                          has none of T
//!   requests bring tags, and    the request brings it                 customer is none to whom the policy gives one of T
//!   one of T is not ruled out
//!   otherwise                   customer is one to whom the policy    the same
//!                               gives one of T
//! ```

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use super::formula::{Literal, Predicate};
use super::hosts::Hosts;
use super::paths::Paths;
use super::request::Point;
use super::sets::{Endpoints, Listed};
use super::strings::{Search, Work};
use super::values::{Kind, ValueSet, Values};

/// Methods that examples are made of; OPTIONS last, for it carries no credentials.
const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "PROPFIND", "OPTIONS"];

/// Everything that predicates speak of.
#[derive(Default)]
pub(crate) struct Space<'p> {
    pub(crate) endpoints: Numbered<Endpoints>,
    pub(crate) methods: Numbered<Listed<String>>,
    pub(crate) hosts: Hosts<'p>,
    pub(crate) paths: Paths,
    pub(crate) values: Values,
    pub(crate) headers: Numbered<String>,
    pub(crate) tags: Numbered<TagSet>,
    /// Requests say whose they are.
    pub(crate) has_customers: bool,
    pub(crate) work: Work,
}

/// "Has one of these tags", as one policy means it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TagSet {
    /// The tags.
    pub(crate) tags: BTreeSet<String>,
    /// Requests bring tags of their own.
    pub(crate) from_requests: bool,
    /// Customers to whom the policy gives one of them.
    pub(crate) given: BTreeSet<String>,
    /// The same customers, as a set of values.
    pub(crate) given_set: u32,
}

/// Values with numbers.
pub(crate) struct Numbered<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    /// The number of a value.
    pub(crate) fn add(&mut self, value: T) -> u32 {
        let Self { values, numbers } = self;
        *numbers.entry(value).or_insert_with_key(|value| {
            values.push(value.clone());
            u32::try_from(values.len() - 1).unwrap_or(u32::MAX)
        })
    }

    pub(crate) fn of(&self, number: u32) -> &T {
        &self.values[number as usize]
    }
}

/// What is left of the space: all these literals hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Region {
    literals: BTreeSet<Literal>,
}

impl Region {
    /// The region with one literal more; `None` if its contrary is there already.
    pub(crate) fn with(&self, literal: Literal) -> Option<Self> {
        let contrary = Literal { holds: !literal.holds, ..literal };
        if self.literals.contains(&contrary) {
            return None;
        }
        let mut literals = self.literals.clone();
        literals.insert(literal);
        Some(Self { literals })
    }

    /// Numbers of the predicates of one dimension that hold, and of those that do not.
    fn numbers(&self, of: impl Fn(Predicate) -> Option<u32>) -> (Vec<u32>, Vec<u32>) {
        let (mut by, mut not) = (Vec::new(), Vec::new());
        for literal in &self.literals {
            if let Some(number) = of(literal.predicate) {
                if literal.holds { by.push(number) } else { not.push(number) }
            }
        }
        (by, not)
    }
}

impl Space<'_> {
    /// A space in which nothing was named yet.
    pub(crate) fn new() -> Self {
        let mut space = Self::default();
        space.hosts.work = space.work.clone();
        space.paths.work = space.work.clone();
        space.values.work = space.work.clone();
        space
    }

    /// What a predicate says of a request.
    pub(crate) fn holds(&self, predicate: Predicate, point: &Point) -> bool {
        match predicate {
            Predicate::Customer(set) => {
                point.customer.as_ref().is_some_and(|customer| self.values.contains(set, customer))
            }
            Predicate::Endpoint(set) => self.endpoints.of(set).contains(point.scheme, point.port),
            Predicate::Header(name, set) => {
                let name = self.headers.of(name);
                let value = point.headers.iter().find(|(own, _)| own == name);
                value.is_some_and(|(_, value)| self.values.contains(set, value))
            }
            Predicate::Host(set) => self.hosts.contains(set, &point.host),
            Predicate::Method(set) => self.methods.of(set).contains(&point.method),
            Predicate::Path(set) => self.paths.contains(set, &point.path),
            Predicate::Special => tidegate_engine::canonical::host(&point.host).is_ok_and(|host| host.is_special()),
            Predicate::Tag(set) => {
                let TagSet { tags, from_requests, given, .. } = self.tags.of(set);
                (*from_requests && point.tags.iter().any(|tag| tags.contains(tag)))
                    || point.customer.as_ref().is_some_and(|customer| given.contains(customer))
            }
        }
    }

    /// A request of a region.
    pub(crate) fn point(&mut self, region: &Region) -> Search<Point> {
        let Some((scheme, port)) = self.endpoint(region) else { return Search::Nothing };
        let Some(method) = self.method(region) else { return Search::Nothing };
        let (tags, by_tags, not_tags) = self.tags(region);

        let (mut by, mut not) = region.numbers(|predicate| match predicate {
            Predicate::Customer(set) => Some(set),
            _ => None,
        });
        by.extend(by_tags);
        not.extend(not_tags);
        let customer = if self.has_customers {
            match self.values.find(Kind::Customer, &by, &not) {
                Search::Found(customer) => Some(customer),
                Search::Nothing => return Search::Nothing,
                Search::TooLong => return Search::TooLong,
            }
        } else if by.is_empty() {
            None
        } else {
            return Search::Nothing;
        };

        let (by, not) = region.numbers(|predicate| match predicate {
            Predicate::Path(set) => Some(set),
            _ => None,
        });
        let path = match self.paths.find(&by, &not) {
            Search::Found(path) => path,
            Search::Nothing => return Search::Nothing,
            Search::TooLong => return Search::TooLong,
        };

        let headers = match self.header_values(region) {
            Search::Found(headers) => headers,
            Search::Nothing => return Search::Nothing,
            Search::TooLong => return Search::TooLong,
        };

        let (by, not) = region.numbers(|predicate| match predicate {
            Predicate::Host(set) => Some(set),
            _ => None,
        });
        let special = region.literals.iter().find(|literal| literal.predicate == Predicate::Special);
        // Where nobody asks, hosts of the world are what people know.
        let mut host = self.hosts.find(&by, &not, special.map_or(Some(false), |literal| Some(literal.holds)));
        if special.is_none() && !matches!(host, Search::Found(_)) {
            let other = self.hosts.find(&by, &not, Some(true));
            host = if host == Search::TooLong && other == Search::Nothing { Search::TooLong } else { other };
        }
        host.map(|host| Point { method, scheme, port, host, path, customer, tags, headers })
    }

    fn endpoint(&self, region: &Region) -> Option<(crate::checked::Scheme, u16)> {
        let mut left = Endpoints::all();
        for literal in &region.literals {
            if let Predicate::Endpoint(set) = literal.predicate {
                let set = self.endpoints.of(set);
                left = left.intersection(&if literal.holds { set.clone() } else { set.complement() });
            }
        }
        left.example()
    }

    fn method(&self, region: &Region) -> Option<String> {
        let mut left = Listed::all();
        for literal in &region.literals {
            if let Predicate::Method(set) = literal.predicate {
                let set = self.methods.of(set);
                left = left.intersection(&if literal.holds { set.clone() } else { set.complement() });
            }
        }
        let listed = left.listed().filter(|_| !left.is_complement()).cloned();
        let numbered = (0..1_000).map(|number| format!("M{number}"));
        METHODS.map(str::to_owned).into_iter().chain(listed).chain(numbered).find(|method| left.contains(method))
    }

    /// The tags that a request brings, and what is left for its customer: sets to be in, sets not to be in.
    fn tags(&self, region: &Region) -> (Vec<String>, Vec<u32>, Vec<u32>) {
        let (by, not) = region.numbers(|predicate| match predicate {
            Predicate::Tag(set) => Some(set),
            _ => None,
        });
        let forbidden: Vec<&TagSet> = not.iter().map(|&set| self.tags.of(set)).collect();
        let (mut tags, mut by_customer) = (Vec::new(), Vec::new());
        for set in by.iter().map(|&set| self.tags.of(set)) {
            let is_free =
                |tag: &&String| !forbidden.iter().any(|other| other.from_requests && other.tags.contains(*tag));
            match set.tags.iter().find(is_free).filter(|_| set.from_requests) {
                Some(tag) => tags.push(tag.clone()),
                None => by_customer.push(set.given_set),
            }
        }
        tags.sort_unstable();
        tags.dedup();
        (tags, by_customer, forbidden.iter().map(|set| set.given_set).collect())
    }

    fn header_values(&mut self, region: &Region) -> Search<Vec<(String, String)>> {
        let mut names: Vec<u32> = region
            .literals
            .iter()
            .filter_map(|literal| match literal.predicate {
                Predicate::Header(name, _) if literal.holds => Some(name),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        let mut headers = Vec::new();
        // A header that nothing is asked of is left out, which satisfies every contrary.
        for name in names {
            let (by, not) = region.numbers(|predicate| match predicate {
                Predicate::Header(of, set) if of == name => Some(set),
                _ => None,
            });
            match self.values.find(Kind::Header, &by, &not) {
                Search::Found(value) => headers.push((self.headers.of(name).clone(), value)),
                Search::Nothing => return Search::Nothing,
                Search::TooLong => return Search::TooLong,
            }
        }
        Search::Found(headers)
    }

    /// The number of "has one of these tags".
    pub(crate) fn add_tags(&mut self, tags: &[String], from_requests: bool, given: BTreeSet<String>) -> u32 {
        let given_set = self.values.add(ValueSet::Names(given.clone()));
        self.tags.add(TagSet { tags: tags.iter().cloned().collect(), from_requests, given, given_set })
    }
}
