//! Holt-Winters on replica counts, after the Predictive Horizontal Pod Autoscaler.
//!
//! Every 60 s the replicas that the autoscaler's metric asks for are added to a history, and additive Holt-Winters with a
//! season of one day predicts the number wanted when a replica ordered now would serve. The greater of recommendation and
//! prediction (PHPA's default decision, `maximum`) goes through the autoscaler's stabilisation and rate limits, whose
//! period is 60 s in PHPA.
//!
//! PHPA asks its users for the smoothing parameters and predicts one sync ahead; its states are estimated anew by
//! statsmodels at every run. Here the parameters are fixed, the look-ahead is the start-up delay, and the states are
//! initialised from the first day (as statsmodels' heuristic does) and carried on.

use std::time::Duration;

use foresail_core::{Decision, Observation, Policy, Replicas, Timestamp};

use super::PolicyOptions;
use super::behavior::{Recommendation, ReconcileLoop, Rules};
use super::utilisation::UtilisationMetric;
use crate::service::Service;

const RUN: Duration = Duration::from_secs(60);
const SEASON: usize = 1_440;
const ALPHA: f64 = 0.2;
const BETA: f64 = 0.01;
const GAMMA: f64 = 0.3;

/// Autoscaler with a Holt-Winters forecast of its own recommendations.
#[derive(Clone, Debug)]
pub struct Phpa {
    name: String,
    metric: UtilisationMetric,
    reconcile: ReconcileLoop,
    ahead: usize,
    next_run: Option<Timestamp>,
    model: HoltWinters,
    predicted: Option<u32>,
}

impl Phpa {
    /// Holds utilisation at `target`, above 0 and at most 1.
    pub(super) fn new(name: String, target: f64, service: &Service, options: &PolicyOptions) -> Self {
        let rules = Rules { period: Duration::from_secs(60), ..Rules::kubernetes() };
        Self {
            name,
            metric: UtilisationMetric::new(target, service.startup()),
            reconcile: ReconcileLoop::new(rules, options.limits),
            ahead: (service.startup().as_secs_f64() / RUN.as_secs_f64()).ceil().clamp(1.0, SEASON as f64) as usize,
            next_run: None,
            model: HoltWinters::default(),
            predicted: None,
        }
    }
}

impl Policy for Phpa {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let real = self.metric.recommend(observation);
        if let Some(real) = real
            && self.next_run.is_none_or(|next| observation.time >= next)
        {
            self.next_run = Some(observation.time + RUN);
            self.model.update(f64::from(real.replicas));
            self.predicted = self.model.predict(self.ahead).map(|value| Replicas::holding(value).0);
        }
        let predicted = self.predicted;
        let recommendation =
            real.map(|real| Recommendation { replicas: real.replicas.max(predicted.unwrap_or(0)), predicted, ..real });
        self.reconcile.decide(observation, recommendation, || match (real, predicted) {
            (Some(real), Some(predicted)) => format!("utilisation {:.2}; predicted replicas {predicted}", real.load),
            (Some(real), None) => format!("utilisation {:.2}; less than a season of history", real.load),
            (None, _) => String::new(),
        })
    }
}

/// Additive Holt-Winters with fixed parameters (Hyndman & Athanasopoulos, FPP3, section 8.3), in the form of statsmodels.
#[derive(Clone, Debug, Default)]
struct HoltWinters {
    level: f64,
    trend: f64,
    /// Values of the first season until it is full, seasonal terms from then on.
    season: Vec<f64>,
    /// Position in the season of the next value, once the states are there.
    next: Option<usize>,
}

impl HoltWinters {
    fn update(&mut self, value: f64) {
        let Some(next) = self.next else {
            self.season.push(value);
            if self.season.len() == SEASON {
                self.level = self.season.iter().sum::<f64>() / SEASON as f64;
                let level = self.level;
                self.season.iter_mut().for_each(|v| *v -= level);
                self.next = Some(0);
            }
            return;
        };
        let (before, seasonal) = (self.level + self.trend, self.season[next]);
        let level = ALPHA * (value - seasonal) + (1.0 - ALPHA) * before;
        self.trend = BETA * (level - self.level) + (1.0 - BETA) * self.trend;
        self.level = level;
        self.season[next] = GAMMA * (value - before) + (1.0 - GAMMA) * seasonal;
        self.next = Some((next + 1) % SEASON);
    }

    /// The value `ahead` (at least 1) steps on; `None` in the first season.
    fn predict(&self, ahead: usize) -> Option<f64> {
        let next = self.next?;
        Some(self.level + self.trend * ahead as f64 + self.season[(next + ahead - 1) % SEASON])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_day_is_predicted_at_every_distance() {
        let value = |i: usize| 10.0 + 5.0 * (std::f64::consts::TAU * i as f64 / SEASON as f64).sin();
        let mut model = HoltWinters::default();
        for i in 0..SEASON - 1 {
            model.update(value(i));
            assert_eq!(model.predict(1), None);
        }
        for i in SEASON - 1..2 * SEASON + 300 {
            model.update(value(i));
        }
        for ahead in [1, 3, 100, SEASON] {
            let predicted = model.predict(ahead).expect("a season has passed");
            assert!((predicted - value(2 * SEASON + 299 + ahead)).abs() < 1e-6, "{ahead} {predicted}");
        }
    }

    /// One step by hand: level 10, trend 0, seasonal term 0, value 12.
    #[test]
    fn the_recursion_is_the_one_of_the_book() {
        let mut model = HoltWinters { level: 10.0, trend: 0.0, season: vec![0.0; SEASON], next: Some(0) };
        model.update(12.0);
        assert!((model.level - 10.4).abs() < 1e-12);
        assert!((model.trend - 0.004).abs() < 1e-12);
        assert!((model.season[0] - 0.6).abs() < 1e-12);
    }
}
