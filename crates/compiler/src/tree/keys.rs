//! The keys of a kind of file, described: what each takes and what it means.
//!
//! There is one such list for each kind of file. The reader knows its keys from it ([`super::Reader::table`]), and the schemas and
//! the reference are made of it ([`crate::schema`]); so neither can know a key that the others do not.

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value is.
    pub takes: Takes,
    /// What is so without it: a value as it would be written, or words. `None` where there is nothing to say.
    pub default: Option<&'static str>,
    /// Whether it must be there.
    pub required: bool,
    /// What it means: Markdown, without a full stop.
    pub meaning: &'static str,
}

impl Key {
    /// A key that may be left out.
    pub const fn optional(name: &'static str, takes: Takes, meaning: &'static str) -> Self {
        Self { name, takes, default: None, required: false, meaning }
    }

    /// A key that must be there.
    pub const fn required(name: &'static str, takes: Takes, meaning: &'static str) -> Self {
        Self { required: true, ..Self::optional(name, takes, meaning) }
    }

    /// What is so without the key.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }
}

/// What a key's value is.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// Whatever JSON has.
    Any,
    /// `true` or `false`.
    Boolean,
    /// One of a few words.
    Choice(&'static dyn Words),
    /// Several of a few words, at least one.
    Choices(&'static dyn Words),
    /// A day.
    Date,
    /// `false`, or a table with these keys.
    FalseOrTable(&'static [Key]),
    /// A name of `a-z`, `0-9` and `-`.
    Id,
    /// A day, or a day and a time in UTC.
    Instant,
    /// A whole number, of at least and at most these.
    Integer(u32, u32),
    /// Several whole numbers, at least one.
    Integers(u32, u32),
    /// A table of lints, each with its level.
    Levels,
    /// A table whose keys are names of the operator's choosing, each with a table of these keys; the names are [ids](Takes::Id), or not.
    Named {
        /// Names are ids.
        ids: bool,
        /// What each has.
        keys: &'static [Key],
    },
    /// This, or null.
    Nullable(&'static Takes),
    /// A number, of at least and at most these.
    Number(u32, u32),
    /// A table with these keys.
    Table(&'static [Key]),
    /// A table that is not empty, or several.
    TableOrTables(&'static [Key]),
    /// Several tables, at least one, none of them empty.
    Tables(&'static [Key]),
    /// A string.
    Text,
    /// A string or several, at least one.
    TextOrTexts,
    /// A table of strings; whether it may be empty.
    TextTable {
        /// It may hold nothing.
        may_be_empty: bool,
    },
    /// A table that is not empty, of strings or several strings each.
    TextsTable,
    /// Several strings, at least one.
    Texts,
    /// Any number of strings.
    TextsOrNone,
    /// This word, or a table with these keys.
    WordOrTable(&'static str, &'static [Key]),
}

/// The words that a choice is made of, and what else belongs to each.
pub trait Words: Sync {
    /// The words alone.
    fn words(&self) -> Vec<&'static str>;
}

impl<T: Sync> Words for &'static [(&'static str, T)] {
    fn words(&self) -> Vec<&'static str> {
        self.iter().map(|(word, _)| *word).collect()
    }
}

impl<const N: usize> Words for [&'static str; N] {
    fn words(&self) -> Vec<&'static str> {
        self.to_vec()
    }
}

impl std::fmt::Debug for dyn Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.words().fmt(f)
    }
}

/// Two lists of keys as one, of as many as both have.
pub(crate) const fn join<const N: usize>(first: &[Key], second: &[Key]) -> [Key; N] {
    let mut keys = [first[0]; N];
    let mut at = 0;
    while at < N {
        keys[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    keys
}
