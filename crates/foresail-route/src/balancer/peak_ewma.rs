//! Least expected wait among a few: the Peak EWMA load metric of Finagle and linkerd, over power-of-d choices.

use std::time::Duration;

use super::candidates::least_of;
use super::propensity::of_least;
use super::{Balancer, Pick};
use crate::{Endpoints, View};

pub(super) struct PeakEwma {
    pub(super) choices: usize,
    pub(super) decay: Duration,
    pub(super) failure_cost_ms: f64,
}

impl PeakEwma {
    /// Expected ms until an answer that is no failure. Without the second term a fast failure looks like a fast endpoint
    /// and draws the traffic in; it follows the rate of failures, for a fixed penalty per failure shuns everyone in turn
    /// when all err now and then. An endpoint of which nothing is known is taken to be like the others.
    fn cost(&self, view: &View, mean_latency: f64) -> f64 {
        let latency = if view.latency_ms > 0.0 { view.latency_ms } else { mean_latency };
        let p = view.failure_rate.clamp(0.0, 0.99);
        let wait = latency * (f64::from(view.in_flight) + 1.0);
        (wait + p / (1.0 - p) * (wait + self.failure_cost_ms)) / view.weight
    }
}

impl Balancer for PeakEwma {
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize> {
        least_of(endpoints, pick.random, self.choices, |view, mean| self.cost(view, mean))
    }

    fn latency_decay(&self) -> Duration {
        self.decay
    }

    fn propensity(&mut self, endpoints: &dyn Endpoints, _pick: Pick, index: usize) -> Option<f64> {
        of_least(endpoints, index, self.choices, |view, mean| self.cost(view, mean))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(views: &[View]) -> Option<usize> {
        let mut balancer = PeakEwma { choices: 2, decay: Duration::from_secs(10), failure_cost_ms: 1000.0 };
        balancer.pick(&views, Pick { random: 9, hash: None })
    }

    #[test]
    fn the_faster_the_freer_and_the_sounder_win() {
        let known = View { latency_ms: 20.0, ..View::default() };
        assert_eq!(pick(&[known, View { latency_ms: 5.0, ..known }]), Some(1));
        assert_eq!(pick(&[known, View { in_flight: 3, ..known }]), Some(0));
        assert_eq!(pick(&[known, View { latency_ms: 1.0, failure_rate: 0.9, ..known }]), Some(0));
        assert_eq!(pick(&[View { in_flight: 1, ..known }, View::default()]), Some(1));
    }
}
