//! How high the load may go until an order can take effect.
//!
//! For a lead of `h` steps the quantity is `Y = max(load of the next h steps)`, as a ratio to the present level. Its
//! location is a recursive ridge regression on the last loads, levels, seasonal ratios and recent peaks. Its spread is a
//! log-linear model of the error's second moment (an exponential GARCH with exogenous terms; Nelson 1991), so that
//! a margin is counted in spreads: wide where this series has been surprising at such times, narrow where it has not.

use std::collections::VecDeque;

use foresail_learn::linear::RecursiveLeastSquares;

use super::demand::Demand;

const FEATURES: usize = 14;
const SPREAD_FEATURES: usize = 9;
/// Parts of a day with a memory of their own for the size of errors.
const PARTS: usize = 288;

/// A location and a spread, in the unit of the load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Peak {
    pub(super) location: f64,
    pub(super) spread: f64,
}

impl Peak {
    /// The location and `margin` spreads above it. More margin is given when the load is calm, less when it is not: the
    /// chance of being late is spent where buying it off would cost the most (with an exponential tail the optimal chance
    /// is proportional to the relative spread).
    pub(super) fn with_margin(&self, margin: f64) -> f64 {
        if self.spread <= 0.0 {
            return self.location;
        }
        let calm = -(self.spread / (self.location + 1.0) / 0.05).ln();
        self.location + (margin + calm).max(0.0) * self.spread
    }
}

/// A forecast that waits for its outcome.
#[derive(Clone, Debug)]
struct Pending {
    features: [f64; FEATURES],
    spread_features: [f64; SPREAD_FEATURES],
    base: f64,
    /// What was added to every load before it was put over the base.
    offset: f64,
    ratio: f64,
}

/// Learns and predicts the peak of one lead.
#[derive(Clone, Debug)]
pub(super) struct PeakModel {
    lead: usize,
    location: RecursiveLeastSquares,
    spread: RecursiveLeastSquares,
    pending: VecDeque<Pending>,
    /// Error sizes: of the last quarter of an hour or so, of the last hours, and by part of the day.
    fast: f64,
    slow: f64,
    by_part: Vec<f32>,
}

impl PeakModel {
    /// For a peak over the next `lead` steps; a lead of 0 is the present load, which is known.
    pub(super) fn new(lead: usize) -> Self {
        let mut location = vec![0.0; FEATURES];
        (location[0], location[1], location[2]) = (0.2, 0.5, 0.3);
        let mut spread = vec![0.0; SPREAD_FEATURES];
        (spread[1], spread[2]) = (0.5, 0.4);
        Self {
            lead,
            location: RecursiveLeastSquares::new(location, 0.05, 0.9999),
            spread: RecursiveLeastSquares::new(spread, 1.0, 0.9998),
            pending: VecDeque::new(),
            fast: 0.05,
            slow: 0.05,
            by_part: vec![0.05; PARTS],
        }
    }

    pub(super) fn lead(&self) -> usize {
        self.lead
    }

    /// Learns from the outcome that the newest step of `demand` completes (unless it is not to be `trusted`), and predicts
    /// from it.
    pub(super) fn step(&mut self, demand: &Demand, trusted: bool) -> Peak {
        let newest = demand.len() - 1;
        if self.lead == 0 {
            return Peak { location: demand.lag(0), spread: 0.0 };
        }
        if self.pending.len() == self.lead
            && let Some(pending) = self.pending.pop_front()
            && trusted
        {
            self.learn(demand, &pending, newest);
        }
        let offset = 0.02 * demand.long() + 1.0; // keeps ratios tame when the load is next to nothing
        let base = demand.levels()[1] + offset;
        let features = self.features(demand, base, offset);
        let ratio = self.location.predict(&features).clamp(0.3, 4.0);
        let recent = |minutes| (demand.highest_of_last(demand.steps(minutes)) + offset) / base;
        let part = self.part(demand, newest + self.lead);
        let spread_features = [
            1.0,
            (self.fast + 0.003).ln(),
            (self.slow + 0.003).ln(),
            f64::from(self.by_part[part] + 0.003).ln(),
            (base / demand.long().max(1.0)).ln(),
            recent(60.0).ln(),
            recent(15.0).ln(),
            (((demand.lag(0) + offset) / base - 1.0).abs() + 0.003).ln(),
            (ratio - 1.0).abs().min(1.0),
        ];
        let spread = self.log_spread(&spread_features).exp();
        self.pending.push_back(Pending { features, spread_features, base, offset, ratio });
        Peak { location: (ratio * base - offset).max(0.0), spread: spread * base }
    }

    /// Bytes of its state.
    pub(super) fn bytes(&self) -> usize {
        8 * (FEATURES * (FEATURES + 2) + SPREAD_FEATURES * (SPREAD_FEATURES + 2))
            + 4 * PARTS
            + self.pending.len() * size_of::<Pending>()
    }

