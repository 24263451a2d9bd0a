//! The founding "Amazon" example (document 001, section 4): hourly demand, forecast 24 hours ahead, scaled to the peak of its
//! upper bound.
//!
//! Demand is the utilisation summed over replicas, in percent of one. Every hour: the highest upper bound of the next two
//! hours over 80 % a replica, rounded up; times a margin of 1.2, and 1.3 more if demand rose by over 5 points an hour over
//! the last ten (both rounded down, as `int` does); a difference below 2 replicas is ignored. The forecast is the example's: Prophet
//! with seasons of a year, a week and a day whatever the history, a second daily one of three terms, the holidays that are
//! known, and Prophet's default 80 % interval. It is fitted anew after a quarter of the hours it knows, at least daily, and
//! takes in the hours between as they come; the example fits it for every decision. Before there is a model the example's
//! fallback holds: the current demand times 1.2.

use std::time::Duration;

use foresail_core::{Decision, Driver, Limit, Limits, Metric, Observation, Policy, Reason, Replicas, Sample};
use foresail_forecast::models::{Cycle, Prophet, ProphetOptions, Seasonality, Terms};

use super::PolicyOptions;
use super::behavior::held;
use super::grid::Grid;
use super::online_model::OnlineModel;
use crate::Error;

const HOUR: Duration = Duration::from_secs(3_600);
const HISTORY: usize = 4 * 7 * 24;
const LOOKAHEAD: usize = 2;
const PERCENT_A_REPLICA: f64 = 80.0;
const TREND_OVER: usize = 10;
const STEEP: f64 = 5.0;
/// The upper end of an 80 % interval.
const UPPER: f64 = 0.9;

/// Hourly forecast of demand with margins.
pub struct SeedAmazon {
    limits: Limits,
    demand: Grid,
    model: OnlineModel,
    /// Replicas that serve until the next observation.
    serving: u32,
}

impl SeedAmazon {
    /// Within the options' limits.
    ///
    /// # Errors
    /// [`Error::NoModel`] if the forecaster refuses the example's parameters.
    pub(super) fn new(options: &PolicyOptions) -> Result<Self, Error> {
        let hourly =
            Seasonality { cycle: Cycle::Period(Duration::from_secs(86_400)), terms: 3, prior_scale: None, mode: None };
        let model = Prophet::new(ProphetOptions {
            yearly: Terms::Of(10),
            weekly: Terms::Of(3),
            daily: Terms::Of(4),
            seasonalities: vec![hourly],
            ..ProphetOptions::default()
        })?;
        let again = |hours: usize| (hours / 4).clamp(1, 24);
        Ok(Self {
            limits: options.limits,
            demand: Grid::new(HOUR, HISTORY),
            model: OnlineModel::new(Box::new(model), 4, again, options.known.clone(), options.seed),
            serving: 0,
        })
    }

    /// Takes in the utilisation as percent of one replica; says how many hours it closed.
    fn observe(&mut self, sample: Option<&Sample>) -> usize {
        let percent = |s: &Sample| Sample { value: s.value * f64::from(self.serving) * 100.0, ..*s };
        let sample = sample.map(percent);
        let closed = self.demand.push(sample.as_ref());
        self.model.follow(&self.demand, closed);
        closed
    }

    /// The highest upper bound of the next two hours; the fallback without a model.
    fn peak(&self) -> Option<f64> {
        let current = self.demand.last(1).next().flatten()?;
        let ahead = self.model.forecast(LOOKAHEAD).map(|forecast| forecast.quantile(UPPER));
        let highest =
            ahead.filter(|ahead| ahead.iter().all(|v| v.is_finite())).and_then(|a| a.into_iter().reduce(f64::max));
        Some(highest.unwrap_or(1.2 * current))
    }

    fn is_rising_steeply(&self) -> bool {
        let recent: Option<Vec<f64>> = self.demand.last(TREND_OVER).collect();
        recent.is_some_and(|recent| recent.len() == TREND_OVER && slope(&recent) > STEEP)
    }
}

