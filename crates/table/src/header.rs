//! The header, the section directory, and what makes a table one.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use crate::hosts::Index;
use crate::words::Fault;

/// The version of the format that this crate reads and writes.
pub const FORMAT_VERSION: u32 = 3;

pub(crate) const MAGIC: [u8; 8] = *b"TIDEGATE";
pub(crate) const CHECKSUM_AT: usize = 24;
pub(crate) const DIGEST_AT: usize = 32;
pub(crate) const DIRECTORY_AT: usize = 64;
pub(crate) const ENTRY_BYTES: usize = 12;
pub(crate) const ALIGN: usize = 8;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// Pattern automata.
    Automata,
    /// Which buckets of the host index hold names.
    Buckets,
    /// The rule index.
    Candidates,
    /// Customers by name, with what is known of them.
    Customers,
    /// What rules' exceptions match.
    Exceptions,
    /// Signing keys' descriptions.
    Keys,
    /// What the lengths of host names' codes have in common.
    Lengths,
    /// How host names are coded.
    Model,
    /// Names that many host names are beneath.
    Parents,
    /// Which posting each name has.
    Payloads,
    /// The policy record.
    Policy,
    /// Which sets a name is in.
    Postings,
    /// What is left of each host name's code.
    Remainders,
    /// The rules.
    Rules,
    /// Where the names of each bucket end.
    Runs,
    /// Tags by name.
    Tags,
    /// Texts.
    Text,
    /// What records point to.
    Words,
}

impl SectionKind {
    /// Every kind, in the order in which tables hold them.
    pub const ALL: [Self; 18] = [
        Self::Policy,
        Self::Rules,
        Self::Exceptions,
        Self::Keys,
        Self::Customers,
        Self::Tags,
        Self::Candidates,
        Self::Words,
        Self::Text,
        Self::Automata,
        Self::Model,
        Self::Parents,
        Self::Lengths,
        Self::Buckets,
        Self::Runs,
        Self::Remainders,
        Self::Payloads,
        Self::Postings,
    ];

    /// The section's name, as `inspect` shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automata => "automata",
            Self::Buckets => "buckets",
            Self::Candidates => "candidates",
            Self::Customers => "customers",
            Self::Exceptions => "exceptions",
            Self::Keys => "keys",
            Self::Lengths => "lengths",
            Self::Model => "model",
            Self::Parents => "parents",
            Self::Payloads => "payloads",
            Self::Policy => "policy",
            Self::Postings => "postings",
            Self::Remainders => "remainders",
            Self::Rules => "rules",
            Self::Runs => "runs",
            Self::Tags => "tags",
            Self::Text => "text",
            Self::Words => "words",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Policy => 0,
            Self::Rules => 1,
            Self::Exceptions => 2,
            Self::Keys => 3,
            Self::Customers => 4,
            Self::Tags => 5,
            Self::Candidates => 6,
            Self::Words => 7,
            Self::Text => 8,
            Self::Automata => 9,
            Self::Model => 10,
            Self::Parents => 11,
            Self::Lengths => 12,
            Self::Buckets => 13,
            Self::Runs => 14,
            Self::Remainders => 15,
            Self::Payloads => 16,
            Self::Postings => 17,
        }
    }

    /// The number that stands for the kind in the directory: its place, from 1.
    pub(crate) fn number(self) -> u32 {
        u32::try_from(self.index()).map_or(0, |index| index.saturating_add(1))
    }
}

/// A table whose header, bounds and checksum are right.
#[derive(Clone, Copy, Debug)]
pub struct Table<'t> {
    sections: [&'t [u8]; SectionKind::ALL.len()],
    digest: [u8; 32],
    hosts: Option<Index<'t>>,
}

/// Why bytes are not a table. The whole is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// The checksum does not fit the bytes.
    Checksum,
    /// The section directory is not one that a writer makes.
    Directory,
    /// The length in the header is not that of the bytes.
    Length {
        /// Bytes there should be.
        expected: u64,
        /// Bytes there are.
        found: usize,
    },
    /// The bytes do not begin as a table does.
    Magic,
    /// Another version of the format.
    Version {
        /// The version found.
        found: u32,
    },
}

