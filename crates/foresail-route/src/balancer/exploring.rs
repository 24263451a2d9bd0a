//! A share of the picks at random, so that what another policy would have done can be told from the log.

use std::time::Duration;

use super::candidates::{available, below, next, uniform};
use super::exchange::{SharedStatistics, Sight};
use super::feedback::{ArmStats, BalancerReport, Feedback};
use super::saved::SavedBalancer;
use super::{Balancer, Pick};
use crate::{Endpoints, Error};

pub(super) struct Exploring {
    pub(super) inner: Box<dyn Balancer>,
    /// Of the picks that are uniform.
    pub(super) share: f64,
}

impl Balancer for Exploring {
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize> {
        let mut state = pick.random;
        // The inner policy follows the set even where it does not choose.
        let chosen = self.inner.pick(endpoints, Pick { random: next(&mut state), hash: pick.hash });
        if uniform(&mut state) >= self.share {
            return chosen;
        }
        let open = available(endpoints);
        if open.is_empty() { None } else { Some(open[below(&mut state, open.len())]) }
    }

    fn latency_decay(&self) -> Duration {
        self.inner.latency_decay()
    }

    fn observe(&mut self, feedback: &Feedback) {
        self.inner.observe(feedback);
    }

    fn hint(&mut self, key: u64, unseen: f64, at_ms: u64) {
        self.inner.hint(key, unseen, at_ms);
    }

    fn propensity(&mut self, endpoints: &dyn Endpoints, pick: Pick, index: usize) -> Option<f64> {
        let inner = self.inner.propensity(endpoints, pick, index)?;
        let open = available(endpoints);
        let uniform = if open.contains(&index) { 1.0 / open.len() as f64 } else { 0.0 };
        Some(self.share * uniform + (1.0 - self.share) * inner)
    }

    fn arms(&self) -> Vec<ArmStats> {
        self.inner.arms()
    }

    fn report(&self) -> Option<BalancerReport> {
        self.inner.report()
    }

    fn share(&mut self, sender: u64, endpoints: &dyn Endpoints) -> Option<SharedStatistics> {
        self.inner.share(sender, endpoints)
    }

    fn merge(&mut self, statistics: SharedStatistics, sight: Sight) -> Result<bool, Error> {
        self.inner.merge(statistics, sight)
    }

    fn save(&self) -> Option<SavedBalancer> {
        self.inner.save()
    }

    fn restore(&mut self, saved: SavedBalancer) -> Result<(), Error> {
        self.inner.restore(saved)
    }
}

#[cfg(test)]
mod tests {
    use crate::{BalancerKind, Pick, View};

    #[test]
    fn propensities_are_the_shares_of_picks() {
        let views = [3, 1, 1, 0, 2].map(|in_flight| View { in_flight, available: in_flight != 2, ..View::default() });
        for policy in [
            r#"{"policy":"random"}"#,
            r#"{"policy":"least_request"}"#,
            r#"{"policy":"least_request","choices":64}"#,
            r#"{"policy":"peak_ewma"}"#,
        ] {
            let kind: BalancerKind = serde_json::from_str(policy).unwrap();
            let mut balancer = kind.exploring(0, 0.3);
            let mut counts = [0_u32; 5];
            let mut state = 5_u64;
            for _ in 0..20_000 {
                let pick = Pick { random: super::next(&mut state), hash: None };
                counts[balancer.pick(&views.as_slice(), pick).unwrap()] += 1;
            }
            for (index, count) in counts.iter().enumerate() {
                let told = balancer.propensity(&views.as_slice(), Pick { random: 1, hash: None }, index).unwrap();
                assert!((told - f64::from(*count) / 20_000.0).abs() < 0.015, "{policy} {index}: {told} {counts:?}");
            }
        }
    }
}
