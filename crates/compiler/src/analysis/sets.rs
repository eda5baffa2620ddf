//! Exact sets in the dimensions whose values are plain: methods, and pairs of scheme and port.

use std::collections::BTreeSet;

use crate::checked::Scheme;

/// A set that is given by its members, or by what is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Listed<T: Ord> {
    listed: BTreeSet<T>,
    /// Everything but what is listed.
    is_complement: bool,
}

impl<T: Ord + Clone> Listed<T> {
    /// The set of everything.
    pub(crate) fn all() -> Self {
        Self { listed: BTreeSet::new(), is_complement: true }
    }

    /// The set of these and nothing else.
    pub(crate) fn of(members: impl IntoIterator<Item = T>) -> Self {
        Self { listed: members.into_iter().collect(), is_complement: false }
    }

    pub(crate) fn contains(&self, value: &T) -> bool {
        self.listed.contains(value) != self.is_complement
    }

    /// What is in it if it is finite; what is not, otherwise.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &T> {
        self.listed.iter()
    }

    /// Whether all but a few values are in it.
    pub(crate) fn is_complement(&self) -> bool {
        self.is_complement
    }

    pub(crate) fn complement(&self) -> Self {
        Self { listed: self.listed.clone(), is_complement: !self.is_complement }
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        match (self.is_complement, other.is_complement) {
            (true, true) => Self { listed: &self.listed | &other.listed, is_complement: true },
            (false, _) => Self::of(self.listed.iter().filter(|value| other.contains(value)).cloned()),
            (true, false) => other.intersection(self),
        }
    }
}

/// Pairs of scheme and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoints {
    http: Listed<u16>,
    https: Listed<u16>,
}

impl Endpoints {
    /// Every pair.
    pub(crate) fn all() -> Self {
        Self { http: Listed::all(), https: Listed::all() }
    }

    /// The ports of each scheme that is named, all schemes if none is; `default` says which where no port is named.
    pub(crate) fn of(
        schemes: Option<&[Scheme]>,
        ports: Option<&[u16]>,
        default: impl Fn(Scheme) -> Listed<u16>,
    ) -> Self {
        let of = |scheme| {
            if schemes.is_some_and(|schemes| !schemes.contains(&scheme)) {
                return Listed::of([]);
            }
            ports.map_or_else(|| default(scheme), |ports| Listed::of(ports.iter().copied()))
        };
        Self { http: of(Scheme::Http), https: of(Scheme::Https) }
    }

    pub(crate) fn contains(&self, scheme: Scheme, port: u16) -> bool {
        self.of_scheme(scheme).contains(&port)
    }

    pub(crate) fn complement(&self) -> Self {
        Self { http: self.http.complement(), https: self.https.complement() }
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        Self { http: self.http.intersection(&other.http), https: self.https.intersection(&other.https) }
    }

    /// A member, https and usual ports first.
    pub(crate) fn example(&self) -> Option<(Scheme, u16)> {
        [Scheme::Https, Scheme::Http].into_iter().find_map(|scheme| {
            let ports = self.of_scheme(scheme);
            let usual = [default_port(scheme), 8443, 8080];
            let listed = ports.listed().copied().filter(|_| !ports.is_complement());
            let others = (1..=u16::MAX).chain([0]).filter(|_| ports.is_complement());
            usual.into_iter().chain(listed).chain(others).find(|port| ports.contains(port)).map(|port| (scheme, port))
        })
    }

    fn of_scheme(&self, scheme: Scheme) -> &Listed<u16> {
        match scheme {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
        }
    }
}

/// The port of a URL that names none.
pub(crate) fn default_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_complements_meet_as_sets_do() {
        let (small, other) = (Listed::of([1, 2, 3]), Listed::of([3, 4]));
        assert_eq!(small.intersection(&other), Listed::of([3]));
        assert_eq!(small.intersection(&other.complement()), Listed::of([1, 2]));
        assert_eq!(small.complement().intersection(&other), Listed::of([4]));
        let neither = small.complement().intersection(&other.complement());
        assert_eq!([1, 3, 4, 5].map(|value| neither.contains(&value)), [false, false, false, true]);
    }

    #[test]
    fn an_example_is_usual_where_it_can_be() {
        let all = Endpoints::all();
        assert_eq!(all.example(), Some((Scheme::Https, 443)));
        let http = Endpoints::of(Some(&[Scheme::Http]), Some(&[8125]), |_| Listed::all());
        assert_eq!(http.example(), Some((Scheme::Http, 8125)));
        assert_eq!(http.intersection(&http.complement()).example(), None);
    }
}
