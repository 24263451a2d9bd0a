//! What a window looks back at, and how many numbers it becomes.

use serde::{Deserialize, Serialize};

/// Numbers that the linear part reads at most.
const WIDEST: usize = 720;
/// Rows that are read one by one if the context is longer than that.
const FINE: usize = 240;
/// Seasons up to this many rows may set the context though a shorter one is there.
const LONGEST: usize = 360;
/// Rows that a context of short seasons is filled up to: two weeks of hours.
const SHORTEST: usize = 336;
/// Rows of context where there is no season.
const PLAIN: usize = 64;
/// Same places of earlier seasons that the trees look at.
pub(super) const SLOTS: usize = 4;

/// Rows a window looks back at and ahead, and how they are summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Layout {
    /// Rows ahead.
    pub(super) horizon: usize,
    /// Rows of the shortest season, 0 for none.
    pub(super) season: usize,
    /// Rows of the longest season that the trees look back by, 0 if there is but one.
    pub(super) long: usize,
    /// Rows that the linear part looks back at.
    pub(super) context: usize,
    /// Of these, the newest are read one by one …
    fine: usize,
    /// … and the older ones as means of so many.
    block: usize,
}

impl Layout {
    /// For series of these lengths with seasons of so many rows, shortest first: two of the longest season that is not too
    /// long, or more if they are short, where that leaves twice as many windows as rows in one; else less.
    pub(super) fn of(seasons: &[usize], horizon: usize, lengths: &[usize]) -> Self {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let horizon = horizon.min(longest / 8).max(1);
        let season = seasons.first().copied().unwrap_or(0);
        let wide = seasons.iter().copied().rfind(|rows| *rows <= LONGEST).unwrap_or(season);
        let long = seasons.last().copied().filter(|rows| *rows > season && *rows <= longest / 3).unwrap_or(0);
        let windows = |context: usize| -> usize { lengths.iter().map(|l| l.saturating_sub(context + horizon)).sum() };
        let filled = SHORTEST.checked_div(season).unwrap_or(0) * season;
        let candidates = [filled.max(2 * wide), 2 * wide, 2 * season, season, PLAIN, 16, 4];
        let fits = |context: &usize| *context > 0 && windows(*context) >= 2 * *context;
        let context = candidates.into_iter().find(fits).unwrap_or(1);
        let fine = if context <= WIDEST { context } else { FINE };
        let block = (context - fine).div_ceil(WIDEST - FINE).max(1);
        Self { horizon, season, long, context, fine, block }
    }

    /// Numbers that the linear part reads of a window.
    pub(super) fn width(&self) -> usize {
        self.fine + (self.context - self.fine) / self.block
    }

    /// Rows that must be kept to predict.
    pub(super) fn kept(&self) -> usize {
        let ahead = self.horizon.div_ceil(self.season.max(1)).max(1);
        let slots = if self.season > 0 { (SLOTS + ahead) * self.season + 2 } else { 0 };
        self.context.max(slots).max(self.long + 2) + 1
    }

    /// Writes `context` rows as the numbers that the linear part reads, oldest first; each is `f` of a value.
    pub(super) fn write(&self, context: &[f64], f: impl Fn(f64) -> f32, into: &mut Vec<f32>) {
        debug_assert_eq!(context.len(), self.context);
        let (old, fine) = context.split_at(self.context - self.fine);
        // The oldest rows that do not fill a block are left out.
        let blocks = old.rchunks_exact(self.block).rev();
        into.extend(blocks.map(|block| f(block.iter().sum::<f64>() / block.len() as f64)));
        into.extend(fine.iter().map(|value| f(*value)));
    }

    /// Whether a restored one can be reckoned with.
    pub(super) fn is_sound(&self) -> bool {
        self.horizon > 0
            && self.block > 0
            && self.context > 0
            && self.fine <= self.context
            && self.context.max(self.horizon).max(self.season).max(self.long) <= 1 << 24
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seasons: &[usize], horizon: usize, lengths: &[usize], context: usize, width: usize) {
        let layout = Layout::of(seasons, horizon, lengths);
        assert_eq!((layout.context, layout.width()), (context, width), "{seasons:?} {lengths:?}");
        let mut numbers = Vec::new();
        layout.write(&vec![1.0; context], |v| v as f32, &mut numbers);
        assert_eq!(numbers, vec![1.0; width]);
        assert!(layout.kept() >= context && layout.is_sound());
    }

    #[test]
    fn the_context_is_two_seasons_where_the_series_are_long_enough() {
        check(&[24, 168], 48, &[700; 400], 336, 336);
        check(&[24], 48, &[10_000], 336, 336);
        check(&[288, 2016], 48, &[30_000], 576, 576);
        check(&[1440, 10_080], 60, &[100_000], 2880, 680);
        check(&[24, 168], 48, &[300], 48, 48);
        check(&[], 60, &[500], 64, 64);
        check(&[], 60, &[40], 4, 4);
        check(&[], 60, &[3], 1, 1);
    }
}
