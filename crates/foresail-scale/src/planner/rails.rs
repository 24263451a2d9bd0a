//! The limits and brakes of a target, with their ranges.

use std::time::Duration;

use foresail_core::Limits;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;

/// The most that may be started at once: the greater of `least` and a share of what there was a `period` ago. The
/// defaults are those of a horizontal pod autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Surge {
    /// Replicas that may always be started.
    pub least: u32,
    /// Share of what there was, at least 0: 1 doubles.
    pub share: f64,
    /// Over how long.
    pub period: Duration,
}

impl Default for Surge {
    fn default() -> Self {
        Self { least: 4, share: 1.0, period: Duration::from_secs(15) }
    }
}

/// How fast and when replicas may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DownRules {
    /// For how long the need must have stayed lower.
    pub hold: Duration,
    /// Replicas that may always be removed in a period, at least 1.
    pub least: u32,
    /// Share of what there was that may be removed in a period, 0 to 1.
    pub share: f64,
    /// Over how long.
    pub period: Duration,
    /// No removal while more than this share of the replicas is not ready, 0 to 1.
    pub unready: f64,
}

impl Default for DownRules {
    fn default() -> Self {
        Self { hold: Duration::from_secs(120), least: 1, share: 0.1, period: Duration::from_secs(60), unready: 0.2 }
    }
}

/// What may be spent in any 24 hours. The reactive need and the minimum are met beyond it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Replica-hours a day, above 0.
    pub replica_hours_per_day: Option<f64>,
    /// Money a day, above 0; needs a price.
    pub cost_per_day: Option<f64>,
    /// Money for a replica-hour, above 0.
    pub price_per_replica_hour: Option<f64>,
}

impl Budget {
    /// Replica-hours a day that both limits allow; `None` without a limit.
    pub fn hours_per_day(&self) -> Option<f64> {
        let by_cost = self.cost_per_day.zip(self.price_per_replica_hour).map(|(cost, price)| cost / price);
        [self.replica_hours_per_day, by_cost].into_iter().flatten().reduce(f64::min)
    }
}

/// The limits and brakes of one target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guardrails {
    /// Hard limits.
    pub limits: Limits,
    /// Limit on starts.
    #[serde(default)]
    pub surge: Surge,
    /// Rules for removal.
    #[serde(default)]
    pub down: DownRules,
    /// Least time between two rises beyond the reactive need.
    #[serde(default)]
    pub up_cooldown: Duration,
    /// Least time between any change and a removal.
    #[serde(default)]
    pub down_cooldown: Duration,
    /// Changes of no more than this share of the replicas are left alone, 0 to 1, unless the reactive need asks for them.
    #[serde(default)]
    pub hysteresis: f64,
    /// What may be spent.
    #[serde(default)]
    pub budget: Budget,
}

impl Guardrails {
    /// Within `limits`, with the defaults of every rule: no cooldown, no hysteresis, no budget.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            surge: Surge::default(),
            down: DownRules::default(),
            up_cooldown: Duration::ZERO,
            down_cooldown: Duration::ZERO,
            hysteresis: 0.0,
            budget: Budget::default(),
        }
    }

    /// Refuses values outside their ranges.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub fn check(&self) -> Result<(), Error> {
        let share = |v: f64| (0.0..=1.0).contains(&v);
        check(self.limits.min <= self.limits.max, "limits.max", self.limits.max, "at least limits.min")?;
        check(self.surge.share >= 0.0 && self.surge.share.is_finite(), "surge.share", self.surge.share, "at least 0")?;
        check(self.surge.least > 0 || self.surge.share > 0.0, "surge.least", 0, "above 0 where surge.share is 0")?;
        check(share(self.down.share), "down.share", self.down.share, "0 to 1")?;
        check(self.down.least >= 1, "down.least", self.down.least, "at least 1")?;
        check(share(self.down.unready), "down.unready", self.down.unready, "0 to 1")?;
        check(share(self.hysteresis), "hysteresis", self.hysteresis, "0 to 1")?;
        let Budget { replica_hours_per_day, cost_per_day, price_per_replica_hour } = self.budget;
        for (name, value) in [
            ("budget.replica_hours_per_day", replica_hours_per_day),
            ("budget.cost_per_day", cost_per_day),
            ("budget.price_per_replica_hour", price_per_replica_hour),
        ] {
            check(value.is_none_or(|v| v > 0.0 && v.is_finite()), name, value.unwrap_or(0.0), "a number above 0")?;
        }
        let priced = cost_per_day.is_none() || price_per_replica_hour.is_some();
        check(priced, "budget.cost_per_day", cost_per_day.unwrap_or(0.0), "given together with a price")
    }
}
