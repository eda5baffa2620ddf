//! Paths that were seen, as few patterns that cover them all.
//!
//! A tree of segments. Where one position holds many values, or several that look like ids, they become one `*`; where the
//! whole grows too large, what is deepest becomes `**`. Both happen while paths come in, so that the tree stays small
//! whatever tenants ask for:
//!
//! ```text
//!   /v1/users/17        v1 ── users ── 17           v1 ── users ── *        /v1/users/*
//!   /v1/users/42                  └─── 42     ──►           └───── me       /v1/users/me
//!   /v1/users/me                  └─── me
//! ```
//!
//! Folding only ever widens: a path that was put in is covered for good.

use std::collections::BTreeMap;

/// So many values at one position are taken for any.
pub(super) const MANY: usize = 8;

/// The most segments that are kept apart for one host.
const MAX_SEGMENTS: usize = 48;

/// The deepest segment that is looked at.
const MAX_DEPTH: usize = 12;

/// The longest segment that is written as it stands, in bytes.
const LONGEST: usize = 48;

/// Values of a `*` that are shown.
const EXAMPLES: usize = 3;

/// Methods of one log, by number: bit n is the n-th.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Methods(pub(super) u32);

/// A tree of paths.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    root: Node,
    /// Beneath this level everything is `**`.
    depth: usize,
}

/// What is known of one path up to some segment.
#[derive(Clone, Debug, Default)]
struct Node {
    /// Paths that end here.
    here: Seen,
    /// Paths that go on, where nothing more is kept apart.
    beneath: Seen,
    children: BTreeMap<String, Node>,
    /// Any segment.
    any: Option<Box<Node>>,
    /// Values that became `any`.
    examples: Vec<String>,
    /// All that comes becomes `any`.
    is_crowded: bool,
}

/// Requests, and with which methods.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: u64,
    methods: Methods,
}

/// A pattern of the policy language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPattern {
    pub(super) text: String,
    pub(super) methods: Methods,
    /// Requests that it was made from.
    pub(super) count: u64,
}

impl Methods {
    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self { root: Node::default(), depth: MAX_DEPTH }
    }
}

impl Paths {
    /// Puts in a path of one reading, in the form that patterns are matched against, asked for with a method.
    pub(super) fn insert(&mut self, path: &str, method: Methods) {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        self.root.insert(&segments, Seen { count: 1, methods: method }, self.depth);
        self.shrink();
    }

    /// Puts in all of another tree.
    pub(super) fn merge(&mut self, other: Self) {
        self.depth = self.depth.min(other.depth);
        self.root.merge(other.root);
        self.root.prune(self.depth);
        self.shrink();
    }

    /// Patterns that cover everything that was put in, and what was folded on the way, for people.
    pub(super) fn patterns(&self) -> (Vec<PathPattern>, Vec<String>) {
        let (mut patterns, mut folds) = (Vec::new(), Vec::new());
        self.root.patterns("", &mut patterns, &mut folds);
        (patterns, folds)
    }

    fn shrink(&mut self) {
        while self.depth > 1 && self.root.size() > MAX_SEGMENTS {
            self.depth -= 1;
            self.root.prune(self.depth);
        }
    }
}

impl Node {
    fn insert(&mut self, segments: &[&str], seen: Seen, levels: usize) {
        match segments.split_first() {
            None => self.here.add(seen),
            Some(_) if levels == 0 => self.beneath.add(seen),
            Some((first, rest)) => self.child(first).insert(rest, seen, levels - 1),
        }
    }

    /// Where a segment leads.
    fn child(&mut self, segment: &str) -> &mut Self {
        if !self.children.contains_key(segment) {
            let joins = self.is_crowded
                || !can_be_written(segment)
                || (is_id(segment) && (self.any.is_some() || self.children.keys().any(|other| is_id(other))));
            if joins || self.children.len() >= MANY {
                self.is_crowded |= self.children.len() >= MANY && !joins;
                self.note_example(segment);
                self.fold();
                return self.any.get_or_insert_default();
            }
        }
        self.children.entry(segment.to_owned()).or_default()
    }

    /// Makes one of the children that are no longer kept apart: all of them, or those that look like ids.
    fn fold(&mut self) {
        let crowded = self.is_crowded;
        let (kept, folded) =
            std::mem::take(&mut self.children).into_iter().partition(|(segment, _)| !crowded && !is_id(segment));
        self.children = kept;
        let folded: BTreeMap<String, Self> = folded;
        for (segment, node) in folded {
            self.note_example(&segment);
            self.any.get_or_insert_default().merge(node);
        }
    }

    fn merge(&mut self, other: Self) {
        self.here.add(other.here);
        self.beneath.add(other.beneath);
        self.is_crowded |= other.is_crowded;
        if let Some(any) = other.any {
            self.any.get_or_insert_default().merge(*any);
        }
        for example in &other.examples {
            self.note_example(example);
        }
        if self.is_crowded || (self.any.is_some() && self.children.keys().any(|segment| is_id(segment))) {
            self.fold();
        }
        for (segment, node) in other.children {
            self.child(&segment).merge(node);
        }
    }

    /// Keeps nothing apart beneath a level.
    fn prune(&mut self, levels: usize) {
        if levels > 0 {
            self.children.values_mut().chain(self.any.as_deref_mut()).for_each(|child| child.prune(levels - 1));
            return;
        }
        let children = std::mem::take(&mut self.children).into_values().chain(self.any.take().map(|any| *any));
        for child in children {
            self.beneath.add(child.all());
        }
        self.examples.clear();
    }

    fn all(&self) -> Seen {
        let mut all = self.here;
        all.add(self.beneath);
        for child in self.children.values().chain(self.any.as_deref()) {
            all.add(child.all());
        }
        all
    }