/// Slope of the least-squares line through equally spaced values, a step.
fn slope(values: &[f64]) -> f64 {
    let centre = (values.len() - 1) as f64 / 2.0;
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (i, value) in values.iter().enumerate() {
        let x = i as f64 - centre;
        covariance += x * value;
        variance += x * x;
    }
    covariance / variance
}

/// Replicas for a peak demand, in percent of one: the example's divisions, margins and roundings.
fn required(peak: f64, steep: bool) -> u32 {
    let required = Replicas::holding(peak / PERCENT_A_REPLICA).as_f64();
    let with_margin = (required * 1.2).floor();
    (if steep { (with_margin * 1.3).floor() } else { with_margin }) as u32
}

impl Policy for SeedAmazon {
    fn name(&self) -> &str {
        "seed-amazon"
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let closed = self.observe(observation.sample(Metric::Utilisation));
        let current = observation.replicas.desired;
        let peak = if closed > 0 { self.peak() } else { None };
        let decision = match peak {
            None => held(self.limits.clamp(current), Driver::Held),
            Some(peak) => {
                let steep = self.is_rising_steeply();
                let required = Replicas(required(peak, steep));
                let mut reason = Reason::new(Driver::Predicted);
                reason.load = Some(peak);
                reason.predicted = Some(required);
                if required.0.abs_diff(current.0) < 2 {
                    reason.limits.push(Limit::Hysteresis);
                    Decision { desired: self.limits.clamp(current), reason }
                } else {
                    let rise = if steep { ", rising steeply" } else { "" };
                    reason.note = format!("upper bound of two hours {peak:.0} % of a replica{rise}");
                    Decision { desired: self.limits.clamp(required), reason }
                }
            }
        };
        self.serving = observation.replicas.ready.0.min(decision.desired.0);
        decision
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::{Quality, ReplicaCounts, Timestamp};

    use super::*;

    #[test]
    fn the_margins_are_those_of_the_example() {
        for (peak, steep, expected) in
            [(800.0, false, 12), (801.0, false, 13), (800.0, true, 15), (79.0, false, 1), (0.0, true, 0)]
        {
            assert_eq!(required(peak, steep), expected, "{peak} {steep}");
        }
    }

    #[test]
    fn the_slope_is_that_of_a_line() {
        assert!((slope(&[3.0, 5.0, 7.0, 9.0]) - 2.0).abs() < 1e-12);
    }

    /// Hourly ticks at a steady demand, in percent of a replica, from `replicas` on; what is decided at each.
    fn check(replicas: u32, demand: f64, hours: i64) -> Vec<u32> {
        let limits = Limits { min: Replicas(1), max: Replicas(100) };
        let mut policy = SeedAmazon::new(&PolicyOptions::new(limits)).expect("the parameters are sound");
        let mut current = replicas;
        let mut decided = Vec::new();
        for hour in 0..hours {
            let time = Timestamp::from_secs(3_600 * hour);
            let value = demand / 100.0 / f64::from(current);
            let sample = Sample { metric: Metric::Utilisation, time, interval: HOUR, value, quality: Quality::Good };
            let observation = Observation {
                time,
                tick: HOUR,
                samples: if hour > 0 { vec![sample] } else { Vec::new() },
                replicas: ReplicaCounts { desired: Replicas(current), ready: Replicas(current), starting: Replicas(0) },
            };
            current = policy.decide(&observation).desired.0;
            decided.push(current);
        }
        decided
    }

    #[test]
    fn a_steady_demand_is_held_with_the_margin_and_a_difference_below_two_ignored() {
        // 640 % of a replica: with the fallback's 1.2 ten replicas and a margin make 12; by the model, whose upper bound is a
        // trace above, nine make 10.
        assert_eq!(check(20, 640.0, 6), [20, 12, 12, 12, 10, 10]);
        assert_eq!(check(12, 640.0, 6), [12, 12, 12, 12, 10, 10]);
        assert_eq!(check(11, 640.0, 6), [11; 6]);
    }
}