impl<'t> Table<'t> {
    /// Verifies header, bounds and checksum. Nothing is copied.
    pub fn from_bytes(bytes: &'t [u8]) -> Result<Self, TableError> {
        let header = bytes.get(..DIRECTORY_AT).filter(|header| header.starts_with(&MAGIC)).ok_or(TableError::Magic)?;
        let version = u32_at(header, 8).ok_or(TableError::Magic)?;
        if version != FORMAT_VERSION {
            return Err(TableError::Version { found: version });
        }
        let length = u64_at(header, 16).ok_or(TableError::Magic)?;
        if usize::try_from(length) != Ok(bytes.len()) {
            return Err(TableError::Length { expected: length, found: bytes.len() });
        }
        if u64_at(header, CHECKSUM_AT) != checksum(bytes) {
            return Err(TableError::Checksum);
        }
        let sections = sections(bytes).ok_or(TableError::Directory)?;
        let digest = *header.get(DIGEST_AT..).and_then(<[u8]>::first_chunk).ok_or(TableError::Magic)?;
        let mut table = Self { sections, digest, hosts: None };
        table.hosts = Index::of(&table).ok();
        Ok(table)
    }

    /// SHA-256 over all but checksum and digest, as the writer computed it: the policy's name.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The host index.
    pub(crate) fn hosts(&self) -> Result<&Index<'t>, Fault> {
        self.hosts.as_ref().ok_or(Fault("host index out of bounds"))
    }

    /// The bytes of a section.
    pub fn section(&self, kind: SectionKind) -> &'t [u8] {
        self.sections.get(kind.index()).copied().unwrap_or_default()
    }
}

/// The checksum of a table's bytes: over all of them but the checksum itself.
pub(crate) fn checksum(table: &[u8]) -> Option<u64> {
    let mut hash = Xxh3::new();
    hash.update(table.get(..CHECKSUM_AT)?);
    hash.update(table.get(DIGEST_AT..)?);
    Some(hash.digest())
}

/// Cuts the table by its directory; `None` unless it is exactly what a writer makes.
fn sections(table: &[u8]) -> Option<[&[u8]; SectionKind::ALL.len()]> {
    let count = SectionKind::ALL.len();
    if usize::try_from(u32_at(table, 12)?).ok()? != count {
        return None;
    }
    let mut sections = [&[][..]; SectionKind::ALL.len()];
    let mut next = count.checked_mul(ENTRY_BYTES)?.checked_add(DIRECTORY_AT)?.checked_next_multiple_of(ALIGN)?;
    for ((place, section), kind) in sections.iter_mut().enumerate().zip(SectionKind::ALL) {
        let entry = place.checked_mul(ENTRY_BYTES)?.checked_add(DIRECTORY_AT)?;
        let offset = usize::try_from(u32_at(table, entry.checked_add(4)?)?).ok()?;
        let length = usize::try_from(u32_at(table, entry.checked_add(8)?)?).ok()?;
        if u32_at(table, entry)? != kind.number() || offset != next {
            return None;
        }
        let end = offset.checked_add(length)?;
        *section = table.get(offset..end)?;
        next = end.checked_next_multiple_of(ALIGN)?;
    }
    (next == table.len()).then_some(sections)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => f.write_str("the checksum does not fit: the table is damaged; compile the policy again"),
            Self::Directory => f.write_str("the section directory is damaged; compile the policy again"),
            Self::Length { expected, found } => {
                write!(
                    f,
                    "the table should have {expected} bytes and has {found}: it was cut or glued; compile the policy again"
                )
            }
            Self::Magic => f.write_str("these bytes are no policy table; `tidegate compile` makes one"),
            Self::Version { found } => write!(
                f,
                "the table has format version {found}, this Tidegate reads {FORMAT_VERSION}; compile the policy and build the Worker with one version"
            ),
        }
    }
}

impl std::error::Error for TableError {}
