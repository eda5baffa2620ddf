//! The code of a host: the bits that the model gives to its parent, labels and characters.
//!
//! A host is read label by label from the right, a label's characters from the left. First come the labels that are a
//! *parent* in the dictionary ([`Parents`]), together one symbol; then the characters, a `.` between labels, each
//! by a Huffman code that depends on up to four characters before it. No symbol ends a host, so the code of
//! `example.com` is the beginning of the code of `api.example.com`, and one pass over a host gives the codes of all the
//! names above it.

use super::labels::Labels;
use super::parents::Parents;
use crate::words::Fault;

/// Symbols of a character code: `a`–`z`, `0`–`9`, `-`, `.`, `_`, and the one before a byte that is spelt out.
pub(super) const SYMBOLS: usize = 40;
const ESCAPE: u8 = 39;
/// A code with its length above it in 16 bits.
pub(super) const LENGTH_SHIFT: u32 = 12;

/// The symbol of each byte.
const SYMBOL_OF: [u8; 256] = {
    let mut symbols = [ESCAPE; 256];
    let mut symbol = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated when Tidegate is compiled")]
    while symbol < ESCAPE {
        symbols[b"abcdefghijklmnopqrstuvwxyz0123456789-._"[symbol as usize] as usize] = symbol;
        symbol += 1;
    }
    symbols
};

/// Why a walk over a host ends before its last label.
pub(super) enum Stop {
    /// The model has no code for what follows: no name of this table goes on like this.
    Unseen,
    /// The table is inconsistent.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a walk over a host tells.
pub(super) trait Visitor {
    /// The labels so far are this entry of the dictionary; nothing else was told.
    fn parent(&mut self, entry: usize) -> Result<(), Stop>;
    /// A character follows, after this history.
    fn character(&mut self, history: u32, symbol: u8) -> Result<(), Stop>;
    /// The character was none of those with a symbol.
    fn escaped(&mut self, byte: u8) -> Result<(), Stop>;
    /// What was told is a name: the host itself or one above it.
    fn name(&mut self, whole: bool) -> Result<(), Stop>;
}

/// Reads a host from its last label to its first.
///
/// An empty label, which the URL Standard lets through, is told as an escaped `.`, which no label has in it: so no two
/// texts are told alike.
#[inline]
pub(super) fn walk(parents: &Parents<'_>, host: &str, visitor: &mut impl Visitor) -> Result<(), Stop> {
    let mut labels = Labels::of(host.as_bytes());
    let mut next = labels.next();
    let mut entry = Parents::ROOT;
    while let Some(label) = next
        && let Some(child) = parents.child(entry, label)?
    {
        entry = child;
        next = labels.next();
        if parents.is_name(entry) {
            visitor.parent(entry)?;
            visitor.name(next.is_none())?;
        }
    }
    if next.is_some() {
        visitor.parent(entry)?;
    }
    let mut history = 0;
    let mut is_first = true;
    while let Some(label) = next {
        if !is_first {
            visitor.character(history, symbol_of(b'.'))?;
            history = u32::from(b'.');
        }
        is_first = false;
        if label.is_empty() {
            visitor.character(history, ESCAPE)?;
            visitor.escaped(b'.')?;
        }
        for &byte in label {
            let symbol = symbol_of(byte);
            visitor.character(history, symbol)?;
            if symbol == ESCAPE {
                visitor.escaped(byte)?;
            }
            history = history << 8 | u32::from(byte);
        }
        next = labels.next();
        visitor.name(next.is_none())?;
    }
    Ok(())
}

#[inline]
fn symbol_of(byte: u8) -> u8 {
    SYMBOL_OF.get(usize::from(byte)).copied().unwrap_or(ESCAPE)
}

/// The model of a table's names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model<'t> {
    order_mask: u32,
    context_shift: u32,
    clusters: &'t [u8],
    codes: &'t [[[u8; 2]; SYMBOLS]],
}

/// Bytes before the clusters of the contexts: order, bits of a context's number, two of zero.
pub(super) const MODEL_HEAD: usize = 4;

impl<'t> Model<'t> {
    pub(super) fn new(section: &'t [u8]) -> Result<Self, Fault> {
        let Some((&[order, context_bits, _, _], rest)) = section.split_first_chunk::<MODEL_HEAD>() else {
            return Ok(Self { order_mask: 0, context_shift: 63, clusters: &[0], codes: &FIXED });
        };
        let context_bits = u32::from(context_bits);
        let contexts = 1_usize.checked_shl(context_bits).ok_or(Fault("contexts out of bounds"))?;
        let (clusters, codes) = rest.split_at_checked(contexts).ok_or(Fault("contexts out of bounds"))?;
        Ok(Self {
            order_mask: Self::order_mask(order),
            context_shift: 63_u32.saturating_sub(context_bits),
            clusters,
            codes: codes.as_chunks().0.as_chunks().0,
        })
    }

