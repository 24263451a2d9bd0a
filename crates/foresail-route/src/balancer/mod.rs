//! The balancer trait and its policies, a file each.

mod candidates;
mod least_request;
mod peak_ewma;
mod random;
mod ring_hash;
mod round_robin;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::check;
use crate::{Endpoints, Error};

/// What a pick may depend on besides the endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// 64 uniform bits.
    pub random: u64,
    /// Hash of what ties a request to an endpoint; used by the ring alone, which falls back on `random`.
    pub hash: Option<u64>,
}

/// Chooses endpoints. One belongs to one worker, so it may keep state without sharing it.
pub trait Balancer: Send {
    /// The index of an available endpoint; `None` if there is none.
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize>;

    /// How fast the latency in the views should be forgotten.
    fn latency_decay(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// The policies and their settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum BalancerKind {
    /// In turn, by weight (nginx's smooth weighted round robin).
    RoundRobin {},
    /// At random, by weight.
    Random {},
    /// The least in flight for its weight among some drawn at random.
    LeastRequest {
        /// How many are drawn, 1 to 64; at least the number of endpoints looks at all.
        #[serde(default = "two")]
        choices: usize,
    },
    /// The least expected wait among some drawn at random: Peak-EWMA latency times the requests in flight, plus what its
    /// failures are expected to cost. The default.
    PeakEwma {
        /// How many are drawn, 1 to 64. Two are enough on even fleets; where sizes differ widely, small choices cannot
        /// reach the few big endpoints often enough: take 5 or more.
        #[serde(default = "two")]
        choices: usize,
        /// How fast latency is forgotten, `100ms` to `10m`.
        #[serde(default = "ten_seconds", with = "foresail_core::humane")]
        decay: Duration,
        /// What one failed answer costs, `0s` to `1m`.
        #[serde(default = "one_second", with = "foresail_core::humane")]
        failure_cost: Duration,
    },
    /// The same key meets the same endpoint as long as the set allows (consistent hashing).
    RingHash {
        /// Points on the ring per endpoint, 1 to 4096.
        #[serde(default = "points")]
        points: usize,
        /// No endpoint gets more than this multiple of the mean in flight, 1.05 to 10 (Mirrokni, Thorup and Zadimoghaddam
        /// 2018, "Consistent Hashing with Bounded Loads").
        #[serde(default = "bounded_load")]
        bounded_load: f64,
        /// What ties requests together.
        key: HashKey,
    },
}

/// What a ring hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HashKey {
    /// The client's address.
    ClientAddress,
    /// The path without its query.
    Path,
    /// A request header; requests without it are spread at random.
    Header(String),
}

fn two() -> usize {
    2
}

fn points() -> usize {
    160
}

