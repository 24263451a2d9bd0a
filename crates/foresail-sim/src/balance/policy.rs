//! What can choose in a run.

use foresail_route::{Balancer, BalancerKind};

use super::oracle::Oracle;
use super::prequal::Prequal;

/// A policy, which every proxy of a run has one of.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// The learned balancer, choosing alone.
    Learned,
    /// Least in flight of all: nginx's and HAProxy's least connections.
    LeastRequest,
    /// Less in flight of two drawn at random.
    Random2,
    /// Peak-EWMA latency times requests in flight, of two drawn at random: linkerd's.
    PeakEwma,
    /// See [`Prequal`].
    Prequal,
    /// Any policy of a configuration.
    Kind(BalancerKind),
    /// The same with a share of its picks at random.
    Exploring(BalancerKind, f64),
    /// One that knows the truth.
    Oracle(Oracle),
}

/// Whoever chooses for one proxy.
pub(super) enum Chooser {
    Balancer(Box<dyn Balancer>),
    Oracle(Oracle),
}

impl Policy {
    /// Its name in a table.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::LeastRequest => "least_request",
            Self::Random2 => "random2",
            Self::PeakEwma => "peak_ewma",
            Self::Prequal => "prequal",
            Self::Kind(kind) => kind.name(),
            Self::Exploring(..) => "exploring",
            Self::Oracle(Oracle::Marginal) => "oracle",
            Self::Oracle(Oracle::Improved) => "improved oracle",
        }
    }

    pub(super) fn chooser(&self, proxy: u64) -> Chooser {
        let ms = std::time::Duration::from_millis;
        let learned =
            BalancerKind::Learned { choices: 16, memory: ms(10_000), failure_cost: ms(1_000), contest: false };
        Chooser::Balancer(match self {
            Self::Learned => learned.build(proxy),
            Self::LeastRequest => BalancerKind::LeastRequest { choices: 64 }.build(proxy),
            Self::Random2 => BalancerKind::LeastRequest { choices: 2 }.build(proxy),
            Self::PeakEwma => {
                BalancerKind::PeakEwma { choices: 2, decay: ms(10_000), failure_cost: ms(1_000) }.build(proxy)
            }
            Self::Prequal => Box::new(Prequal::default()),
            Self::Kind(kind) => kind.build(proxy),
            Self::Exploring(kind, share) => kind.exploring(proxy, *share),
            Self::Oracle(oracle) => return Chooser::Oracle(*oracle),
        })
    }
}
