//! The policies by name, with their settings, the ranges of those, and how each is built.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Balancer, arms, contextual, epsilon_greedy, exploring, learned, least_request, peak_ewma, random, ring_hash,
    round_robin, supervised, thompson, ucb,
};
use crate::Error;
use crate::error::check;

/// The policies and their settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// failures are expected to cost.
    PeakEwma {
        /// How many are drawn, 1 to 64. Two are enough on even fleets; where sizes differ widely, small choices cannot
        /// reach the few big endpoints often enough: take 5 or more.
        #[serde(default = "two")]
        choices: usize,
        /// How fast latency is forgotten, `100ms` to `10m`.
        #[serde(default = "ten_seconds", with = "foresail_core::humane::Text")]
        decay: Duration,
        /// What one failed answer costs, `0s` to `1m`.
        #[serde(default = "one_second", with = "foresail_core::humane::Text")]
        failure_cost: Duration,
    },
    /// The least expected cost by what was learned of each endpoint's latency and how it grows with the requests in flight
    /// there, what one more request costs those already there included. The default.
    Learned {
        /// Sets up to this size are looked at whole; of larger ones an eighth is drawn at random, no fewer than 5 and no more
        /// than this. 5 to 64.
        #[serde(default = "sixteen")]
        choices: usize,
        /// How fast answers are forgotten, `1s` to `1h`.
        #[serde(default = "ten_seconds", with = "foresail_core::humane::Text")]
        memory: Duration,
        /// What one failed answer costs, `0s` to `1m`.
        #[serde(default = "one_second", with = "foresail_core::humane::Text")]
        failure_cost: Duration,
        /// Whether it has to prove itself beside least-request before it chooses alone, and again from time to time.
        #[serde(default = "yes")]
        contest: bool,
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
    /// At random by learned weights, with a share of exploration. Answers queues later than `peak_ewma`, which is the
    /// better choice under load; as published it overloads slow endpoints.
    EpsilonGreedy {
        /// As published, or repaired.
        #[serde(default)]
        mode: LearnMode,
        /// The share of picks that explores, 0 to 1; when repaired, it shrinks from there as answers come in.
        #[serde(default = "tenth")]
        epsilon: f64,
        /// How fast a weight follows the score, 0.001 to 1.
        #[serde(default = "tenth")]
        alpha: f64,
        /// The latency that earns half of the score for latency, `1ms` to `10m`.
        #[serde(default = "hundred_ms", with = "foresail_core::humane::Text")]
        target: Duration,
        /// Answers remembered per endpoint, 10 to 5000.
        #[serde(default = "thousand")]
        history: usize,
        /// How long an answer counts, `1s` to `1h`.
        #[serde(default = "five_minutes", with = "foresail_core::humane::Text")]
        window: Duration,
    },
    /// The greatest draw from the posteriors of answering well and in time (Thompson sampling). Where all but the failing
    /// endpoints are slower than the threshold it runs into the failures: set the threshold by what the fleet can do.
    Thompson {
        /// As published, or repaired.
        #[serde(default)]
        mode: LearnMode,
        /// A success is answered within it, `1ms` to `10m`.
        #[serde(default = "hundred_ms", with = "foresail_core::humane::Text")]
        threshold: Duration,
        /// How fast counts fade when repaired, `1s` to `1h`.
        #[serde(default = "half_minute", with = "foresail_core::humane::Text")]
        memory: Duration,
        /// How many endpoints are drawn when repaired, 1 to 64. With two, a pair of bad ones is met too often for their
        /// capacity.
        #[serde(default = "five")]
        choices: usize,
    },
    /// The greatest upper confidence bound of the reward 1 / (1 + latency / target), 0 for a failure.
    Ucb {
        /// UCB1 as published, which herds under load, or discounted and mindful of what is in flight.
        #[serde(default)]
        mode: LearnMode,
        /// The factor under the root of the bound, 0 to 10; 2 is UCB1's.
        #[serde(default = "exploration")]
        exploration: f64,
        /// The latency that earns half of the reward, `1ms` to `10m`.
        #[serde(default = "hundred_ms", with = "foresail_core::humane::Text")]
        target: Duration,
        /// How fast rewards fade when repaired, `1s` to `1h`.
        #[serde(default = "half_minute", with = "foresail_core::humane::Text")]
        memory: Duration,
        /// How many endpoints are looked at, 1 to 64.
        #[serde(default = "sixteen")]
        choices: usize,
    },
    /// Thompson sampling for each context apart, such as a client's kind, with contexts drawn together while they are
    /// little known; always discounted and mindful of what is in flight.
    Contextual {
        /// What names the context; requests without one are judged by all contexts together.
        key: HashKey,
        /// A success is answered within it, `1ms` to `10m`.
        #[serde(default = "hundred_ms", with = "foresail_core::humane::Text")]
        threshold: Duration,
        /// How fast counts fade, `1s` to `1h`.
        #[serde(default = "half_minute", with = "foresail_core::humane::Text")]
        memory: Duration,
        /// How many endpoints are drawn, 1 to 64.
        #[serde(default = "five")]
        choices: usize,
        /// How many answers the other contexts are worth at most, 0 to 10000.
        #[serde(default = "pooling")]
        pooling: f64,
        /// Contexts kept apart, 1 to 256; a further one is judged by all together until one of them has faded.
        #[serde(default = "sixty_four")]
        contexts: usize,
    },
}

