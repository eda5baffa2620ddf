//! Prefix codes of limited length (Huffman, *A Method for the Construction of Minimum-Redundancy Codes*, 1952).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Lengths of the codes of symbols that occur so often: 0 for those that do not occur, and for one that stands alone.
///
/// Where a code would pass the limit, frequencies are flattened until none does: a little longer than the best
/// (package-merge), and never by
/// much, since only symbols that hardly occur have long codes.
pub(super) fn lengths(counts: &[u64], limit: u8) -> Vec<u8> {
    let symbols: Vec<usize> = (0..counts.len()).filter(|&symbol| counts[symbol] > 0).collect();
    let mut weights: Vec<u64> = symbols.iter().map(|&symbol| counts[symbol]).collect();
    let mut lengths = vec![0; counts.len()];
    loop {
        let depths = depths(&weights);
        if depths.iter().all(|&depth| depth <= limit) {
            for (&symbol, depth) in symbols.iter().zip(depths) {
                lengths[symbol] = depth;
            }
            return lengths;
        }
        for weight in &mut weights {
            *weight = *weight / 2 + 1;
        }
    }
}

/// How deep each weight hangs in a tree of least weighted depth.
fn depths(weights: &[u64]) -> Vec<u8> {
    let mut heap: BinaryHeap<_> =
        weights.iter().zip(0_usize..).map(|(&weight, node)| Reverse((weight, node))).collect();
    let mut above = vec![0; weights.len()];
    while let Some(Reverse((light, first))) = heap.pop()
        && let Some(Reverse((heavy, second))) = heap.pop()
    {
        above[first] = above.len();
        above[second] = above.len();
        heap.push(Reverse((light + heavy, above.len())));
        above.push(0);
    }
    // Every node was made after those beneath it.
    let mut depths = vec![0_u8; above.len()];
    for node in (0..above.len().saturating_sub(1)).rev() {
        depths[node] = depths[above[node]].saturating_add(1);
    }
    depths.truncate(weights.len());
    depths
}

/// Codes of these lengths, of which none is the beginning of another, to be read from the lowest bit.
pub(super) fn codes(lengths: &[u8]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..lengths.len()).filter(|&symbol| lengths[symbol] > 0).collect();
    order.sort_by_key(|&symbol| (lengths[symbol], symbol));
    let mut codes = vec![0; lengths.len()];
    let (mut next, mut length) = (0_u32, 0);
    for symbol in order {
        next <<= lengths[symbol] - length;
        length = lengths[symbol];
        codes[symbol] = next.reverse_bits() >> (32 - u32::from(length));
        next += 1;
    }
    codes
}
