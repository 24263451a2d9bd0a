//! The router's cost beside that of the requests held out from it.

use serde::{Deserialize, Serialize};

use crate::balancer::Ratios;

/// Answers of the held out that make a round.
const ROUND: u32 = 25;
/// Rounds that are remembered before the account begins anew.
const MOST_ROUNDS: u32 = 12;

/// Mean costs in rounds. Both kinds of requests meet the same queues, so this account is only good enough to ask for a proper
/// contest, which deals out time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldOut {
    router: (f64, u32),
    held_out: (f64, u32),
    rounds: Ratios,
}

impl HoldOut {
    /// Takes in what a request cost; whether the router is proved to be dearer. It begins anew then.
    pub(super) fn observe(&mut self, is_held_out: bool, cost: f64) -> bool {
        let (sum, count) = if is_held_out { &mut self.held_out } else { &mut self.router };
        (*sum, *count) = (*sum + cost, count.saturating_add(1));
        if self.held_out.1 < ROUND {
            return false;
        }
        self.rounds.push(self.router, self.held_out, ROUND);
        (self.router, self.held_out) = Default::default();
        let is_lost = self.rounds.is_lost();
        if is_lost || self.rounds.count() >= MOST_ROUNDS {
            self.rounds = Ratios::default();
        }
        is_lost
    }

    /// Whether a restored one can be reckoned with.
    pub(super) fn is_sound(&self) -> bool {
        self.router.0.is_finite() && self.held_out.0.is_finite() && self.rounds.is_sound()
    }

    /// Mean logarithm of the ratio of the costs, the router's over the others', and its standard error.
    pub(super) fn evidence(&self) -> Option<(f64, f64)> {
        self.rounds.evidence()
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    #[test]
    fn a_dearer_router_is_found_out_and_a_cheaper_one_is_not() {
        for (router, found_by) in [(2.0, Some(12_000)), (0.7, None)] {
            let mut rng = SeededRng::seed_from_u64(4);
            let mut account = HoldOut::default();
            let found = (0..40_000).find(|i| {
                let is_held_out = i % 50 == 0;
                account.observe(is_held_out, if is_held_out { 1.0 } else { router } * rng.exponential())
            });
            assert!(found.is_some() == found_by.is_some() && found <= found_by, "{router}: {found:?}");
        }
    }
}
