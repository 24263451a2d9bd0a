//! What one replica can do, learned while it serves; the configured value is only where it begins.
//!
//! Candidates on a grid (capacity `K`, parallel workers `c`) are weighed by how well they explain each window: a replica
//! of `c` workers has a mean service time of `c / K`, and what it waits on top follows Erlang's C formula over all
//! replicas, for the proxy balances between them. Windows under saturation show the capacity itself, and a measured
//! utilisation shows it at any load. Old windows fade (a Bayesian filter with forgetting; West & Harrison, Bayesian
//! Forecasting and Dynamic Models, §6.3), so that a service that changes is learned anew.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;
use crate::service::Erlang;

/// Capacities tried: from a fifth to five times the prior, 2.6 % apart.
const STEPS: usize = 127;
const SPAN: f64 = 5.0;
/// Parallel workers tried, besides the configured number.
const WORKERS: [u32; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
/// Log-weight by which another number of workers than the configured one is less likely at first.
const OTHER_WORKERS: f64 = -6.0;
/// Windows after which what was seen counts half.
const HALF_LIFE: f64 = 10.0;
/// Standard deviations of log errors: of a mean latency besides sampling, of throughput under saturation, of capacity by
/// utilisation; and of the prior.
const LATENCY_SD: f64 = 0.08;
const SATURATED_SD: f64 = 0.08;
const UTILISATION_SD: f64 = 0.1;
const PRIOR_SD: f64 = 0.7;
/// Requests below which a window says nothing.
const LEAST_REQUESTS: f64 = 20.0;
/// No window weighs more than so many standard deviations: one freak window is no proof.
const ROBUST_SD: f64 = 3.0;

/// What was measured of a service in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CapacityWindow {
    /// Replicas that served.
    pub replicas: f64,
    /// Requests answered in it.
    pub completed: f64,
    /// Its length, seconds.
    pub seconds: f64,
    /// Mean latency of the replicas themselves (of a typical one), seconds, without what was waited before them.
    pub latency_s: Option<f64>,
    /// Mean utilisation of the replicas (of CPU or of workers), 0 to 1, where it is measured and tells of load.
    pub utilisation: Option<f64>,
    /// More arrived than could be served throughout.
    pub saturated: bool,
}

/// What one replica can do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityEstimate {
    /// Requests a second: the median of what is likely.
    pub rps: f64,
    /// 5 % and 95 % quantiles, requests a second.
    pub interval_rps: (f64, f64),
    /// Windows that told something.
    pub windows: u32,
}

impl CapacityEstimate {
    /// Whether it is sure enough to count by: twenty windows, and 90 % of the weight within 15 % of the median.
    pub fn is_sure(&self) -> bool {
        let (low, high) = self.interval_rps;
        self.windows >= 20 && low >= 0.85 * self.rps && high <= 1.15 * self.rps
    }
}

/// Learns the capacity of a replica. Plain data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityLearner {
    prior_rps: f64,
    workers: Vec<u32>,
    /// `workers × capacities`, relative to the greatest.
    evidence: Vec<f64>,
    windows: u32,
}

impl CapacityLearner {
    /// Beginning with `prior_rps` requests a second (above 0) and `workers` parallel workers (1 to 1,024) a replica.
    ///
    /// # Errors
    /// [`Error::BadParameter`] outside those ranges.
    pub fn new(prior_rps: f64, workers: u32) -> Result<Self, Error> {
        check(prior_rps.is_finite() && prior_rps > 0.0, "capacity_rps", prior_rps, "a number above 0")?;
        check((1..=1024).contains(&workers), "workers", workers, "1 to 1024")?;
        let others = WORKERS.into_iter().filter(|w| *w != workers);
        let workers: Vec<u32> = std::iter::once(workers).chain(others).collect();
        let evidence = vec![0.0; workers.len() * STEPS];
        Ok(Self { prior_rps, workers, evidence, windows: 0 })
    }