    /// The part of a history that counts where so many characters do.
    pub(super) const fn order_mask(order: u8) -> u32 {
        match order {
            0..4 => !(u32::MAX << (order & 3).wrapping_mul(8)),
            _ => u32::MAX,
        }
    }

    /// The number of the context with this history, by multiplicative hashing; the shift is 63 less the bits of the
    /// number.
    #[inline]
    pub(super) fn context(order_mask: u32, shift: u32, history: u32) -> usize {
        let mixed = u64::from(history & order_mask).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from((mixed >> 1).wrapping_shr(shift)).unwrap_or(usize::MAX)
    }

    /// The code of a symbol after this history, and how many bits it has.
    #[inline]
    fn code(&self, history: u32, symbol: u8) -> Option<(u64, u32)> {
        let cluster = *self.clusters.get(Self::context(self.order_mask, self.context_shift, history))?;
        let code = self.codes.get(usize::from(cluster))?.get(usize::from(symbol))?;
        let code = u32::from(u16::from_le_bytes(*code));
        let length = code >> LENGTH_SHIFT;
        (length > 0).then_some((u64::from(code & 0xfff), length))
    }
}

/// What a table without a model goes by: six bits a symbol.
const FIXED: [[[u8; 2]; SYMBOLS]; 1] = {
    let mut codes = [[0; 2]; SYMBOLS];
    let mut symbol = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated when Tidegate is compiled")]
    while symbol <= ESCAPE {
        codes[symbol as usize] = [symbol, 6 << (LENGTH_SHIFT - 8)];
        symbol += 1;
    }
    [codes]
};

/// The bits of a code, first bit lowest.
struct Code<'b> {
    /// Zero from the pending word on.
    words: &'b mut [u64],
    full: usize,
    pending: u64,
    filled: u32,
}

impl Code<'_> {
    /// Appends up to 24 bits.
    #[inline]
    fn push(&mut self, code: u64, length: u32) -> Result<(), Fault> {
        self.pending |= code.wrapping_shl(self.filled);
        self.filled = self.filled.wrapping_add(length);
        if let Some(over) = self.filled.checked_sub(64) {
            *self.words.get_mut(self.full).ok_or(Fault("code too long"))? = self.pending;
            self.full = self.full.wrapping_add(1);
            self.pending = code.wrapping_shr(length.wrapping_sub(over));
            self.filled = over;
        }
        Ok(())
    }

    /// How many bits there are, and the words that hold them, zero behind the last.
    #[inline]
    fn bits(&mut self) -> Result<(usize, &[u64]), Fault> {
        *self.words.get_mut(self.full).ok_or(Fault("code too long"))? = self.pending;
        let filled = usize::try_from(self.filled).map_err(|_| Fault("code too long"))?;
        Ok((self.full.wrapping_mul(64).wrapping_add(filled), self.words))
    }
}

/// Codes a host: calls `name` with the length in bits and the words of the code of each name above it and, with
/// `true`, of the host
/// itself, as far as the model has codes. The buffer must be zero.
#[inline]
pub(super) fn code_names(
    model: &Model<'_>,
    parents: &Parents<'_>,
    host: &str,
    buffer: &mut [u64],
    name: impl FnMut(usize, &[u64], bool) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let code = Code { words: buffer, full: 0, pending: 0, filled: 0 };
    match walk(parents, host, &mut Coder { model, parents, code, name }) {
        Ok(()) | Err(Stop::Unseen) => Ok(()),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

struct Coder<'c, 't, F> {
    model: &'c Model<'t>,
    parents: &'c Parents<'t>,
    code: Code<'c>,
    name: F,
}

impl<F: FnMut(usize, &[u64], bool) -> Result<(), Fault>> Visitor for Coder<'_, '_, F> {
    #[inline]
    fn parent(&mut self, entry: usize) -> Result<(), Stop> {
        let (code, length) = self.parents.code(entry)?;
        self.code.pending = code;
        self.code.filled = length;
        Ok(())
    }

    #[inline]
    fn character(&mut self, history: u32, symbol: u8) -> Result<(), Stop> {
        let (code, length) = self.model.code(history, symbol).ok_or(Stop::Unseen)?;
        Ok(self.code.push(code, length)?)
    }

    fn escaped(&mut self, byte: u8) -> Result<(), Stop> {
        Ok(self.code.push(byte.into(), 8)?)
    }

    #[inline]
    fn name(&mut self, whole: bool) -> Result<(), Stop> {
        let (length, words) = self.code.bits()?;
        Ok((self.name)(length, words, whole)?)
    }
}
