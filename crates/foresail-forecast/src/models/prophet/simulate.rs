//! Futures of the series: as many changes of the trend as there were, as large as they were, and noise.

use foresail_core::SeededRng;

use super::shape::{Parts, Shape};
use crate::intervals::LEVELS;
use crate::metrics::percentile_of_sorted;

/// Added to the mean size of the changes, as Prophet does.
const LEAST_CHANGE: f64 = 1e-8;

/// One simulated future of the trend's line: what it has changed by so far.
struct Path {
    /// Its own stream, once it has changed: most short futures never do.
    rng: Option<SeededRng>,
    /// When the next change comes, in units of time.
    next: f64,
    slope: f64,
    offset: f64,
}

/// What the futures are made of.
pub(super) struct Futures<'a> {
    pub(super) shape: &'a Shape,
    /// The trend's changes in the history, zero where there was none.
    pub(super) changes: &'a [f64],
    /// The last row known, in units of time.
    pub(super) now: f64,
    pub(super) sigma: f64,
    pub(super) samples: usize,
    pub(super) rng: SeededRng,
}

impl Futures<'_> {
    /// Quantiles of the values at [`LEVELS`], for each of `ahead`: its time, ascending, and its expected value in parts. Changes come as often as changepoints were laid in the history, and are Laplace
    /// distributed with the mean size of those found. The first steps of a longer forecast are those of a shorter one.
    ///
    /// O(steps × samples × log samples).
    pub(super) fn quantiles(&self, ahead: impl Iterator<Item = (f64, Parts)>) -> Vec<Vec<f64>> {
        let rate = self.changes.len() as f64;
        let size = self.changes.iter().map(|v| v.abs()).sum::<f64>() / rate.max(1.0) + LEAST_CHANGE;
        let mut first = self.rng.fork(0);
        let mut start = |_| Path { rng: None, next: self.now + first.exponential() / rate, slope: 0.0, offset: 0.0 };
        let mut paths: Vec<Path> = (0..self.samples).map(&mut start).collect();
        let mut noise = self.rng.clone();
        let mut values = vec![0.0; self.samples];
        ahead
            .map(|(t, parts)| {
                for (i, (path, value)) in paths.iter_mut().zip(&mut values).enumerate() {
                    // A change a step is more than a trend is made of; the bound keeps absurd steps finite in time.
                    for _ in 0..1000 {
                        if path.next.is_nan() || path.next > t {
                            break;
                        }
                        let rng = path.rng.get_or_insert_with(|| self.rng.fork(i as u64 + 1));
                        let sign = if rng.uniform() < 0.5 { -1.0 } else { 1.0 };
                        let change = sign * size * rng.exponential();
                        path.slope += change;
                        path.offset -= change * path.next;
                        path.next += rng.exponential() / rate;
                    }
                    let trend = self.shape.curve(parts.line + path.slope * t + path.offset);
                    *value = Parts { trend, ..parts }.value() + self.sigma * noise.normal();
                }
                values.sort_unstable_by(f64::total_cmp);
                LEVELS.iter().map(|level| percentile_of_sorted(&values, *level).expect("there are samples")).collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::Trend;
    use super::*;

    fn futures(changes: &[f64], sigma: f64, steps: usize) -> Vec<Vec<f64>> {
        let shape = Shape { trend: Trend::Linear, changes: 2..2 + changes.len(), multiplicative: Vec::new() };
        let rng = SeededRng::seed_from_u64(4);
        let futures = Futures { shape: &shape, changes, now: 1.0, sigma, samples: 4000, rng };
        futures.quantiles((1..=steps).map(|i| {
            let line = 2.0;
            (1.0 + i as f64 / 100.0, Parts { trend: line, line, factor: 1.0, added: 0.0 })
        }))
    }

    #[test]
    fn without_changes_there_is_noise_alone() {
        let rows = futures(&[], 0.5, 3);
        for row in rows {
            for (level, expected) in [(0, -1.645), (9, 0.0), (17, 1.282), (18, 1.645)] {
                assert!((row[level] - (2.0 + 0.5 * expected)).abs() < 0.05, "{row:?}");
            }
        }
    }

    /// The sum of what Laplace changes at Poisson times make of the line by t is of variance rate × 2 size² × t³ / 3.
    #[test]
    fn uncertainty_of_the_trend_grows_as_the_theory_says() {
        let rows = futures(&[0.1; 25], 0.0, 100);
        let width = (rows[99][17] - rows[99][1]) / (2.0 * 1.2816);
        let expected = (25.0 * 2.0 * 0.01 / 3.0_f64).sqrt();
        assert!((width / expected - 1.0).abs() < 0.1, "{width} for {expected}");
        assert!(rows[9][18] - rows[9][0] < 0.1 * (rows[99][18] - rows[99][0]));
        assert_eq!(futures(&[0.1; 25], 0.3, 10), futures(&[0.1; 25], 0.3, 40)[..10]);
    }

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        assert_eq!(percentile_of_sorted(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
        assert_eq!(percentile_of_sorted(&[7.0], 0.9), Some(7.0));
    }
}