    /// Takes in a window; one that says nothing changes nothing.
    pub fn observe(&mut self, window: &CapacityWindow) {
        let told = [window.latency_s, window.utilisation].iter().flatten().all(|v| v.is_finite() && *v > 0.0);
        let sane = window.replicas >= 1.0 && window.seconds > 0.0 && window.completed.is_finite() && told;
        if !sane || window.completed < LEAST_REQUESTS {
            return;
        }
        self.windows = self.windows.saturating_add(1);
        let fade = 0.5_f64.powf(1.0 / HALF_LIFE);
        for (index, evidence) in self.evidence.iter_mut().enumerate() {
            let (workers, capacity) = (self.workers[index / STEPS], self.prior_rps * factor(index % STEPS));
            *evidence = fade * *evidence + log_likelihood(window, workers, capacity);
        }
        let most = self.evidence.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.evidence.iter_mut().for_each(|e| *e -= most);
    }

    /// What is known by now.
    pub fn estimate(&self) -> CapacityEstimate {
        let posterior = |index: usize| {
            let log_factor = factor(index % STEPS).ln();
            let prior = -0.5 * (log_factor / PRIOR_SD).powi(2) + if index < STEPS { 0.0 } else { OTHER_WORKERS };
            self.evidence[index] + prior
        };
        let most = (0..self.evidence.len()).map(posterior).fold(f64::NEG_INFINITY, f64::max);
        let mut weights = [0.0; STEPS];
        for index in 0..self.evidence.len() {
            weights[index % STEPS] += (posterior(index) - most).exp();
        }
        let total: f64 = weights.iter().sum();
        let quantile = |q: f64| {
            let mut below = 0.0;
            for (step, weight) in weights.iter().enumerate() {
                if below + weight >= q * total {
                    // Between the edges of the step.
                    let within = if *weight > 0.0 { (q * total - below) / weight } else { 0.5 };
                    return self.prior_rps * SPAN.powf(2.0 * (step as f64 + within - 0.5) / (STEPS - 1) as f64 - 1.0);
                }
                below += weight;
            }
            self.prior_rps * SPAN
        };
        CapacityEstimate { rps: quantile(0.5), interval_rps: (quantile(0.05), quantile(0.95)), windows: self.windows }
    }

    /// Whether it began with these; what was learned from others is of no use.
    pub fn began_with(&self, prior_rps: f64, workers: u32) -> bool {
        self.prior_rps.total_cmp(&prior_rps).is_eq() && self.workers.first() == Some(&workers)
    }

    /// The capacity it began with, requests a second.
    pub fn prior_rps(&self) -> f64 {
        self.prior_rps
    }

    /// Whether restored state keeps what the code relies on.
    pub fn is_sound(&self) -> bool {
        self.prior_rps > 0.0
            && self.prior_rps.is_finite()
            && !self.workers.is_empty()
            && self.workers.iter().all(|w| *w > 0)
            && self.evidence.len() == self.workers.len() * STEPS
            && self.evidence.iter().all(|e| e.is_finite())
    }
}

/// Capacity of a step over the prior.
fn factor(step: usize) -> f64 {
    SPAN.powf(2.0 * step as f64 / (STEPS - 1) as f64 - 1.0)
}

fn log_likelihood(window: &CapacityWindow, workers: u32, capacity: f64) -> f64 {
    let throughput = window.completed / window.seconds / window.replicas;
    let mut sum = 0.0;
    if window.saturated {
        sum += gaussian((throughput / capacity).ln() / SATURATED_SD);
    } else if throughput > capacity {
        // More was served than this could: unlikely by as much as it exceeds.
        sum += gaussian((throughput / capacity).ln() / SATURATED_SD);
    }
    if let Some(latency) = window.latency_s.filter(|_| !window.saturated) {
        let predicted = mean_latency(window.replicas, throughput, workers, capacity);
        // A mean over exponential times errs by 1/√n; near saturation the queue makes it restless.
        let use_ = (throughput / capacity).min(1.0);
        let sd = (LATENCY_SD.powi(2) + 1.0 / window.completed + (0.6 * use_.powi(8)).powi(2)).sqrt();
        sum += gaussian((latency / predicted).ln() / sd) - sd.ln();
    }
    if let Some(utilisation) = window.utilisation.filter(|u| (0.05..=0.98).contains(u)) {
        sum += gaussian((throughput / utilisation / capacity).ln() / UTILISATION_SD);
    }
    sum
}