fn bounded_load() -> f64 {
    1.25
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

impl Default for BalancerKind {
    fn default() -> Self {
        Self::PeakEwma { choices: two(), decay: ten_seconds(), failure_cost: one_second() }
    }
}

impl BalancerKind {
    /// A balancer for the worker numbered `worker`; workers in turn start at different endpoints.
    pub fn build(&self, worker: u64) -> Box<dyn Balancer> {
        match *self {
            Self::RoundRobin {} => Box::new(round_robin::RoundRobin::new(worker)),
            Self::Random {} => Box::new(random::Random),
            Self::LeastRequest { choices } => Box::new(least_request::LeastRequest { choices }),
            Self::PeakEwma { choices, decay, failure_cost } => {
                Box::new(peak_ewma::PeakEwma { choices, decay, failure_cost_ms: failure_cost.as_secs_f64() * 1000.0 })
            }
            Self::RingHash { points, bounded_load, .. } => Box::new(ring_hash::RingHash::new(points, bounded_load)),
        }
    }

    /// # Errors
    /// [`Error::OutOfRange`] for a setting out of its range.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::RoundRobin {} | Self::Random {} => Ok(()),
            Self::LeastRequest { choices } => check((1..=64).contains(choices), "balancer.choices", choices, "1 to 64"),
            Self::PeakEwma { choices, decay, failure_cost } => {
                check((1..=64).contains(choices), "balancer.choices", choices, "1 to 64")?;
                let accepted = (Duration::from_millis(100)..=Duration::from_secs(600)).contains(decay);
                check(accepted, "balancer.decay", format!("{decay:?}"), "100ms to 10m")?;
                let accepted = *failure_cost <= Duration::from_secs(60);
                check(accepted, "balancer.failure_cost", format!("{failure_cost:?}"), "0s to 1m")
            }
            Self::RingHash { points, bounded_load, key } => {
                check((1..=4096).contains(points), "balancer.points", points, "1 to 4096")?;
                check((1.05..=10.0).contains(bounded_load), "balancer.bounded_load", bounded_load, "1.05 to 10")?;
                let named = !matches!(key, HashKey::Header(name) if name.is_empty());
                check(named, "balancer.key.header", "empty", "the name of a header")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;
    use proptest::prelude::*;

    use super::*;
    use crate::View;

    fn kinds() -> Vec<BalancerKind> {
        vec![
            BalancerKind::RoundRobin {},
            BalancerKind::Random {},
            BalancerKind::LeastRequest { choices: 2 },
            BalancerKind::default(),
            BalancerKind::PeakEwma { choices: 64, decay: ten_seconds(), failure_cost: one_second() },
            BalancerKind::RingHash { points: 160, bounded_load: 1.25, key: HashKey::Path },
        ]
    }

    #[test]
    fn kinds_are_read_with_their_defaults_and_checked() {
        let kind: BalancerKind = serde_json::from_str(r#"{"policy":"peak_ewma"}"#).unwrap();
        assert_eq!(kind, BalancerKind::default());
        let ring: BalancerKind = serde_json::from_str(r#"{"policy":"ring_hash","key":{"header":"x-user"}}"#).unwrap();
        assert!(ring.check().is_ok());
        assert!(serde_json::from_str::<BalancerKind>(r#"{"policy":"random","choices":2}"#).is_err());
        assert!(BalancerKind::LeastRequest { choices: 0 }.check().is_err());
        let text = serde_json::to_string(&kind).unwrap();
        assert_eq!(serde_json::from_str::<BalancerKind>(&text).unwrap(), kind);
    }

    /// Twice the weight gets about twice the traffic where requests take equally long.
    #[test]
    fn weights_share_the_traffic() {
        for kind in [BalancerKind::RoundRobin {}, BalancerKind::Random {}] {
            let mut balancer = kind.build(0);
            let mut rng = SeededRng::seed_from_u64(3);
            let views = [View { weight: 2.0, ..View::default() }, View::default()];
            let first = (0..3000)
                .filter(|_| balancer.pick(&views.as_slice(), Pick { random: rng.next_u64(), hash: None }) == Some(0))
                .count();
            assert!((1900..2100).contains(&first), "{kind:?}: {first}");
        }
    }

    proptest! {
        /// Whatever is picked is available, and something is picked as long as something is.
        #[test]
        fn picks_the_available(
            endpoints in proptest::collection::vec((0..9_u32, 0.0..50.0_f64, 0.0..=1.0_f64, 0.1..3.0_f64, any::<bool>()), 0..90),
            randoms in proptest::collection::vec(any::<u64>(), 1..20),
        ) {
            let views: Vec<View> = endpoints
                .iter()
                .map(|&(in_flight, latency_ms, failure_rate, weight, available)| {
                    View { in_flight, latency_ms, failure_rate, weight, available }
                })
                .collect();
            let any = views.iter().any(|v| v.available);
            for kind in kinds() {
                let mut balancer = kind.build(1);
                for &random in &randoms {
                    let picked = balancer.pick(&views.as_slice(), Pick { random, hash: Some(random) });
                    prop_assert_eq!(picked.is_some(), any, "{:?}", kind);
                    prop_assert!(picked.is_none_or(|i| views[i].available));
                }
            }
        }
    }
}
