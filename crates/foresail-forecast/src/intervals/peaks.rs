//! How far the greatest value of the next steps lies from what paths say of it.
//!
//! Paths give the greatest value a middle and a spread; the spread is as good as 128 overlapping trajectories can make it.
//! What came, less that middle and over that spread, is a score like any other, and its quantiles, beyond what a window
//! shows along an exponential tail, are those of the greatest value: conformal prediction for the maximum itself. What the
//! window gets wrong an integrator of misses takes up (Gibbs & Candès, 2021), which eases or tightens every level alike.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Knots, ScoreWindow};

/// Scores a window holds, and fewer than which tell nothing.
const CAPACITY: usize = 512;
const LEAST: usize = 48;
/// Share of scores above which the tail is taken to be exponential.
const TAIL: f64 = 0.05;
/// How many forecasts to a horizon are judged.
const TO_A_HORIZON: usize = 4;
const CLIP: f64 = 50.0;
/// The level at which misses are counted; by how much one round moves the logarithm of the misses allowed, against the
/// share of misses less those wanted; and how far at most.
const LEVEL: f64 = 0.9;
const GAIN: f64 = 0.1;
const REACH: f64 = 1.5;

/// Middle and spread of the greatest value, on the bent scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Peak {
    pub(super) middle: f64,
    pub(super) spread: f64,
}

/// A forecast on its way to being judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Issued {
    /// Of each length, with its score at [`LEVEL`] as issued.
    peaks: Vec<(Peak, Option<f64>)>,
    /// Rows seen since, and the greatest value of them.
    rows: usize,
    greatest: f64,
}

/// Scores of the greatest value, by length of the window it is taken over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Peaks {
    lengths: Knots,
    pending: VecDeque<Issued>,
    windows: Vec<ScoreWindow>,
    /// Logarithms of how many times the misses asked for are allowed.
    eased: Vec<f64>,
}

impl Peaks {
    pub(super) fn new(horizon: usize) -> Self {
        let lengths = Knots::new(horizon, 1, 2.0);
        let windows: Vec<ScoreWindow> = lengths.steps().iter().map(|_| ScoreWindow::new(CAPACITY)).collect();
        Self { lengths, pending: VecDeque::new(), eased: vec![0.0; windows.len()], windows }
    }

    pub(super) fn is_sound(&self, horizon: usize) -> bool {
        let count = self.lengths.steps().len();
        self.lengths.is_sound()
            && self.lengths.longest() == horizon
            && self.windows.len() == count
            && self.eased.len() == count
            && self.pending.iter().all(|issued| issued.peaks.len() == count && issued.rows < horizon)
    }

    /// Lengths at which the greatest value is to be told, ascending.
    pub(super) fn lengths(&self) -> &[usize] {
        self.lengths.steps()
    }

    /// Rows between forecasts that are judged.
    pub(super) fn every(&self) -> usize {
        (self.lengths.longest() / TO_A_HORIZON).max(1)
    }

    /// Takes in what is forecast from here, for each of [`Peaks::lengths`].
    pub(super) fn issue(&mut self, peaks: Vec<Peak>) {
        let scored = |(length, peak)| (peak, self.of_length(length, LEVEL));
        let peaks = peaks.into_iter().enumerate().map(scored).collect();
        self.pending.push_back(Issued { peaks, rows: 0, greatest: f64::MIN });
    }

    /// The next row has come; forecasts over one that was not observed are not judged.
    pub(super) fn judge(&mut self, actual: Option<f64>) {
        let Some(actual) = actual else { return self.skip() };
        for issued in &mut self.pending {
            issued.rows += 1;
            issued.greatest = issued.greatest.max(actual);
            let Some(length) = self.lengths.steps().iter().position(|length| *length == issued.rows) else { continue };
            let (Peak { middle, spread }, bound) = issued.peaks[length];
            if spread > 0.0 {
                let score = (issued.greatest - middle) / spread;
                self.windows[length].push(score.clamp(-CLIP, CLIP));
                if let Some(bound) = bound {
                    let missed = f64::from(u8::from(score > bound));
                    let eased = self.eased[length] + GAIN * (1.0 - LEVEL - missed);
                    self.eased[length] = eased.clamp(-REACH, REACH);
                }
            }
        }
        let longest = self.lengths.longest();
        self.pending.retain(|issued| issued.rows < longest);
    }

    /// Rows that never came.
    pub(super) fn skip(&mut self) {
        self.pending.clear();
    }

    /// The `level` quantile of the score of the greatest of `length` values; none while too few are known.
    pub(super) fn score(&self, length: usize, level: f64) -> Option<f64> {
        let (below, above, weight) = self.lengths.around(length);
        let low = self.of_length(below, level)?;
        let high = if weight > 0.0 { self.of_length(above, level)? } else { low };
        Some(low + (high - low) * weight)
    }

    fn of_length(&self, length: usize, level: f64) -> Option<f64> {
        // Of the upper half alone: what is allowed to lie above must not reach the middle.
        let allowed = if level > 0.5 { ((1.0 - level) * self.eased[length].exp()).min(0.5) } else { 1.0 - level };
        extended(&self.windows[length], 1.0 - allowed)
    }
}

/// A quantile of a window, along an exponential tail above what it can tell.
fn extended(window: &ScoreWindow, level: f64) -> Option<f64> {
    let count = window.len() as f64;
    if window.len() < LEAST {
        return None;
    }
    if 1.0 - level >= 1.0 / (count + 1.0) {
        return Some(window.quantile(level));
    }
    let tail = TAIL.max(4.0 / count);
    let threshold = window.quantile(1.0 - tail);
    let (mean_excess, _) = window.excess_over(threshold);
    let beyond = mean_excess * (tail / (1.0 - level).max(1e-6)).ln();
    Some((threshold + beyond).max(window.quantile(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use foresail_core::SeededRng;

    /// Whatever the middle and spread claimed, nine in ten of what comes lie below the 0.9 quantile.
    #[test]
    fn quantiles_of_the_greatest_come_out_right() {
        let mut rng = SeededRng::seed_from_u64(3);
        let mut peaks = Peaks::new(8);
        let claimed = Peak { middle: 0.0, spread: 1.0 };
        let (mut covered, mut judged) = (0, 0);
        let mut values: Vec<f64> = Vec::new();
        for row in 0..6000_usize {
            values.push(rng.normal());
            peaks.judge(values.last().copied());
            if row >= 2008 && row % 8 == 0 {
                let issued = peaks.score(8, 0.9).expect("enough is known");
                let coming: Vec<f64> = (0..8).map(|_| rng.normal()).collect();
                covered += i32::from(coming.iter().all(|value| *value <= issued));
                judged += 1;
            }
            if row.is_multiple_of(peaks.every()) {
                peaks.issue(vec![claimed; peaks.lengths().len()]);
            }
        }
        let share = f64::from(covered) / f64::from(judged);
        assert!((0.86..0.94).contains(&share), "{share}");
        assert!(peaks.score(8, 0.9999) > peaks.score(8, 0.99) && peaks.score(8, 0.9) > peaks.score(2, 0.9));
    }

    #[test]
    fn a_gap_voids_what_it_lies_in() {
        let mut peaks = Peaks::new(4);
        peaks.issue(vec![Peak { middle: 0.0, spread: 1.0 }; peaks.lengths().len()]);
        peaks.judge(Some(1.0));
        peaks.judge(None);
        assert!(peaks.pending.is_empty());
        assert_eq!(peaks.windows.iter().map(ScoreWindow::len).collect::<Vec<usize>>(), [1, 0, 0]);
        assert_eq!(peaks.score(1, 0.9), None);
    }
}
