//! An online quantile that comes out right: for a planner's own residuals, such as the peak that came over the peak
//! forecast.

use serde::{Deserialize, Serialize};

use super::ScoreWindow;
use crate::Error;

/// Share of scores above which the tail is taken to be exponential.
const TAIL: f64 = 0.1;

/// Tracks one quantile of a stream of scores. The quantile of the last `capacity` scores is corrected by adaptive conformal
/// inference (Gibbs & Candès, 2021, eq. 2): after each score the level looked up moves by `gain` times the difference of the
/// misses wanted and seen, so over any long stretch the share of scores above [`ResidualQuantile::value`] comes to
/// `1 − level` whatever the stream does. Levels beyond what the window can tell are read off an exponential tail.
///
/// ```
/// use foresail_forecast::intervals::ResidualQuantile;
///
/// let mut ratio = ResidualQuantile::new(0.9, 200).unwrap();
/// for i in 0..1000 {
///     ratio.observe(1.0 + f64::from(i % 10) / 10.0);
/// }
/// assert!((1.7..=1.9).contains(&ratio.value().unwrap()));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResidualQuantile {
    level: f64,
    gain: f64,
    /// What adaptive inference has moved the share of misses by: positive allows more.
    correction: f64,
    window: ScoreWindow,
    count: u64,
    missed: u64,
}

impl ResidualQuantile {
    /// The quantile at `level`, within (0, 1), of a window of `capacity` scores.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if `level` is not within (0, 1) or `capacity` is 0.
    pub fn new(level: f64, capacity: usize) -> Result<Self, Error> {
        if !(level > 0.0 && level < 1.0) {
            return Err(Error::BadParameter { parameter: "level", value: level.to_string(), range: "between 0 and 1" });
        }
        if capacity == 0 {
            return Err(Error::BadParameter { parameter: "capacity", value: "0".into(), range: "at least 1" });
        }
        // One miss moves the level by a tenth of the misses allowed, so a rare quantile is not thrown out by one.
        let gain = 0.1 * level.min(1.0 - level);
        Ok(Self { level, gain, correction: 0.0, window: ScoreWindow::new(capacity), count: 0, missed: 0 })
    }

    /// The level tracked.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// Asks for another level from now on; what was learned of the scores is kept, the correction starts anew.
    ///
    /// # Errors
    /// As [`ResidualQuantile::new`].
    pub fn set_level(&mut self, level: f64) -> Result<(), Error> {
        let fresh = Self::new(level, 1)?;
        if level != self.level {
            (self.level, self.gain, self.correction) = (level, fresh.gain, 0.0);
        }
        Ok(())
    }

    /// Takes in a score; one that is not finite is left out.
    pub fn observe(&mut self, score: f64) {
        self.observe_against(score, self.value());
    }

    /// Takes in a score that was judged by `issued`, the value of some time ago, rather than by the value of now: for
    /// residuals that are only known later.
    pub fn observe_against(&mut self, score: f64, issued: Option<f64>) {
        if !score.is_finite() {
            return;
        }
        if let Some(issued) = issued
            && score != issued
        {
            let missed = score > issued;
            self.count += 1;
            self.missed += u64::from(missed);
            let error = f64::from(u8::from(missed));
            let allowed = 1.0 - self.level;
            // Kept within reach, so that a long stretch of one kind does not leave it blind to the next.
            let moved = self.correction + self.gain * (allowed - error);
            self.correction = moved.clamp(-2.0 * allowed, 0.9 * self.level);
        }
        self.window.push(score);
    }

    /// The quantile to go by now; none before the first score.
    pub fn value(&self) -> Option<f64> {
        if self.window.is_empty() {
            return None;
        }
        let allowed = 1.0 - self.level + self.correction;
        let least = 1.0 / (self.window.len() as f64 + 1.0);
        if self.level < 0.5 || allowed >= least {
            return Some(self.window.quantile(1.0 - allowed.clamp(0.0, 1.0)));
        }
        // Fewer misses are allowed than the window can show: the largest excess is extended at the mean excess a factor e.
        let tail = TAIL.max(least);
        let threshold = self.window.quantile(1.0 - tail);
        let (mean_excess, _) = self.window.excess_over(threshold);
        let beyond = mean_excess * (tail / allowed.max(1e-3 * (1.0 - self.level))).ln();
        Some((threshold + beyond).max(self.window.quantile(1.0)))
    }

    /// Scores held.
    pub fn len(&self) -> usize {
        self.window.len()
    }

    /// Whether no score was seen.
    pub fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// Share of judged scores, since the start, that were above the value issued for them.
    pub fn miss_ratio(&self) -> Option<f64> {
        (self.count > 0).then(|| self.missed as f64 / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foresail_core::SeededRng;

    /// Streams 20,000 scores of `draw` and checks the share of misses.
    fn check(level: f64, capacity: usize, within: f64, mut draw: impl FnMut(usize, &mut SeededRng) -> f64) {
        let mut rng = SeededRng::seed_from_u64(9);
        let mut quantile = ResidualQuantile::new(level, capacity).unwrap();
        for i in 0..20_000 {
            quantile.observe(draw(i, &mut rng));
        }
        let missed = quantile.miss_ratio().unwrap();
        assert!((missed - (1.0 - level)).abs() < within, "{level}: {missed}");
    }

    #[test]
    fn misses_are_as_asked_whatever_comes() {
        check(0.9, 200, 0.005, |_, rng| rng.normal());
        check(0.5, 100, 0.01, |_, rng| rng.normal());
        check(0.05, 100, 0.01, |_, rng| rng.normal());
        check(0.9, 200, 0.01, |i, rng| rng.normal() * if i / 2000 % 2 == 0 { 1.0 } else { 8.0 });
        check(0.9, 200, 0.01, |i, rng| i as f64 * 0.01 + rng.normal());
        check(0.99, 100, 0.002, |_, rng| rng.exponential());
        check(0.999, 256, 0.0008, |_, rng| rng.exponential());
    }

    #[test]
    fn nothing_seen_gives_nothing_and_bad_parameters_are_refused() {
        assert_eq!(ResidualQuantile::new(0.9, 5).unwrap().value(), None);
        let message = ResidualQuantile::new(1.0, 5).err().unwrap().to_string();
        assert_eq!(message, "level is 1, accepted is between 0 and 1");
        assert!(ResidualQuantile::new(0.5, 0).is_err());
    }

    #[test]
    fn a_score_that_is_not_finite_changes_nothing() {
        let mut quantile = ResidualQuantile::new(0.9, 5).unwrap();
        quantile.observe(1.0);
        let before = quantile.clone();
        quantile.observe(f64::NAN);
        quantile.observe(f64::INFINITY);
        assert_eq!(quantile, before);
    }
}
