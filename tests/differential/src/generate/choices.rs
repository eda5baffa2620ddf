//! Decisions, made by bytes.

/// A run of bytes that decides one thing after the other. Zeros choose the plainest of everything, and that is what follows
/// when the bytes are used up.
#[derive(Debug)]
pub(super) struct Choices<'b> {
    rest: &'b [u8],
}

impl<'b> Choices<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is not used up.
    pub(super) const fn rest(&self) -> &'b [u8] {
        self.rest
    }

    /// A number below `bound`, which is 256 at most.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let (first, rest) = self.rest.split_first().unwrap_or((&0, &[]));
        self.rest = rest;
        // Scaled, not a remainder: a small change of the byte is a small change of the choice.
        usize::from(*first) * bound / 256
    }

    /// True so many times in a hundred.
    pub(super) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub(super) fn one<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// One of these, if there are any.
    pub(super) fn any<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        (!items.is_empty()).then(|| &items[self.below(items.len())])
    }

    /// From one to `most` of these, each once.
    pub(super) fn some<T: Clone + PartialEq>(&mut self, items: &[T], most: usize) -> Vec<T> {
        let count = 1 + self.below(most);
        let mut chosen = Vec::new();
        for _ in 0..count {
            if let Some(item) = self.any(items).filter(|item| !chosen.contains(*item)) {
                chosen.push(item.clone());
            }
        }
        chosen
    }
}
