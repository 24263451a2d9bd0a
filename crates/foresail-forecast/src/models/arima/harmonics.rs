//! Seasons as sums of a few waves, for those too long to be part of the model itself.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::super::cholesky::Cholesky;
use super::super::clock::Clock;
use super::super::season::Season;

/// Waves of the shortest season, and of each longer one, at most.
const WAVES: (usize, usize) = (10, 6);
/// Share of the mean square that a wave's penalty is: what a short history does not tell apart stays small.
const PENALTY: f64 = 1e-6;

/// Waves of several seasons and their heights (dynamic harmonic regression: Young, Pedregal & Tych 1999; FPP3, §10.5). Time
/// is local, so a day keeps its shape when clocks change. A row costs O(waves).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Harmonics {
    cycles: Vec<Cycle>,
    /// For each wave of each cycle, its cosine's and its sine's height.
    heights: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cycle {
    period_us: i64,
    waves: usize,
}

impl Harmonics {
    /// The waves of `seasons` (shortest first) in `values`, the first of which stands at `clock`; gaps weigh nothing.
    /// `None` without a season, or if numbers fail.
    pub(super) fn fit(seasons: &[Season], clock: &Clock, values: &[f64], seen: &[bool]) -> Option<Self> {
        let mut below = 1;
        let mut cycles = Vec::new();
        for season in seasons {
            // A wave that a shorter season has already, or that has fewer than two rows, is none of this one's.
            let own = if below > 1 { season.rows.div_ceil(below) - 1 } else { (season.rows - 1) / 2 };
            let most = if cycles.is_empty() { WAVES.0 } else { WAVES.1 };
            let waves = own.min(most);
            if waves > 0 {
                cycles.push(Cycle { period_us: (season.period.as_micros() as i64).max(1), waves });
            }
            below = season.rows;
        }
        let mut fitted = Self { heights: Vec::new(), cycles };
        let size = 1 + 2 * fitted.cycles.iter().map(|cycle| cycle.waves).sum::<usize>();
        if size == 1 {
            return None;
        }
        let (mut normal, mut side) = (vec![0.0; size * size], vec![0.0; size]);
        let mut row = vec![1.0];
        for ((local, value), _) in clock.local_ahead(values.len()).zip(values).zip(seen).filter(|(_, seen)| **seen) {
            row.truncate(1);
            fitted.waves(local, |cosine, sine| row.extend([cosine, sine]));
            for (i, a) in row.iter().enumerate() {
                side[i] += a * value;
                normal[i * size..=i * size + i].iter_mut().zip(&row).for_each(|(sum, b)| *sum += a * b);
            }
        }
        (1..size).for_each(|i| normal[i * size + i] += PENALTY * normal[0]);
        Cholesky::new(normal, size)?.solve(&mut side);
        fitted.heights = side.split_off(1);
        fitted.is_sound().then_some(fitted)
    }

    /// Their sum at a local time.
    pub(super) fn at(&self, local_us: i64) -> f64 {
        let (mut sum, mut heights) = (0.0, self.heights.chunks_exact(2));
        self.waves(local_us, |cosine, sine| {
            if let Some(height) = heights.next() {
                sum += height[0] * cosine + height[1] * sine;
            }
        });
        sum
    }

    /// Each wave's cosine and sine at a local time, cycle by cycle, the longest wave of each first.
    fn waves(&self, local_us: i64, mut each: impl FnMut(f64, f64)) {
        for cycle in &self.cycles {
            let share = local_us.rem_euclid(cycle.period_us) as f64 / cycle.period_us as f64;
            let (sine, cosine) = (TAU * share).sin_cos();
            let (mut c, mut s) = (1.0, 0.0);
            for _ in 0..cycle.waves {
                (c, s) = (c * cosine - s * sine, s * cosine + c * sine);
                each(c, s);
            }
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        let waves: usize = self.cycles.iter().map(|cycle| cycle.waves.min(1 << 20)).sum();
        self.cycles.iter().all(|cycle| cycle.period_us > 0)
            && self.heights.len() == 2 * waves
            && self.heights.iter().all(|height| height.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use foresail_core::Frame;

    use super::*;

    #[test]
    fn waves_of_two_seasons_are_told_apart() {
        let law = |t: usize| {
            let angle = |rows: f64| TAU * t as f64 / rows;
            5.0 + 3.0 * angle(40.0).cos() - 2.0 * angle(20.0).sin() + angle(200.0).sin()
        };
        let season = |rows: usize| Season { period: Duration::from_secs(60 * rows as u64), rows };
        let values: Vec<f64> = (0..1200).map(law).collect();
        let history = Frame::from_values(values.iter().copied());
        let clock = Clock::at_start(&history);
        let mut seen = vec![true; 1200];
        (300..340).for_each(|t| seen[t] = false);
        let fitted = Harmonics::fit(&[season(40), season(200)], &clock, &values, &seen).unwrap();
        for (ahead, local) in clock.local_ahead(1500).enumerate() {
            assert!((fitted.at(local) + 5.0 - law(ahead)).abs() < 1e-3, "{ahead}");
        }
        assert!(Harmonics::fit(&[], &clock, &values, &seen).is_none());
    }
}
