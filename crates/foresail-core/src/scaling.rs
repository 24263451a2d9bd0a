//! The words of scaling: what is observed, what is decided and why, what is ordered.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Replicas, Timestamp};

/// What a number measures. Load metrics are totals over the whole service, not per replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// Requests (or events) that arrived, a second, counted before any queue or limit.
    RequestRate,
    /// Mean utilisation of the ready replicas, 0 to 1; saturates at 1.
    Utilisation,
    /// Memory in use, bytes, over all replicas.
    Memory,
    /// Connections in use over all pools.
    Connections,
    /// Requests or events waiting, at the end of the interval.
    QueueLength,
}

/// How far a sample may be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// As measured.
    #[default]
    Good,
    /// Taken while the service was saturated: a lower bound of demand.
    Saturated,
    /// Attributed to an attack: never learned from, and capped in scaling.
    Attack,
    /// An anomaly or drift alarm holds: used for the floor, not learned from.
    Suspect,
}

/// One measurement over `[time − interval, time)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What it measures.
    pub metric: Metric,
    /// End of the interval it covers.
    pub time: Timestamp,
    /// Length of that interval.
    pub interval: Duration,
    /// The value, finite.
    pub value: f64,
    /// How far to trust it.
    #[serde(default)]
    pub quality: Quality,
}

/// Replicas of a target, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaCounts {
    /// What the target was last asked for.
    pub desired: Replicas,
    /// Serving.
    pub ready: Replicas,
    /// Ordered and not yet serving.
    pub starting: Replicas,
}

/// What a policy is told at an instant: nothing in it is younger than `time`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The instant of the decision.
    pub time: Timestamp,
    /// Time until the next decision.
    pub tick: Duration,
    /// Newest sample of each metric; a metric whose source is silent is absent.
    pub samples: Vec<Sample>,
    /// The target as it stands.
    pub replicas: ReplicaCounts,
}

impl Observation {
    /// The newest sample of `metric`.
    pub fn sample(&self, metric: Metric) -> Option<&Sample> {
        self.samples.iter().find(|s| s.metric == metric)
    }

    /// The newest value of `metric`.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        self.sample(metric).map(|s| s.value)
    }
}

/// Hard limits no decision may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Fewest replicas.
    pub min: Replicas,
    /// Most replicas, at least `min`.
    pub max: Replicas,
}

impl Limits {
    /// `wanted`, within the limits.
    pub fn clamp(&self, wanted: Replicas) -> Replicas {
        wanted.clamp(self.min, self.max.max(self.min))
    }
}

/// Which consideration set the number of replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Driver {
    /// The load measured now.
    Reactive,
    /// A forecast of the load.
    Predicted,
    /// An announced event.
    Event,
    /// The configured minimum.
    Minimum,
    /// Earlier need, kept by a hold, cooldown or hysteresis.
    Held,
    /// No usable data: the last decision stands.
    Stale,
    /// An operator.
    Manual,
    /// Perfect foresight (simulation only).
    Foresight,
}

/// What cut or kept a decision. Combined in a [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// The configured maximum.
    Maximum,
    /// The configured minimum.
    Minimum,
    /// Surge limit: too many starts at once.
    Surge,
    /// Scale-down waits for the need to have stayed low.
    DownHold,
    /// A cooldown since the last action.
    Cooldown,
    /// The change is too small to act on.
    Hysteresis,
    /// Budget or cost limit.
    Budget,
    /// Attack traffic was left out of the need.
    AttackCap,
}

/// Why a decision is what it is. `Display` is the sentence people read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// What set the number.
    pub driver: Driver,
    /// Load that drove it, in the unit of its metric, if any.
    pub load: Option<f64>,
    /// Replicas needed for the load measured now.
    pub reactive: Replicas,
    /// Replicas needed for the forecast, if there is one.
    pub predicted: Option<Replicas>,
    /// What cut or kept it.
    pub limits: Vec<Limit>,
    /// The part of the policy that spoke (a model, a rung of a ladder), and anything else worth saying.
    pub note: String,
}

impl Reason {
    /// A reason with a driver alone.
    pub fn new(driver: Driver) -> Self {
        Self { driver, load: None, reactive: Replicas(0), predicted: None, limits: Vec::new(), note: String::new() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.driver {
            Driver::Reactive => "the load measured now",
            Driver::Predicted => "the forecast load",
            Driver::Event => "an announced event",
            Driver::Minimum => "the configured minimum",
            Driver::Held => "a need that has not stayed low for long enough",
            Driver::Stale => "no usable data, so the last decision stands",
            Driver::Manual => "an operator",
            Driver::Foresight => "perfect foresight",
        };
        write!(f, "set by {what}")?;
        if let Some(load) = self.load {
            write!(f, " ({load:.1})")?;
        }
        if self.reactive > Replicas(0) {
            write!(f, "; needed now {}", self.reactive)?;
        }
        if let Some(predicted) = self.predicted {
            write!(f, "; needed by forecast {predicted}")?;
        }
        for limit in &self.limits {
            let said = match limit {
                Limit::Maximum => "cut to the maximum",
                Limit::Minimum => "raised to the minimum",
                Limit::Surge => "cut by the surge limit",
                Limit::DownHold => "kept by the down-hold",
                Limit::Cooldown => "kept by the cooldown",
                Limit::Hysteresis => "kept, the change being too small",
                Limit::Budget => "cut by the budget",
                Limit::AttackCap => "attack traffic left out",
            };
            write!(f, "; {said}")?;
        }
        if !self.note.is_empty() {
            write!(f, "; {}", self.note)?;
        }
        Ok(())
    }
}

/// How many replicas a policy wants, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Wanted replicas.
    pub desired: Replicas,
    /// Why.
    pub reason: Reason,
}

/// What an order asks of a target. Goals, not steps: applying one twice changes nothing more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Goal {
    /// Have this many replicas.
    Replicas {
        /// How many.
        replicas: Replicas,
    },
    /// Give each replica this much, as a factor of its base size.
    Size {
        /// Factor of the base size, above 0.
        factor: f64,
    },
    /// Warm caches for a load that is on its way.
    Warm {
        /// Share of the working set to load, 0 to 1.
        share: f64,
    },
}

/// A goal for a target, with the decision it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Journal id of the decision.
    pub decision: u64,
    /// When it was given.
    pub time: Timestamp,
    /// What to bring about.
    pub goal: Goal,
}

/// Decides how many replicas to have. Pure: the same observations give the same decisions.
pub trait Policy: Send {
    /// Its id, with parameters where it has any (`hpa@0.7`).
    fn name(&self) -> &str;
    /// The number of replicas wanted from `observation.time` on.
    fn decide(&mut self, observation: &Observation) -> Decision;
    /// One replica serves `capacity_rps` requests a second from here on (a finite number above 0), as has been learned. For
    /// policies that count by capacity; the others see it in the utilisation.
    fn set_capacity(&mut self, _capacity_rps: f64) {}
    /// Bytes of what it has learned and remembers; 0 where that is next to nothing.
    fn memory_bytes(&self) -> usize {
        0
    }
}
