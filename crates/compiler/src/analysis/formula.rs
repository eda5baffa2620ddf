//! What is asked: sets of requests, put together from sets in single dimensions.

use std::rc::Rc;

/// A set of requests that looks at one dimension only, by number in a [`super::space::Space`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Predicate {
    /// The customer's name is in a set.
    Customer(u32),
    /// Scheme and port are in a set.
    Endpoint(u32),
    /// A header is there and its value in a set.
    Header(u32, u32),
    /// The host is in a set.
    Host(u32),
    /// The method is in a set.
    Method(u32),
    /// The path is in a set.
    Path(u32),
    /// The host is one that only a rule naming it exactly may open.
    Special,
    /// The customer has one of some tags.
    Tag(u32),
}

/// A predicate, or its contrary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Literal {
    pub(crate) predicate: Predicate,
    pub(crate) holds: bool,
}

/// A set of requests. Contraries are carried down to the literals, so that every part can be met by narrowing.
#[derive(Clone, Debug)]
pub(crate) enum Formula {
    /// In all of them; the empty one is everything.
    All(Rc<[Self]>),
    /// In any of them; the empty one is nothing.
    Any(Rc<[Self]>),
    /// What a literal says.
    Is(Literal),
}

impl Formula {
    /// Every request.
    pub(crate) fn everything() -> Self {
        Self::All(Rc::new([]))
    }

    /// No request.
    pub(crate) fn nothing() -> Self {
        Self::Any(Rc::new([]))
    }

    pub(crate) fn is(predicate: Predicate) -> Self {
        Self::Is(Literal { predicate, holds: true })
    }

    pub(crate) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::All(parts.into_iter().collect())
    }

    pub(crate) fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::Any(parts.into_iter().collect())
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self::All(Rc::new([self, other]))
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self::Any(Rc::new([self, other]))
    }

    /// Every request that is not in it.
    pub(crate) fn not(&self) -> Self {
        match self {
            Self::All(parts) => Self::any(parts.iter().map(Self::not)),
            Self::Any(parts) => Self::all(parts.iter().map(Self::not)),
            Self::Is(Literal { predicate, holds }) => Self::Is(Literal { predicate: *predicate, holds: !holds }),
        }
    }

    /// Whether a request is in it, given what each predicate says of the request.
    pub(crate) fn holds(&self, predicate: &mut impl FnMut(Predicate) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(predicate)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(predicate)),
            Self::Is(literal) => predicate(literal.predicate) == literal.holds,
        }
    }
}