/// Log density, flat in the tails.
fn gaussian(deviations: f64) -> f64 {
    let d = deviations.abs();
    if d <= ROBUST_SD { -0.5 * d * d } else { -ROBUST_SD * (d - 0.5 * ROBUST_SD) }
}

/// Mean time in a replica, seconds, with `throughput` requests a second each.
fn mean_latency(replicas: f64, throughput: f64, workers: u32, capacity: f64) -> f64 {
    let service = f64::from(workers) / capacity;
    let utilisation = (throughput / capacity).min(0.995);
    let servers = (replicas * f64::from(workers)).round().clamp(1.0, 1e6) as u32;
    service + Erlang::new(servers, utilisation).c() / (replicas * capacity * (1.0 - utilisation))
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    /// Ten minutes in windows of 15 s under varied load, a share of the true capacity each.
    fn learn(learner: &mut CapacityLearner, truth: (f64, u32), loads: impl Fn(usize) -> f64, seed: u64) {
        let mut rng = SeededRng::seed_from_u64(seed);
        let (capacity, workers) = truth;
        for index in 0..40 {
            let replicas = 4.0 + (index % 5) as f64;
            let load = loads(index) * capacity;
            let completed = load.min(capacity) * replicas * 15.0;
            let latency = mean_latency(replicas, load, workers, capacity) * (1.0 + 0.05 * rng.normal());
            let saturated = load >= capacity;
            let latency_s = (!saturated).then_some(latency);
            learner.observe(&CapacityWindow {
                replicas,
                completed,
                seconds: 15.0,
                latency_s,
                utilisation: None,
                saturated,
            });
        }
    }

    fn varied(index: usize) -> f64 {
        0.5 + 0.35 * (index as f64 / 6.0).sin()
    }

    #[test]
    fn ten_minutes_of_varied_load_are_enough_and_a_change_is_learned_anew() {
        for (seed, prior) in [(1, 50.0), (2, 100.0), (3, 200.0), (4, 300.0)] {
            let mut learner = CapacityLearner::new(prior, 8).expect("valid");
            learn(&mut learner, (100.0, 8), varied, seed);
            let estimate = learner.estimate();
            assert!((estimate.rps / 100.0 - 1.0).abs() < 0.1 && estimate.is_sure(), "{prior}: {estimate:?}");
            // The service becomes slower by half.
            learn(&mut learner, (66.0, 8), varied, seed + 10);
            let estimate = learner.estimate();
            assert!((estimate.rps / 66.0 - 1.0).abs() < 0.1, "{prior}: {estimate:?}");
        }
    }

    #[test]
    fn saturation_tells_what_a_wrong_number_of_workers_hides() {
        let mut learner = CapacityLearner::new(100.0, 8).expect("valid");
        learn(&mut learner, (50.0, 4), |i| if i % 4 == 0 { 1.2 } else { 0.7 }, 5);
        let estimate = learner.estimate();
        assert!((estimate.rps / 50.0 - 1.0).abs() < 0.1, "{estimate:?}");
    }

    #[test]
    fn a_measured_utilisation_tells_it_at_any_load() {
        let mut learner = CapacityLearner::new(100.0, 8).expect("valid");
        for index in 0..40 {
            let load = 80.0 * varied(index);
            let window = CapacityWindow {
                replicas: 3.0,
                completed: load * 45.0,
                seconds: 15.0,
                utilisation: Some(load / 160.0),
                ..CapacityWindow::default()
            };
            learner.observe(&window);
        }
        assert!((learner.estimate().rps / 160.0 - 1.0).abs() < 0.1, "{:?}", learner.estimate());
    }

    #[test]
    fn what_says_nothing_changes_nothing() {
        let mut learner = CapacityLearner::new(100.0, 8).expect("valid");
        let before = learner.estimate();
        assert!((before.rps / 100.0 - 1.0).abs() < 0.02 && !before.is_sure());
        for broken in [
            CapacityWindow::default(),
            CapacityWindow { replicas: 1.0, completed: f64::NAN, seconds: 1.0, ..CapacityWindow::default() },
            CapacityWindow {
                replicas: 1.0,
                completed: 100.0,
                seconds: 1.0,
                latency_s: Some(f64::INFINITY),
                ..CapacityWindow::default()
            },
        ] {
            learner.observe(&broken);
        }
        assert_eq!(learner.estimate(), before);
    }
}