    fn size(&self) -> usize {
        1 + self.children.values().chain(self.any.as_deref()).map(Self::size).sum::<usize>()
    }

    fn note_example(&mut self, segment: &str) {
        if self.examples.len() <= EXAMPLES && !self.examples.iter().any(|known| known == segment) {
            self.examples.push(segment.chars().take(LONGEST).collect());
        }
    }

    fn patterns(&self, path: &str, patterns: &mut Vec<PathPattern>, folds: &mut Vec<String>) {
        let mut pattern = |text: String, seen: Seen| {
            if seen.count > 0 {
                patterns.push(PathPattern { text, methods: seen.methods, count: seen.count });
            }
        };
        pattern(path.to_owned(), self.here);
        if self.beneath.count > 0 {
            folds.push(format!("`{path}/**`: too many paths to keep apart"));
        }
        pattern(format!("{path}/**"), self.beneath);
        for (segment, child) in &self.children {
            child.patterns(&format!("{path}/{segment}"), patterns, folds);
        }
        if let Some(any) = &self.any {
            let mut examples: Vec<_> =
                self.examples.iter().take(EXAMPLES).map(|example| format!("`{example}`")).collect();
            if self.examples.len() > EXAMPLES {
                examples.push("others".to_owned());
            }
            folds.push(format!("`{path}/*`: for {}", examples.join(", ")));
            any.patterns(&format!("{path}/*"), patterns, folds);
        }
    }
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.methods = self.methods.with(other.methods);
    }
}

/// Whether a pattern can hold the segment for itself: it has no `*`, which would be any run.
fn can_be_written(segment: &str) -> bool {
    segment.len() <= LONGEST && !segment.contains('*')
}

/// Whether a segment looks like one of many: a number, a UUID, a hash, a token.
fn is_id(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let is_made_of = |allowed: fn(u8) -> bool| segment.bytes().all(allowed);
    (digits > 0 && is_made_of(|byte| byte.is_ascii_digit()))
        || (digits > 0 && segment.len() >= 8 && is_made_of(|byte| byte.is_ascii_hexdigit() || byte == b'-'))
        || (digits >= 2
            && segment.len() >= 16
            && is_made_of(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GET: Methods = Methods(1);
    const POST: Methods = Methods(2);

    fn tree<'p>(paths: impl IntoIterator<Item = &'p str>) -> Paths {
        let mut tree = Paths::default();
        paths.into_iter().for_each(|path| tree.insert(path, GET));
        tree
    }

    fn texts(tree: &Paths) -> Vec<String> {
        tree.patterns().0.into_iter().map(|pattern| pattern.text).collect()
    }

    #[test]
    fn few_paths_are_themselves() {
        assert_eq!(texts(&tree(["/", "/v1", "/v1/", "/v1/x"])), ["/", "/v1", "/v1/", "/v1/x"]);
    }

    #[test]
    fn ids_become_one_star_and_names_stay() {
        let tree = tree(["/users/17", "/users/me", "/users/42/posts", "/users/17/posts", "/users/9"]);
        assert_eq!(texts(&tree), ["/users/me", "/users/*", "/users/*/posts"]);
        assert_eq!(tree.patterns().1, ["`/users/*`: for `42`, `17`, `9`"]);
        assert_eq!(texts(&self::tree(["/users/17"])), ["/users/17"], "one is no pattern");
    }

    #[test]
    fn many_names_become_one_star() {
        let names: Vec<_> = ('a'..='i').map(|name| format!("/{name}{name}/x")).collect();
        assert_eq!(texts(&tree(names[..MANY].iter().map(String::as_str))).len(), MANY);
        assert_eq!(texts(&tree(names.iter().map(String::as_str))), ["/*/x"]);
    }

    #[test]
    fn a_star_in_a_path_is_any_run_for_want_of_an_escape() {
        assert_eq!(texts(&tree(["/a/**", "/b/x*y"])), ["/a/*", "/b/*"]);
    }

    #[test]
    fn methods_stay_with_their_paths() {
        let mut tree = tree(["/a", "/b"]);
        tree.insert("/a", POST);
        let found: Vec<_> =
            tree.patterns().0.into_iter().map(|found| (found.text, found.methods.0, found.count)).collect();
        assert_eq!(found, [("/a".to_owned(), 3, 2), ("/b".to_owned(), 1, 1)]);
    }

    fn covers(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) | (Some((&"**", [])), Some(_)) => true,
            (Some((first, pattern)), Some((segment, path))) => {
                (*first == "*" || first == segment) && covers(pattern, path)
            }
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_was_put_in_is_covered_and_the_tree_stays_small(
            paths in prop::collection::vec("(/([a-d]{1,2}|[0-9]{1,3}|x\\*|[a-z0-9]{16,60}|)){1,15}", 1..150),
            more in prop::collection::vec("(/([a-d]{1,2}|[0-9]{1,2}|)){1,6}", 0..60),
        ) {
            let mut tree = tree(paths.iter().map(String::as_str));
            tree.merge(self::tree(more.iter().map(String::as_str)));
            let (patterns, _) = tree.patterns();
            prop_assert!(tree.root.size() <= MAX_SEGMENTS, "{}", tree.root.size());
            prop_assert_eq!(patterns.iter().map(|pattern| pattern.count).sum::<u64>(), (paths.len() + more.len()) as u64);
            for path in paths.iter().chain(&more) {
                let segments: Vec<_> = path.split('/').collect();
                let is_covered = |pattern: &PathPattern| covers(&pattern.text.split('/').collect::<Vec<_>>(), &segments);
                prop_assert!(patterns.iter().any(is_covered), "{} in {:?}", path, patterns);
            }
        }
    }
}
