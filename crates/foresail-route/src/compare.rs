//! What a policy would have cost, from the log of another one.

use foresail_learn::Error;
use foresail_learn::off_policy::{Estimate, Logged, cross_fit, doubly_robust, ips, self_normalised};
use serde::Serialize;

use crate::{BalancerKind, LoggedPick, shares_of_picks};

/// Parts of the log, for each of which the model of rewards is fitted on the others.
const FOLDS: usize = 5;
/// Draws from which a policy's probabilities at a pick are told.
const DRAWS: u32 = 64;

/// The mean reward of a policy by three estimators ([`foresail_learn::off_policy`]).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PolicyEstimate {
    /// Inverse propensity scores: unbiased, of great variance.
    pub ips: Estimate,
    /// The same, normalised by its weights.
    pub self_normalised: Estimate,
    /// A model of the rewards, corrected by what it missed.
    pub doubly_robust: Estimate,
}

impl PolicyEstimate {
    /// Of a policy that judges by the views alone, from picks among one set of endpoints that another policy made, weights
    /// clipped to `clip`. It sees the queues that the other left: a policy that would have left quite different ones is
    /// misjudged. Costs some 64 picks of the policy for each of the log's.
    ///
    /// # Errors
    /// For picks that are not sound: none at all, of sets of several sizes, propensities outside of 0 to 1, values that are
    /// not finite.
    pub fn of(kind: &BalancerKind, picks: &[LoggedPick], clip: f64) -> Result<Self, Error> {
        let arms = picks.first().map_or(0, |pick| pick.views.len());
        let logged = |pick: &LoggedPick| Logged { arm: pick.index, propensity: pick.propensity, reward: pick.reward };
        let log: Vec<Logged> = picks.iter().map(logged).collect();
        let mut balancer = kind.build(0);
        let shares =
            |(pick, seed): (&LoggedPick, u64)| shares_of_picks(balancer.as_mut(), &pick.views.as_slice(), DRAWS, seed);
        let target: Vec<f64> = picks.iter().zip(0..).flat_map(shares).collect();
        let views = picks.iter().flat_map(|pick| &pick.views);
        let features: Vec<f64> = views.flat_map(|view| [f64::from(view.in_flight), view.latency_ms]).collect();
        let predicted = cross_fit(&log, &features, arms, FOLDS)?;
        Ok(Self {
            ips: ips(&log, &target, arms, clip)?,
            self_normalised: self_normalised(&log, &target, arms, clip)?,
            doubly_robust: doubly_robust(&log, &target, &predicted, arms, clip)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;
    use crate::{Pick, View};

    /// Endpoints of 10, 20 and 60 ms, picked at random: a policy that goes by latency is told to be the better one, near its
    /// true cost, and one that goes at random what was seen.
    #[test]
    fn the_better_policy_is_told_from_the_log_of_one_at_random() {
        let mut rng = SeededRng::seed_from_u64(7);
        let views = [10.0, 20.0, 60.0].map(|latency_ms| View { latency_ms, ..View::default() });
        let mut random = BalancerKind::Random {}.build(0);
        let mut pick = || {
            let pick = Pick { random: rng.next_u64(), hash: None };
            let index = random.pick(&views.as_slice(), pick).unwrap();
            let logged = LoggedPick::of(random.as_mut(), &views.as_slice(), pick, index).unwrap();
            LoggedPick { reward: -(views[index].latency_ms + rng.normal()), ..logged }
        };
        let picks: Vec<LoggedPick> = (0..3_000).map(|_| pick()).collect();
        let estimate =
            |text: &str| PolicyEstimate::of(&serde_json::from_str(text).unwrap(), &picks, 20.0).unwrap().doubly_robust;
        let best = estimate(r#"{"policy":"peak_ewma","choices":64}"#);
        assert!((best.value + 10.0).abs() < 0.5, "{best:?}");
        let same = estimate(r#"{"policy":"random"}"#);
        assert!((same.value + 30.0).abs() < 1.5 && same.interval.1 < best.interval.0, "{same:?}");
        assert!(PolicyEstimate::of(&BalancerKind::Random {}, &[], 20.0).is_err());
        let broken = LoggedPick { propensity: 0.0, ..picks[0].clone() };
        assert!(PolicyEstimate::of(&BalancerKind::Random {}, &[broken], 20.0).is_err());
        let beyond = LoggedPick { index: 3, ..picks[0].clone() };
        assert!(PolicyEstimate::of(&BalancerKind::Random {}, &[beyond], 20.0).is_err());
    }
}
