//! The end of a history, ready to be smoothed.

use foresail_core::Frame;

use super::super::clock::Clock;
use super::super::gaps::fill;
use super::super::live::magnitude;
use super::pass::Rows;

/// Rows a fit looks back at most, or three seasons if that is more.
const MAX_ROWS: usize = 20_000;
/// A value has to be above this share of the mean magnitude for ratios to stay sane.
const LEAST: f64 = 1e-6;

/// From an observed row to the end of a history, trailing gaps included.
pub(in super::super) struct Window {
    /// Values over `scale`; straight lines lie over the gaps.
    pub(super) values: Vec<f64>,
    /// 1 where observed, else 0.
    pub(super) seen: Vec<f64>,
    pub(super) scale: f64,
    /// Rows of the season, 0 for none.
    pub(super) season_rows: usize,
    /// Place of the first row in the season, as [`Clock::slot`] counts.
    pub(super) slot: usize,
    /// Observed rows.
    pub(super) count: usize,
    /// Every observed value is above zero, by a margin.
    is_positive: bool,
}

impl Window {
    /// The last rows of `history` with a season of `season_rows` (0 for none).
    pub(in super::super) fn of(history: &Frame, season_rows: usize) -> Self {
        let clock = Clock::at_end(history);
        let values = history.target().to_vec();
        Self::over(values, history.target_mask(), magnitude(history), season_rows, clock.slot(season_rows.max(1)))
    }

    /// The last of `values`, of which `mask` tells those observed; `end_slot` is the place after the last of them.
    pub(in super::super) fn over(
        mut values: Vec<f64>,
        mask: &[bool],
        scale: f64,
        season_rows: usize,
        end_slot: usize,
    ) -> Self {
        let earliest = values.len().saturating_sub(MAX_ROWS.max(3 * season_rows));
        let start = earliest + mask[earliest..].iter().position(|seen| *seen).unwrap_or(0);
        values.drain(..start);
        let mask = &mask[start..];
        values.iter_mut().for_each(|value| *value /= scale);
        let end = mask.iter().rposition(|seen| *seen).map_or(0, |last| last + 1);
        fill(&mut values[..end], &mask[..end]);
        let last = if end > 0 { values[end - 1] } else { 0.0 };
        values[end..].fill(last);
        let observed = || values.iter().zip(mask).filter(|(_, seen)| **seen).map(|(value, _)| *value);
        let (count, is_positive) = (observed().count(), observed().all(|value| value > LEAST));
        let rows = season_rows.max(1);
        let slot = (end_slot + rows - values.len() % rows) % rows;
        let seen = mask.iter().map(|seen| f64::from(u8::from(*seen))).collect();
        Self { values, seen, scale, season_rows, slot, count, is_positive }
    }

    /// There is a season.
    pub(in super::super) fn has_season(&self) -> bool {
        self.season_rows > 0
    }

    /// Rows of the window.
    pub(in super::super) fn rows_count(&self) -> usize {
        self.values.len()
    }

    /// Rows of the season, 0 for none.
    pub(in super::super) fn season_rows(&self) -> usize {
        self.season_rows
    }

    /// Every observed value is above zero, by a margin that keeps ratios sane.
    pub(in super::super) fn is_positive(&self) -> bool {
        self.is_positive
    }

    /// The unit of a state fitted here.
    pub(in super::super) fn scale(&self) -> f64 {
        self.scale
    }

    /// The mean magnitude of what was observed, 1 if that is zero.
    pub(super) fn typical(&self) -> f64 {
        let sum: f64 = self.values.iter().zip(&self.seen).map(|(value, seen)| seen * value.abs()).sum();
        if sum > 0.0 { sum / self.count.max(1) as f64 } else { 1.0 }
    }

    pub(super) fn rows(&self) -> Rows<'_> {
        Rows { values: &self.values, seen: &self.seen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_with_an_observed_row_and_knows_its_place() {
        let mask = [false, true, false, true, true, false];
        let window = Window::over(vec![9.0, 2.0, 9.0, 6.0, 8.0, 9.0], &mask, 2.0, 4, 1);
        assert_eq!(window.values, [1.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(window.seen, [1.0, 0.0, 1.0, 1.0, 0.0]);
        // The sixth row of the history is at place 0, so its second is at place 0 as well.
        assert_eq!((window.slot, window.count, window.is_positive), (0, 3, true));
        assert!(!Window::over(vec![1.0, 0.0], &[true, true], 1.0, 0, 0).is_positive);
    }

    #[test]
    fn nothing_observed_is_an_empty_count() {
        assert_eq!(Window::over(vec![], &[], 1.0, 0, 0).count, 0);
        assert_eq!(Window::over(vec![1.0, 2.0], &[false, false], 1.0, 2, 0).count, 0);
    }
}
