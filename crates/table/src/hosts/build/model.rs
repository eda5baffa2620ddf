//! Learns the model of a table's names: which contexts are alike, and the codes of each kind.

use super::huffman;
use crate::hosts::code::{LENGTH_SHIFT, MODEL_HEAD, Model, SYMBOLS, Stop, Visitor, walk};
use crate::hosts::parents::Parents;

/// The longest code of a symbol.
const MAX_CODE: u8 = 12;
/// Clusters, besides the one of contexts that never occur.
const MAX_CLUSTERS: usize = 255;

/// How fine a model is.
struct Grade {
    /// Characters from which it pays.
    characters: usize,
    /// Characters of history.
    order: u8,
    /// Bits of a context's number.
    context_bits: u8,
    clusters: usize,
}

/// From coarse to fine.
const GRADES: [Grade; 7] = [
    Grade { characters: 400, order: 0, context_bits: 0, clusters: 1 },
    Grade { characters: 4_000, order: 1, context_bits: 8, clusters: 12 },
    Grade { characters: 40_000, order: 2, context_bits: 11, clusters: 48 },
    Grade { characters: 400_000, order: 3, context_bits: 14, clusters: 160 },
    Grade { characters: 2_000_000, order: 4, context_bits: 16, clusters: MAX_CLUSTERS },
    Grade { characters: 8_000_000, order: 4, context_bits: 17, clusters: MAX_CLUSTERS },
    Grade { characters: 16_000_000, order: 4, context_bits: 18, clusters: MAX_CLUSTERS },
];

/// The model's section: empty where the names are too few to pay for one.
pub(super) fn model(names: &[&str], parents: &Parents<'_>) -> Vec<u8> {
    let characters: usize = names.iter().map(|name| name.len()).sum();
    let Some(grade) = GRADES.iter().rev().find(|grade| grade.characters <= characters) else { return Vec::new() };
    let contexts = contexts(names, parents, grade);
    let (clusters, counts) = cluster(&contexts, grade.clusters);

    let mut section = vec![grade.order, grade.context_bits, 0, 0];
    section.resize(MODEL_HEAD + (1 << grade.context_bits), 0);
    for (context, cluster) in contexts.iter().zip(clusters) {
        section[MODEL_HEAD + context.number] = cluster + 1;
    }
    // The cluster of contexts that never occur has no codes.
    section.resize(section.len() + 2 * SYMBOLS, 0);
    for counts in counts {
        let mut lengths = huffman::lengths(&counts, MAX_CODE);
        if let (Some(only), true) =
            (counts.iter().position(|&count| count > 0), lengths.iter().all(|&length| length == 0))
        {
            // What always follows takes a bit all the same: a length of 0 stands for what never does.
            lengths[only] = 1;
        }
        for (code, length) in huffman::codes(&lengths).into_iter().zip(lengths) {
            let entry = code as u16 | u16::from(length) << LENGTH_SHIFT;
            section.extend(entry.to_le_bytes());
        }
    }
    section
}

/// A context, and what follows it how often.
struct Context {
    number: usize,
    total: u64,
    follow: Vec<(u8, u32)>,
}

/// The contexts that occur, the most frequent first.
fn contexts(names: &[&str], parents: &Parents<'_>, grade: &Grade) -> Vec<Context> {
    let mut tally = Tally {
        order_mask: Model::order_mask(grade.order),
        context_shift: 63 - u32::from(grade.context_bits),
        counts: vec![[0; SYMBOLS]; 1 << grade.context_bits],
    };
    for name in names {
        let _ = walk(parents, name, &mut tally);
    }
    let mut contexts: Vec<Context> = tally
        .counts
        .iter()
        .enumerate()
        .filter_map(|(number, counts)| {
            let follow: Vec<_> = (0..).zip(counts.iter().copied()).filter(|&(_, count)| count > 0).collect();
            let total = follow.iter().map(|&(_, count)| u64::from(count)).sum();
            (total > 0).then_some(Context { number, total, follow })
        })
        .collect();
    contexts.sort_by_key(|context| std::cmp::Reverse(context.total));
    contexts
}

struct Tally {
    order_mask: u32,
    context_shift: u32,
    counts: Vec<[u32; SYMBOLS]>,
}

impl Visitor for Tally {
    fn parent(&mut self, _: usize) -> Result<(), Stop> {
        Ok(())
    }

