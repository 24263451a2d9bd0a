//! The best split of a node.

use super::binner::{BLOCK, Binned, MISSING};
use super::histogram::Histogram;
use super::signal::{Mass, Reader};

/// A question to be asked of a node's rows, and what it gains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Split {
    /// How much the squared error falls, in squared units of the signal.
    pub(super) gain: f64,
    pub(super) feature: usize,
    /// Bins up to here go left.
    pub(super) bin: u8,
    pub(super) missing_left: bool,
    /// Packed sum of the rows that go left.
    pub(super) left: i64,
}

impl Split {
    /// Whether a row with this bin goes left.
    pub(super) fn goes_left(&self, bin: u8) -> bool {
        if bin == MISSING { self.missing_left } else { bin <= self.bin }
    }
}

/// The better of two; of equals, the first.
pub(super) fn better(first: Option<Split>, second: Option<Split>) -> Option<Split> {
    match (first, second) {
        (Some(a), Some(b)) => Some(if b.gain > a.gain { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// What a split must keep to, and what it splits.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) reader: Reader,
    /// Weight that each side has at least.
    pub(super) min_leaf: f64,
    /// Weight's worth of rows with no gradient that each side is thought to hold besides (the L2 penalty on leaves).
    pub(super) l2: f64,
    /// Packed sum of the node.
    pub(super) total: i64,
}

/// Walks over the bins of one feature.
struct Walk<'a> {
    terms: &'a Terms,
    total: Mass,
    parent: f64,
    feature: usize,
    best: Option<Split>,
}

impl Walk<'_> {
    fn consider(&mut self, left: i64, bin: u8, missing_left: Option<bool>) {
        let side = self.terms.reader.mass(left);
        let other = Mass { sum: self.total.sum - side.sum, weight: self.total.weight - side.weight };
        if side.weight < self.terms.min_leaf || other.weight < self.terms.min_leaf {
            return;
        }
        let (a, b) = (side.weight + self.terms.l2, other.weight + self.terms.l2);
        // Both sides' scores over one denominator: a division less in the innermost loop.
        let gain = (side.sum * side.sum * b + other.sum * other.sum * a) / (a * b) - self.parent;
        if self.best.is_none_or(|best| gain > best.gain) {
            // Nothing missing here: should something be missing later, it goes with the many.
            let missing_left = missing_left.unwrap_or(side.weight * 2.0 > self.total.weight);
            self.best = Some(Split { gain, feature: self.feature, bin, missing_left, left });
        }
    }

    /// Offers a split after each of `bins` (number and packed sum, ascending, without [`MISSING`]; empty ones may be left
    /// out), and one that parts missing values from all others.
    fn over(mut self, bins: impl Iterator<Item = (u8, i64)> + Clone, missing: i64, last_bin: u8) -> Option<Split> {
        let mut left = 0;
        if missing == 0 {
            for (bin, sum) in bins {
                left += sum;
                self.consider(left, bin, None);
            }
        } else {
            for (bin, sum) in bins {
                left += sum;
                self.consider(left, bin, Some(false));
                self.consider(left + missing, bin, Some(true));
            }
            self.consider(self.terms.total - missing, last_bin, Some(false));
        }
        self.best
    }
}

/// The best split of one feature from its histogram.
pub(super) fn from_histogram(binned: &Binned, feature: usize, histogram: &Histogram, terms: &Terms) -> Option<Split> {
    let last = binned.count(feature) as u8;
    let bins = (1..last).map(|bin| (bin, histogram[usize::from(bin)])).filter(|(_, sum)| *sum != 0);
    walk(feature, terms).over(bins, histogram[usize::from(MISSING)], last)
}

/// Workspace of [`from_rows`]; all zero between calls.
pub(super) struct Scratch {
    histogram: Box<Histogram>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { histogram: Box::new([0; 256]) }
    }
}

/// The best split of one feature from the rows themselves and their packed numbers, in time that does not depend on how
/// many bins there are: only those touched are looked at.
pub(super) fn from_rows(
    binned: &Binned,
    feature: usize,
    rows: &[u32],
    packed: &[i64],
    terms: &Terms,
    scratch: &mut Scratch,
) -> Option<Split> {
    let (block, lane) = (binned.block(feature / BLOCK), feature % BLOCK);
    let histogram = &mut *scratch.histogram;
    let mut touched = [0_u64; 4];
    for (row, packed) in rows.iter().zip(packed) {
        let bin = block[*row as usize][lane];
        histogram[usize::from(bin)] += packed;
        touched[usize::from(bin / 64)] |= 1 << (bin % 64);
    }
    let last = binned.count(feature) as u8;
    let missing = histogram[usize::from(MISSING)];
    let best = {
        let histogram = &*histogram;
        let bins = bits(touched).filter(|bin| *bin != MISSING && *bin < last);
        walk(feature, terms).over(bins.map(|bin| (bin, histogram[usize::from(bin)])), missing, last)
    };
    bits(touched).for_each(|bin| histogram[usize::from(bin)] = 0);
    best
}

fn walk<'a>(feature: usize, terms: &'a Terms) -> Walk<'a> {
    let total = terms.reader.mass(terms.total);
    let parent = total.sum * total.sum / (total.weight + terms.l2);
    Walk { terms, total, parent, feature, best: None }
}

/// The numbers of the bits that are set, ascending.
fn bits(words: [u64; 4]) -> impl Iterator<Item = u8> + Clone {
    (0..4_u8).zip(words).flat_map(|(word, mut bits)| {
        std::iter::from_fn(move || {
            let at = bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
            (at < 64).then(|| word * 64 + at as u8)
        })
    })
}