/// Whether a published algorithm runs as it is written, or with what its measured weaknesses ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LearnMode {
    /// As it is written, weaknesses included.
    Faithful,
    /// Repaired.
    #[default]
    Fixed,
}

/// What of a request a ring or a context hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

fn yes() -> bool {
    true
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

fn five() -> usize {
    5
}

fn sixteen() -> usize {
    16
}

fn tenth() -> f64 {
    0.1
}

fn exploration() -> f64 {
    2.0
}

fn pooling() -> f64 {
    20.0
}

fn thousand() -> usize {
    1000
}

fn sixty_four() -> usize {
    64
}

fn hundred_ms() -> Duration {
    Duration::from_millis(100)
}

fn half_minute() -> Duration {
    Duration::from_secs(30)
}

fn five_minutes() -> Duration {
    Duration::from_secs(300)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn check_choices(choices: usize) -> Result<(), Error> {
    check((1..=64).contains(&choices), "balancer.choices", choices, "1 to 64")
}

fn check_failure_cost(value: Duration) -> Result<(), Error> {
    check(value <= Duration::from_secs(60), "balancer.failure_cost", format!("{value:?}"), "0s to 1m")
}

/// For what latencies are compared with.
fn check_latency(key: &'static str, value: Duration) -> Result<(), Error> {
    let accepted = (Duration::from_millis(1)..=Duration::from_secs(600)).contains(&value);
    check(accepted, key, format!("{value:?}"), "1ms to 10m")
}

/// For how long something is remembered.
fn check_memory(key: &'static str, value: Duration) -> Result<(), Error> {
    let accepted = (Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&value);
    check(accepted, key, format!("{value:?}"), "1s to 1h")
}

fn check_key(key: &HashKey) -> Result<(), Error> {
    let named = !matches!(key, HashKey::Header(name) if name.is_empty());
    check(named, "balancer.key.header", "empty", "the name of a header")
}

impl Default for BalancerKind {
    fn default() -> Self {
        Self::Learned { choices: sixteen(), memory: ten_seconds(), failure_cost: one_second(), contest: yes() }
    }
}

impl BalancerKind {
    /// As [`build`](Self::build), but a policy that learns contests with least-request for the right to choose: it runs in
    /// its shadow, then in turn with it, and acts for as long as its answers do not cost more. The other policies are as built.
    pub fn supervised(&self, worker: u64) -> Box<dyn Balancer> {
        let built = self.build(worker);
        if !self.learns() || matches!(self, Self::Learned { contest: false, .. }) {
            return built;
        }
        Box::new(supervised::Supervised::new(self.name(), built, ms(self.failure_cost())))
    }

    /// As [`supervised`](Self::supervised), but a `share` of the picks, 0 to 1, is uniform over what is available, so that any
    /// endpoint's propensity is above 0: for logs that other policies are to be judged by, and against a learner that is never
    /// shown wrong by its own choices.
    pub fn exploring(&self, worker: u64, share: f64) -> Box<dyn Balancer> {
        let inner = self.supervised(worker);
        if share > 0.0 { Box::new(exploring::Exploring { inner, share: share.min(1.0) }) } else { inner }
    }

    /// Whether it learns from answers, rather than judging by the views alone.
    fn learns(&self) -> bool {
        match self {
            Self::RoundRobin {}
            | Self::Random {}
            | Self::LeastRequest { .. }
            | Self::PeakEwma { .. }
            | Self::RingHash { .. } => false,
            Self::Learned { .. }
            | Self::EpsilonGreedy { .. }
            | Self::Thompson { .. }
            | Self::Ucb { .. }
            | Self::Contextual { .. } => true,
        }
    }

    /// Whether it can tell how probable its picks are.
    pub fn knows_propensities(&self) -> bool {
        !matches!(self, Self::RoundRobin {} | Self::RingHash { .. })
    }

    /// What a failed answer costs: as configured, or a second.
    pub fn failure_cost(&self) -> Duration {
        match self {
            Self::PeakEwma { failure_cost, .. } | Self::Learned { failure_cost, .. } => *failure_cost,
            _ => one_second(),
        }
    }

    /// How fast the policies forget that tell one another what they learned; `None` for those that do not.
    pub fn exchanged_memory(&self) -> Option<Duration> {
        if let Self::Learned { memory, .. } = self { Some(*memory) } else { None }
    }

    /// A balancer for the worker numbered `worker`; workers in turn start at different endpoints.
    pub fn build(&self, worker: u64) -> Box<dyn Balancer> {
        match *self {
            Self::RoundRobin {} => Box::new(round_robin::RoundRobin::new(worker)),
            Self::Random {} => Box::new(random::Random),
            Self::LeastRequest { choices } => Box::new(least_request::LeastRequest { choices }),
            Self::PeakEwma { choices, decay, failure_cost } => {
                Box::new(peak_ewma::PeakEwma { choices, decay, failure_cost_ms: ms(failure_cost) })
            }
            Self::Learned { choices, memory, failure_cost, contest: _ } => {
                Box::new(learned::Learned::new(choices, memory, ms(failure_cost)))
            }
            Self::RingHash { points, bounded_load, .. } => Box::new(ring_hash::RingHash::new(points, bounded_load)),
            Self::EpsilonGreedy { mode, epsilon, alpha, target, history, window } => {
                Box::new(epsilon_greedy::EpsilonGreedy {
                    mode,
                    epsilon,
                    alpha,
                    target_ms: ms(target),
                    history,
                    window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
                    learned: epsilon_greedy::Learned::new(),
                    probabilities: Vec::new(),
                })
            }
            Self::Thompson { mode, threshold, memory, choices } => Box::new(thompson::Thompson {
                mode,
                threshold_ms: ms(threshold),
                memory,
                choices,
                arms: arms::Arms::new(),
                forgetting: arms::Forgetting::default(),
            }),
            Self::Ucb { mode, exploration, target, memory, choices } => Box::new(ucb::Ucb {
                mode,
                exploration,
                target_ms: ms(target),
                memory,
                choices,
                arms: arms::Arms::new(),
                forgetting: arms::Forgetting::default(),
                total: None,
            }),
            Self::Contextual { threshold, memory, choices, pooling, contexts, .. } => {
                Box::new(contextual::Contextual {
                    threshold_ms: ms(threshold),
                    memory,
                    choices,
                    pooling,
                    most_contexts: contexts,
                    arms: arms::Arms::new(),
                    contexts: Vec::new(),
                    forgetting: arms::Forgetting::default(),
                })
            }
        }
    }

    /// Its name in a configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin {} => "round_robin",
            Self::Random {} => "random",
            Self::LeastRequest { .. } => "least_request",
            Self::PeakEwma { .. } => "peak_ewma",
            Self::Learned { .. } => "learned",
            Self::RingHash { .. } => "ring_hash",
            Self::EpsilonGreedy { .. } => "epsilon_greedy",
            Self::Thompson { .. } => "thompson",
            Self::Ucb { .. } => "ucb",
            Self::Contextual { .. } => "contextual",
        }
    }

    /// What of a request makes a pick's [`hash`](crate::Pick::hash); `None` for a policy that does not ask.
    pub fn hash_key(&self) -> Option<&HashKey> {
        match self {
            Self::RingHash { key, .. } | Self::Contextual { key, .. } => Some(key),
            _ => None,
        }
    }

    /// # Errors
    /// [`Error::OutOfRange`] for a setting out of its range.
    pub fn check(&self) -> Result<(), Error> {
        match self {
            Self::RoundRobin {} | Self::Random {} => Ok(()),
            Self::LeastRequest { choices } => check_choices(*choices),
            Self::PeakEwma { choices, decay, failure_cost } => {
                check_choices(*choices)?;
                let accepted = (Duration::from_millis(100)..=Duration::from_secs(600)).contains(decay);
                check(accepted, "balancer.decay", format!("{decay:?}"), "100ms to 10m")?;
                check_failure_cost(*failure_cost)
            }
            Self::Learned { choices, memory, failure_cost, contest: _ } => {
                check((5..=64).contains(choices), "balancer.choices", choices, "5 to 64")?;
                check_memory("balancer.memory", *memory)?;
                check_failure_cost(*failure_cost)
            }
            Self::RingHash { points, bounded_load, key } => {
                check((1..=4096).contains(points), "balancer.points", points, "1 to 4096")?;
                check((1.05..=10.0).contains(bounded_load), "balancer.bounded_load", bounded_load, "1.05 to 10")?;
                check_key(key)
            }
            Self::EpsilonGreedy { epsilon, alpha, target, history, window, .. } => {
                check((0.0..=1.0).contains(epsilon), "balancer.epsilon", epsilon, "0 to 1")?;
                check((0.001..=1.0).contains(alpha), "balancer.alpha", alpha, "0.001 to 1")?;
                check_latency("balancer.target", *target)?;
                check((10..=5000).contains(history), "balancer.history", history, "10 to 5000")?;
                check_memory("balancer.window", *window)
            }
            Self::Thompson { threshold, memory, choices, .. } => {
                check_latency("balancer.threshold", *threshold)?;
                check_memory("balancer.memory", *memory)?;
                check_choices(*choices)
            }
            Self::Ucb { exploration, target, memory, choices, .. } => {
                check((0.0..=10.0).contains(exploration), "balancer.exploration", exploration, "0 to 10")?;
                check_latency("balancer.target", *target)?;
                check_memory("balancer.memory", *memory)?;
                check_choices(*choices)
            }
            Self::Contextual { key, threshold, memory, choices, pooling, contexts } => {
                check_key(key)?;
                check_latency("balancer.threshold", *threshold)?;
                check_memory("balancer.memory", *memory)?;
                check_choices(*choices)?;
                check((0.0..=10_000.0).contains(pooling), "balancer.pooling", pooling, "0 to 10000")?;
                check((1..=256).contains(contexts), "balancer.contexts", contexts, "1 to 256")
            }
        }
    }
}

#[cfg(test)]
mod tests;
