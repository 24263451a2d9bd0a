//! What the demonstration plays: two days of the exercise's daily shape in minutes, a crowd nobody announced, and the
//! days before them as history.

use std::time::Duration;

use foresail_core::{Column, Frame, SeededRng, TimeZone, Timestamp};
use foresail_forecast::metrics::percentile;
use foresail_sim::generate::exercise3_load;

use super::load::LoadPlan;

/// Highest value of the exercise's law on a weekday: noon, at 12:00 sharp.
const LAW_PEAK: f64 = 80.0 * 1.5 * 1.2;
/// Days of history that the learners begin with.
const HISTORY_DAYS: u32 = 14;
/// Standard deviation of the load around the law.
const NOISE: f64 = 0.03;
/// A weekday's midnight, whose hours the law is read at.
const WEDNESDAY: i64 = 1_767_744_000;
const DAY_S: f64 = 86_400.0;

/// A crowd: up within its first fifth, down over the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Crowd {
    /// When it begins, as a share of the run's cycles (1.7: seven tenths into the second).
    pub(crate) at: f64,
    /// How long it lasts, in cycles.
    pub(crate) length: f64,
    /// By how much it multiplies the load at most.
    pub(crate) factor: f64,
}

impl Crowd {
    fn factor_at(&self, cycles: f64) -> f64 {
        let into = (cycles - self.at) / self.length;
        let height = match into {
            ..0.0 | 1.0.. => 0.0,
            ..0.2 => into / 0.2,
            _ => (1.0 - into) / 0.8,
        };
        1.0 + (self.factor - 1.0) * height
    }
}

/// The load to come and the load before it, in real time.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Length of a cycle.
    pub(crate) cycle: Duration,
    /// Cycles played.
    pub(crate) cycles: u32,
    /// Length of a step of the rates.
    pub(crate) step: Duration,
    /// Requests a second, by step.
    pub(crate) rates: Vec<f64>,
    /// The crowd, if one comes.
    pub(crate) crowd: Option<Crowd>,
    /// Load before the start, requests a second, by step.
    pub(crate) before: Vec<f64>,
}

impl Plan {
    /// Two cycles of `cycle` with a noon of `peak_rps`, in steps of `step`.
    pub(crate) fn generated(cycle: Duration, step: Duration, peak_rps: f64, seed: u64) -> Self {
        let mut rng = SeededRng::seed_from_u64(seed);
        let cycles = 2;
        let per_cycle = (cycle.as_secs_f64() / step.as_secs_f64()).round().max(1.0) as usize;
        let law = |share: f64| {
            let time = Timestamp::from_secs(WEDNESDAY) + Duration::from_secs_f64(share.fract() * DAY_S);
            peak_rps * exercise3_load(&time.civil(&TimeZone::utc())) / LAW_PEAK
        };
        // A crowd in the evening of the second day; such crowds came now and then in the days before, at any hour.
        let crowd = Crowd { at: 1.72 + 0.08 * rng.uniform(), length: 0.16, factor: 1.5 + 0.2 * rng.uniform() };
        let past: Vec<Crowd> = (0..HISTORY_DAYS)
            .filter(|day| day % 4 == 2)
            .map(|day| Crowd { at: f64::from(day) + 0.8 * rng.uniform(), ..crowd })
            .collect();
        let mut noisy = |cycles: f64, crowds: &[Crowd]| {
            let factor: f64 = crowds.iter().map(|c| c.factor_at(cycles)).product();
            (law(cycles) * factor * (1.0 + NOISE * rng.normal())).max(0.0)
        };
        let share = |index: usize| (index as f64 + 0.5) / per_cycle as f64;
        let before = (0..per_cycle * HISTORY_DAYS as usize).map(|i| noisy(share(i), &past)).collect();
        let rates = (0..per_cycle * cycles as usize).map(|i| noisy(share(i), &[crowd])).collect();
        Self { cycle, cycles, step, rates, crowd: Some(crowd), before }
    }