    #[inline]
    fn character(&mut self, history: u32, symbol: u8) -> Result<(), Stop> {
        self.counts[Model::context(self.order_mask, self.context_shift, history)][usize::from(symbol)] += 1;
        Ok(())
    }

    fn escaped(&mut self, _: u8) -> Result<(), Stop> {
        Ok(())
    }

    fn name(&mut self, _: bool) -> Result<(), Stop> {
        Ok(())
    }
}

/// Costs are in 16ths of a bit, and no code counts as longer than this.
const MAX_COST: i16 = 13 * 16;
/// Contexts by which clusters are found; the rest are put where they cost least.
const LEADERS: usize = 6_000;
const ROUNDS: usize = 5;
const LANES: usize = MAX_CLUSTERS + 1;

/// Puts contexts into clusters so that their codes are short together: k-means by code length (Lloyd's rounds), begun
/// with the most frequent
/// contexts. Gives each context's cluster, and what follows in each cluster how often.
fn cluster(contexts: &[Context], limit: usize) -> (Vec<u8>, Vec<[u64; SYMBOLS]>) {
    let count = limit.min(contexts.len()).max(1);
    let leaders = &contexts[..contexts.len().min(LEADERS)];
    let mut overall = [0; SYMBOLS];
    for context in leaders {
        add(&mut overall, context);
    }
    let mut counts = vec![[0; SYMBOLS]; count];
    for (counts, context) in counts.iter_mut().zip(contexts) {
        add(counts, context);
    }
    let mut clusters = Vec::new();
    for _ in 0..ROUNDS {
        (clusters, counts) = assign(leaders, &Costs::of(&counts, &overall));
    }
    if leaders.len() < contexts.len() {
        (clusters, counts) = assign(contexts, &Costs::of(&counts, &overall));
    }
    (clusters, counts)
}

fn add(counts: &mut [u64; SYMBOLS], context: &Context) {
    for &(symbol, count) in &context.follow {
        counts[usize::from(symbol)] += u64::from(count);
    }
}

/// What each symbol costs in each cluster.
struct Costs {
    clusters: usize,
    of_symbol: Vec<[i16; LANES]>,
}

impl Costs {
    fn of(counts: &[[u64; SYMBOLS]], overall: &[u64; SYMBOLS]) -> Self {
        let mut of_symbol = vec![[MAX_COST; LANES]; SYMBOLS];
        let everything = overall.iter().sum::<u64>().max(1);
        for (cluster, counts) in counts.iter().enumerate() {
            let total = counts.iter().sum::<u64>().max(1);
            for symbol in 0..SYMBOLS {
                // An eighth of what follows is taken to be as everywhere.
                let share = 7 * (counts[symbol] << 20) / total + (overall[symbol] << 20) / everything;
                let cost = (23 * 16_i16).saturating_sub(log2(share));
                of_symbol[symbol][cluster] = cost.min(MAX_COST);
            }
        }
        Self { clusters: counts.len(), of_symbol }
    }
}

/// The logarithm in 16ths, straight between powers of two: the same on every machine.
fn log2(number: u64) -> i16 {
    let Some(exponent) = number.checked_ilog2() else { return 0 };
    let fraction = (u128::from(number) << 4 >> exponent) as i16 & 15;
    (exponent as i16) << 4 | fraction
}

/// Puts each context where it costs least.
fn assign(contexts: &[Context], costs: &Costs) -> (Vec<u8>, Vec<[u64; SYMBOLS]>) {
    let mut counts = vec![[0; SYMBOLS]; costs.clusters];
    let clusters = contexts
        .iter()
        .map(|context| {
            // Sums of 16 bits, so that a machine adds many at once: counts are scaled to fit.
            let mut sums = [0_i16; LANES];
            for &(symbol, count) in &context.follow {
                let weight = if context.total < 128 { count } else { (u64::from(count) * 127 / context.total) as u32 };
                for (sum, cost) in sums.iter_mut().zip(&costs.of_symbol[usize::from(symbol)]) {
                    *sum = sum.wrapping_add((weight as i16).wrapping_mul(*cost));
                }
            }
            let least = sums.iter().fold(i16::MAX, |least, &sum| least.min(sum));
            let best = sums.iter().position(|&sum| sum == least).unwrap_or(0);
            add(&mut counts[best], context);
            u8::try_from(best).unwrap_or(0)
        })
        .collect();
    (clusters, counts)
}
