//! When requests are sent: a rate over time, and the arrivals that have it.

use std::time::Duration;

use anyhow::ensure;
use clap::ValueEnum;
use foresail_core::SeededRng;

/// Requests a second over time, given at the steps of a grid and joined by straight lines; the last one holds for its
/// step. Afterwards there are none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoadPlan {
    rates: Vec<f64>,
    step_s: f64,
}

impl LoadPlan {
    /// The plan of `rates`, each that of the beginning of its step.
    ///
    /// # Errors
    /// If there is none, one is negative or not finite, or `step` is zero.
    pub(crate) fn new(rates: Vec<f64>, step: Duration) -> anyhow::Result<Self> {
        ensure!(!rates.is_empty(), "a load plan needs at least one rate");
        ensure!(!step.is_zero(), "a load plan needs a step above 0");
        let bad = rates.iter().find(|rate| !(rate.is_finite() && **rate >= 0.0));
        ensure!(
            bad.is_none(),
            "a rate of {} requests a second is not accepted; expected 0 or more",
            bad.unwrap_or(&0.0)
        );
        Ok(Self { rates, step_s: step.as_secs_f64() })
    }

    /// Rates at the beginning and the end of a step.
    fn ends(&self, index: usize) -> (f64, f64) {
        let from = self.rates[index];
        (from, self.rates.get(index + 1).copied().unwrap_or(from))
    }
}

/// How arrivals are spread at a given rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spread {
    /// As evenly as can be.
    Constant,
    /// Independently of one another (a Poisson process).
    Poisson,
}

/// The instants of a plan's arrivals, in seconds since its beginning, in order.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    plan: LoadPlan,
    spread: Spread,
    rng: SeededRng,
    step: usize,
    /// Seconds into the step.
    into_s: f64,
}

impl Arrivals {
    pub(crate) fn new(plan: LoadPlan, spread: Spread, seed: u64) -> Self {
        Self { plan, spread, rng: SeededRng::seed_from_u64(seed), step: 0, into_s: 0.0 }
    }
}

impl Iterator for Arrivals {
    type Item = f64;

    /// Goes on until the area under the rate has grown by one arrival's worth: 1, or a draw of mean 1 (time rescaling; Daley
    /// and Vere-Jones, An Introduction to the Theory of Point Processes, §7.4). Exact, since the rate is linear in a step.
    fn next(&mut self) -> Option<f64> {
        let mut worth = match self.spread {
            Spread::Constant => 1.0,
            Spread::Poisson => self.rng.exponential(),
        };
        let step_s = self.plan.step_s;
        while self.step < self.plan.rates.len() {
            let (from, to) = self.plan.ends(self.step);
            let slope = (to - from) / step_s;
            let rate = from + slope * self.into_s;
            let left_s = step_s - self.into_s;
            let area = (rate + 0.5 * slope * left_s) * left_s;
            if worth < area {
                let root = (rate * rate + 2.0 * slope * worth).max(0.0).sqrt();
                self.into_s += (2.0 * worth / (rate + root)).min(left_s);
                return Some(self.step as f64 * step_s + self.into_s);
            }
            worth -= area.max(0.0);
            (self.step, self.into_s) = (self.step + 1, 0.0);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rates: &[f64]) -> LoadPlan {
        LoadPlan::new(rates.to_vec(), Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn a_plan_without_rates_or_with_bad_ones_is_refused() {
        let step = Duration::from_secs(1);
        assert!(LoadPlan::new(vec![], step).is_err() && LoadPlan::new(vec![1.0], Duration::ZERO).is_err());
        assert!(LoadPlan::new(vec![-1.0], step).is_err() && LoadPlan::new(vec![f64::NAN], step).is_err());
    }

    #[test]
    fn constant_arrivals_are_as_many_as_the_area_and_evenly_spaced() {
        let times: Vec<f64> = Arrivals::new(plan(&[4.0, 4.0]), Spread::Constant, 1).collect();
        assert_eq!(times.len(), 79); // the eightieth would come at the end
        assert!(times.iter().enumerate().all(|(i, t)| (t - (i + 1) as f64 * 0.25).abs() < 1e-9));
        // Area 200 + 150 + 0, and time t in the first step has 10 t + t² behind it.
        let times: Vec<f64> = Arrivals::new(plan(&[10.0, 30.0, 0.0]), Spread::Constant, 1).collect();
        assert!((349..=350).contains(&times.len()), "{}", times.len());
        for (index, t) in times.iter().enumerate().filter(|(_, t)| **t < 10.0) {
            assert!((10.0 * t + t * t - (index + 1) as f64).abs() < 1e-6);
        }
    }

    #[test]
    fn poisson_arrivals_have_the_rate_are_in_order_and_repeat() {
        let plan = plan(&[100.0, 300.0, 0.0, 200.0, 200.0]);
        let times: Vec<f64> = Arrivals::new(plan.clone(), Spread::Poisson, 5).collect();
        assert!(times.is_sorted() && times.iter().all(|t| *t < 50.0));
        let area = 2000.0 + 1500.0 + 1000.0 + 4000.0;
        assert!((times.len() as f64 - area).abs() < 4.0 * f64::sqrt(area), "{}", times.len());
        assert_eq!(times, Arrivals::new(plan, Spread::Poisson, 5).collect::<Vec<_>>());
    }
}
