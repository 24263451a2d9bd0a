//! How much of the present deviation from the usual is still there some steps ahead.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::profile::Joined;

/// Leads for which the persistence is learned; between them it is interpolated, beyond the last it is held.
const LEADS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/// Half-life of the present deviation, and periods of the persistence's memory.
const RECENT: Duration = Duration::from_secs(3 * 60);
const MEMORY_PERIODS: f64 = 3.0;
/// Rows' worth of trust that a deviation persists in full.
const TRUST: f64 = 20.0;
/// Deviations are cut here, in multiples of what was expected (or of the magnitude, where they are added).
const CUT: f64 = 10.0;

/// For each lead, the ridge regression (one regressor, no intercept) of the deviation on the one so many rows before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Persistence {
    keep_recent: f64,
    keep: f64,
    /// Decaying sums over the last rows.
    seen: f64,
    expected: f64,
    weight: f64,
    /// Smoothed deviations of the last rows, newest first; `None` before anything is known.
    past: VecDeque<Option<f64>>,
    /// Decaying sums, one a lead, of deviation × earlier deviation and of its square, weighted by what was expected.
    cross: Vec<f64>,
    square: Vec<f64>,
    /// Decaying sum of those weights.
    mass: f64,
}

impl Persistence {
    pub(super) fn new(step: Duration, period_rows: usize) -> Self {
        Self {
            keep_recent: 0.5_f64.powf(step.as_secs_f64() / RECENT.as_secs_f64()),
            keep: 0.5_f64.powf(1.0 / (MEMORY_PERIODS * period_rows as f64)),
            seen: 0.0,
            expected: 0.0,
            weight: 0.0,
            past: VecDeque::new(),
            cross: vec![0.0; LEADS.len()],
            square: vec![0.0; LEADS.len()],
            mass: 0.0,
        }
    }

    /// A row without a value: the smoothed deviation stays as it was.
    pub(super) fn skip(&mut self) {
        let before = self.past.front().copied().flatten();
        self.remember(before);
    }

    /// A row of which `expected` was expected; `learn` once that expectation stands on a closed period.
    pub(super) fn push(&mut self, joined: Joined, expected: f64, value: f64, learn: bool) {
        let (deviation, weight) = match joined {
            Joined::Added => (value - expected, 1.0),
            Joined::Multiplied => (if expected > 1e-9 { value / expected - 1.0 } else { 0.0 }, expected.max(0.0)),
        };
        let deviation = deviation.clamp(-CUT, CUT);
        if learn {
            for (i, lead) in LEADS.iter().enumerate() {
                if let Some(Some(earlier)) = self.past.get(lead - 1) {
                    self.cross[i] = self.cross[i] * self.keep + weight * deviation * earlier;
                    self.square[i] = self.square[i] * self.keep + weight * earlier * earlier;
                }
            }
            self.mass = self.mass * self.keep + weight;
        }
        self.seen = self.seen * self.keep_recent + value.min(1e15);
        self.expected = self.expected * self.keep_recent + expected;
        self.weight = self.weight * self.keep_recent + 1.0;
        let now = self.deviation_of(joined);
        self.remember(now.filter(|_| learn));
    }

    fn remember(&mut self, deviation: Option<f64>) {
        self.past.push_front(deviation);
        self.past.truncate(LEADS[LEADS.len() - 1]);
    }

    /// The smoothed deviation of the last rows.
    fn deviation_of(&self, joined: Joined) -> Option<f64> {
        let deviation = match joined {
            Joined::Added => (self.weight > 0.0).then(|| (self.seen - self.expected) / self.weight),
            Joined::Multiplied => (self.expected > 1e-9 * self.weight).then(|| self.seen / self.expected - 1.0),
        };
        deviation.map(|d| d.clamp(-CUT, CUT))
    }

    /// What is left of a deviation after `ahead` rows (at least 1), within [0, 1].
    fn left(&self, ahead: usize) -> f64 {
        let above = LEADS.partition_point(|lead| *lead < ahead);
        if above == LEADS.len() {
            return self.left_at(above - 1);
        }
        if LEADS[above] == ahead {
            return self.left_at(above);
        }
        let (low, high) = (LEADS[above - 1], LEADS[above]);
        let share = (ahead - low) as f64 / (high - low) as f64;
        self.left_at(above - 1) * (1.0 - share) + self.left_at(above) * share
    }

    fn left_at(&self, lead: usize) -> f64 {
        // The mean square of a row, so that the trust is worth so many rows; 1 where nothing is known.
        let rows = 1.0 / (1.0 - self.keep);
        let trust = TRUST * if self.mass > 0.0 { (self.square[lead] / rows).max(1e-12) } else { 1.0 };
        ((self.cross[lead] + trust) / (self.square[lead] + trust)).clamp(0.0, 1.0)
    }

    /// `usual`, `ahead` rows from now, with what is left of the present deviation.
    pub(super) fn apply(&self, joined: Joined, usual: f64, ahead: usize) -> f64 {
        let now = self.deviation_of(joined);
        match (joined, now) {
            (Joined::Added, now) => usual + now.unwrap_or(0.0) * self.left(ahead),
            (Joined::Multiplied, Some(now)) => usual * (1.0 + now * self.left(ahead)),
            // Nothing was expected of the last rows, so there is no ratio to go on.
            (Joined::Multiplied, None) => {
                let recent = if self.weight > 0.0 { self.seen / self.weight } else { usual };
                usual + (recent - usual) * self.left(ahead)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    fn learned(law: impl Fn(f64, f64) -> f64) -> Persistence {
        let mut rng = SeededRng::seed_from_u64(2);
        let mut persistence = Persistence::new(Duration::from_secs(3600), 24);
        let mut deviation = 0.0;
        for _ in 0..2000 {
            deviation = law(deviation, 0.1 * rng.normal());
            persistence.push(Joined::Multiplied, 10.0, 10.0 * (1.0 + deviation), true);
        }
        persistence
    }

    #[test]
    fn noise_does_not_persist_and_a_walk_does() {
        let noise = learned(|_, shock| shock);
        assert!(noise.left(1) < 0.45 && noise.left(30) < 0.35, "{} {}", noise.left(1), noise.left(30));
        let autoregression = learned(|before, shock| 0.9 * before + shock);
        let (near, far) = (autoregression.left(1), autoregression.left(8));
        assert!(near > 0.75 && far < near && (far - 0.9_f64.powi(8)).abs() < 0.25, "{near} {far}");
    }

    #[test]
    fn at_first_a_deviation_is_trusted_to_persist() {
        let mut persistence = Persistence::new(Duration::from_secs(60), 1440);
        persistence.push(Joined::Multiplied, 1.0, 3.0, false);
        assert!((persistence.apply(Joined::Multiplied, 2.0, 5) - 6.0).abs() < 1e-9);
        assert!((persistence.apply(Joined::Added, 2.0, 5) - 4.0).abs() < 1e-9);
    }
}
