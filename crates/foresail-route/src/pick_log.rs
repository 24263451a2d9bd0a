//! A bounded log of picks, for estimates of what other policies would have done (`foresail_learn::off_policy`).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{Balancer, Endpoints, Pick, View};

/// A pick and what came of it. One line of JSON each makes a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedPick {
    /// The endpoints' keys ([`Endpoints::key`]), so that picks of other sets are told apart.
    pub keys: Vec<u64>,
    /// The endpoints as the balancer saw them.
    pub views: Vec<View>,
    /// Which was picked.
    pub index: usize,
    /// With what probability ([`Balancer::propensity`]), above 0.
    pub propensity: f64,
    /// What it earned: the latency in ms with its sign changed, or that of what a failure costs.
    pub reward: f64,
}

impl LoggedPick {
    /// A pick just made, whose reward is not known yet; `None` if its propensity is not.
    pub fn of(balancer: &mut dyn Balancer, endpoints: &dyn Endpoints, pick: Pick, index: usize) -> Option<Self> {
        let propensity = balancer.propensity(endpoints, pick, index).filter(|propensity| *propensity > 0.0)?;
        let all = 0..endpoints.count();
        let keys = all.clone().map(|at| endpoints.key(at)).collect();
        let views = all.map(|at| endpoints.view(at)).collect();
        Some(Self { keys, views, index, propensity, reward: 0.0 })
    }
}

/// Keeps the latest picks and counts those it had to let go.
#[derive(Clone, Debug, PartialEq)]
pub struct PickLog {
    capacity: usize,
    picks: VecDeque<LoggedPick>,
    lost: u64,
}

impl PickLog {
    /// Holds up to `capacity` picks.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, picks: VecDeque::new(), lost: 0 }
    }

    /// Takes in a pick, at the cost of the oldest if it is full.
    pub fn push(&mut self, pick: LoggedPick) {
        self.picks.push_back(pick);
        while self.picks.len() > self.capacity {
            self.picks.pop_front();
            self.lost += 1;
        }
    }

    /// Picks let go.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// All of it, oldest first.
    pub fn take(&mut self) -> Vec<LoggedPick> {
        self.picks.drain(..).collect()
    }
}

/// The share of picks that each endpoint would get of a balancer as things stand, over `draws` draws: a policy's
/// probabilities at a logged pick. For policies that judge by the views alone.
pub fn shares_of_picks(balancer: &mut dyn Balancer, endpoints: &dyn Endpoints, draws: u32, seed: u64) -> Vec<f64> {
    let mut shares = vec![0.0; endpoints.count()];
    for draw in 0..draws {
        // Words of a Weyl sequence, spread by the balancer's own mixing.
        let random = seed.wrapping_add(u64::from(draw).wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(17);
        if let Some(index) = balancer.pick(endpoints, Pick { random, hash: None }) {
            shares[index] += 1.0 / f64::from(draws);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BalancerKind;

    #[test]
    fn the_latest_are_kept_and_lines_come_back() {
        let views = [0, 4, 1].map(|in_flight| View { in_flight, ..View::default() });
        let mut balancer = BalancerKind::LeastRequest { choices: 2 }.build(0);
        let mut log = PickLog::new(2);
        for random in 0..5_u64 {
            let pick = Pick { random, hash: None };
            let index = balancer.pick(&views.as_slice(), pick).unwrap();
            let picked = LoggedPick::of(balancer.as_mut(), &views.as_slice(), pick, index).unwrap();
            log.push(LoggedPick { reward: -(random as f64), ..picked });
        }
        assert_eq!(log.lost(), 3);
        let kept = log.take();
        assert_eq!(kept.iter().map(|pick| pick.reward).collect::<Vec<_>>(), [-3.0, -4.0]);
        let line = serde_json::to_string(&kept[0]).unwrap();
        assert_eq!(serde_json::from_str::<LoggedPick>(&line).unwrap(), kept[0]);
    }

    #[test]
    fn shares_are_those_of_two_choices() {
        let views = [0, 4, 1].map(|in_flight| View { in_flight, ..View::default() });
        let mut balancer = BalancerKind::LeastRequest { choices: 2 }.build(0);
        let shares = shares_of_picks(balancer.as_mut(), &views.as_slice(), 6_000, 3);
        assert!(
            shares.iter().zip([2.0 / 3.0, 0.0, 1.0 / 3.0]).all(|(got, told)| (got - told).abs() < 0.03),
            "{shares:?}"
        );
        let mut random = BalancerKind::Random {}.build(0);
        let shares = shares_of_picks(random.as_mut(), &views.as_slice(), 6_000, 3);
        assert!(shares.iter().all(|share| (share - 1.0 / 3.0).abs() < 0.03), "{shares:?}");
    }
}