    /// A measured load: `frame`'s target, played so that its length fills the cycles and its 99.9th percentile is
    /// `peak_rps`; its first half is the history.
    pub(crate) fn measured(frame: &Frame, cycle: Duration, step: Duration, peak_rps: f64) -> Self {
        let half = frame.len() / 2;
        let peak = percentile(&frame.target()[half..], 0.999).unwrap_or(1.0).max(1e-9);
        let steps = (2.0 * cycle.as_secs_f64() / step.as_secs_f64()).round().max(1.0) as usize;
        let stretch = |rows: &[f64]| -> Vec<f64> {
            let row = |i: usize| rows[(i * rows.len() / steps).min(rows.len() - 1)];
            (0..steps).map(|i| (row(i) * peak_rps / peak).max(0.0)).collect()
        };
        let (before, rates) = (stretch(&frame.target()[..half.max(1)]), stretch(&frame.target()[half..]));
        Self { cycle, cycles: 2, step, rates, crowd: None, before }
    }

    /// Multiplies the load from `at_s` seconds on.
    pub(crate) fn jump(&mut self, at_s: f64, factor: f64) {
        let from = (at_s / self.step.as_secs_f64()).ceil().max(0.0) as usize;
        self.rates.iter_mut().skip(from).for_each(|rate| *rate *= factor);
    }

    /// A flood of `rate` requests a second that begins at, and lasts for, so many cycles.
    ///
    /// # Errors
    /// If that is no plan.
    pub(crate) fn flood(&self, (at, length): (f64, f64), rate: f64) -> anyhow::Result<LoadPlan> {
        let per_cycle = self.cycle.as_secs_f64() / self.step.as_secs_f64();
        let steps = |cycles: f64| (cycles * per_cycle).round() as usize;
        let mut rates = vec![0.0; steps(at)];
        rates.resize(steps(at + length).max(1), rate);
        rates.push(0.0);
        LoadPlan::new(rates, self.step)
    }

    /// How long it plays.
    pub(crate) fn length(&self) -> Duration {
        self.step * self.rates.len() as u32
    }

    /// Steps of each cycle's peak, the crowd apart, and the load there.
    pub(crate) fn peaks(&self) -> Vec<(usize, f64)> {
        let per_cycle = self.rates.len() / self.cycles as usize;
        let is_calm = |index: usize| {
            let cycles = (index as f64 + 0.5) / per_cycle as f64;
            self.crowd.is_none_or(|c| c.factor_at(cycles) <= 1.0)
        };
        let peak = |cycle: usize| {
            let steps = (cycle * per_cycle..(cycle + 1) * per_cycle).filter(|i| is_calm(*i));
            steps.map(|i| (i, self.rates[i])).max_by(|a, b| a.1.total_cmp(&b.1))
        };
        (0..self.cycles as usize).filter_map(peak).collect()
    }

    /// The load before the start as a series that ends at `end` on a clock on which a step is `step`, requests a second
    /// in real time.
    ///
    /// # Errors
    /// If the steps are no grid.
    pub(crate) fn history(&self, end: Timestamp, step: Duration) -> Result<Frame, foresail_core::Error> {
        let start = end - step * self.before.len() as u32;
        let column = Column::new("load", self.before.iter().copied().map(Some));
        Frame::new(start, step, TimeZone::utc(), vec![column])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_have_their_noon_and_one_crowd_apart_from_it() {
        for seed in 0..10 {
            let plan = Plan::generated(Duration::from_secs(150), Duration::from_millis(1_250), 900.0, seed);
            assert_eq!((plan.rates.len(), plan.before.len()), (240, 14 * 120));
            assert_eq!(plan.length(), Duration::from_secs(300));
            let peaks = plan.peaks();
            for (day, (index, load)) in peaks.iter().enumerate() {
                let hour = 24.0 * ((*index as f64 + 0.5) / 120.0 - day as f64);
                assert!((12.0..13.0).contains(&hour) && (800.0..1_000.0).contains(load), "{hour} {load}");
            }
            let crowd = plan.crowd.expect("generated with one");
            let top = plan.rates[(120.0 * (crowd.at + 0.2 * crowd.length)) as usize];
            let calm = plan.rates[(120.0 * (crowd.at + 0.2 * crowd.length - 1.0)) as usize];
            assert!(top > 1.3 * calm, "{top} {calm}");
        }
    }

    #[test]
    fn a_measured_load_fills_the_cycles() {
        let frame = Frame::from_values((0..2_000).map(|i| 10.0 + f64::from(i % 100)));
        let plan = Plan::measured(&frame, Duration::from_secs(30), Duration::from_millis(500), 600.0);
        assert_eq!((plan.rates.len(), plan.before.len()), (120, 120));
        assert!(plan.rates.iter().all(|r| *r <= 610.0) && plan.rates.iter().any(|r| *r > 500.0));
    }
}