    fn log_spread(&self, features: &[f64; SPREAD_FEATURES]) -> f64 {
        self.spread.predict(features).clamp(-6.0, 1.0)
    }

    fn part(&self, demand: &Demand, step: usize) -> usize {
        step % demand.day() * PARTS / demand.day()
    }

    fn learn(&mut self, demand: &Demand, pending: &Pending, newest: usize) {
        let outcome = (demand.highest(newest + 1 - self.lead, newest) + pending.offset) / pending.base;
        let error = outcome - pending.ratio;
        self.location.update(&pending.features, pending.ratio + error.clamp(-0.5, 0.5));
        // One freak value must not widen the margins for days; a storm of them may.
        let size = error.abs().min(3.0).min(12.0 * (self.slow + 0.01));
        let log_spread = self.log_spread(&pending.spread_features);
        let surprise = ((size + 0.002) / log_spread.exp()).powi(2);
        // Working response of the Gaussian likelihood, its upper side cut.
        self.spread.update(&pending.spread_features, log_spread + ((surprise - 1.0) / 2.0).clamp(-1.0, 3.0));
        self.fast += 0.15 * (size - self.fast);
        self.slow += 0.01 * (size - self.slow);
        let part = self.part(demand, newest);
        self.by_part[part] += 0.15 * (size as f32 - self.by_part[part]);
    }

    /// All as ratios to the present level `base`.
    fn features(&self, demand: &Demand, base: f64, offset: f64) -> [f64; FEATURES] {
        let newest = demand.len() - 1;
        let levels = demand.levels();
        let ratio = |load: f64| (load + offset) / base;
        let (seasonal, seasonal_level) = if newest >= demand.day() {
            let ahead = demand.profile(self.lead, 2) + offset;
            ((ahead / (demand.profile(0, 4) + offset)).clamp(0.2, 5.0), (ahead / base).clamp(0.2, 5.0))
        } else {
            (1.0, 1.0)
        };
        // What followed at this time a day and a week ago.
        let followed = |days: usize| {
            let back = days * demand.day();
            if newest < back {
                return 1.0;
            }
            let then = newest - back;
            let peak = demand.highest(then + 1, then + self.lead) + offset;
            (peak / (demand.mean(then.saturating_sub(4), then) + offset)).clamp(0.2, 5.0)
        };
        let recent = |minutes| ratio(demand.highest_of_last(demand.steps(minutes))).min(5.0);
        [
            1.0,
            ratio(demand.lag(0)),
            ratio(levels[0]),
            ratio(levels[2]),
            ratio(levels[3]),
            ratio(demand.lag(1)),
            ratio(demand.lag(2)),
            seasonal,
            seasonal_level,
            seasonal * ratio(demand.lag(0)),
            followed(7),
            followed(1),
            recent(15.0),
            recent(60.0),
        ]
    }
}

/// Peaks that come back at the same time of day: the `rank`-th highest (0 the highest) of what the last `days` days had
/// around the window ahead, give or take `jitter_min`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Envelope {
    pub(super) days: usize,
    pub(super) jitter_min: f64,
    pub(super) rank: usize,
}

impl Envelope {
    /// Load to be ready for over the next `lead` steps; 0 before there is a day to look back to.
    pub(super) fn load(&self, demand: &Demand, lead: usize) -> f64 {
        let newest = demand.len() - 1;
        let jitter = demand.steps(self.jitter_min);
        let mut peaks = [0.0_f64; super::demand::DAYS];
        let mut count = 0;
        for days in 1..=self.days.min(super::demand::DAYS) {
            if newest < days * demand.day() {
                break;
            }
            let then = newest - days * demand.day();
            peaks[count] = demand.highest((then + 1).saturating_sub(jitter), then + lead + jitter);
            count += 1;
        }
        if count == 0 {
            return 0.0;
        }
        peaks[..count].sort_by(|a, b| b.total_cmp(a));
        1.05 * peaks[self.rank.min(count - 1)]
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    /// Over noise about a level the location is the mean of the peaks, for every lead and at any scale.
    #[test]
    fn the_location_is_not_biased() {
        for (lead, level) in [(1, 4_000.0), (1, 40.0), (4, 4_000.0)] {
            let (mut demand, mut model) = (Demand::new(60.0), PeakModel::new(lead));
            let mut rng = SeededRng::seed_from_u64(11);
            let mut said = Vec::new();
            let (mut error, mut count) = (0.0, 0.0);
            for step in 0..4_000 {
                demand.push((level * (1.0 + 0.03 * rng.normal())).max(0.0));
                if step >= 2_000 + lead {
                    let peak: f64 = demand.highest_of_last(lead);
                    error += said[step - lead] - peak;
                    count += 1.0;
                }
                said.push(model.step(&demand, true).location);
            }
            let bias = error / count / level;
            assert!(bias.abs() < 0.004, "lead {lead}, level {level}: {bias}");
        }
    }
}
