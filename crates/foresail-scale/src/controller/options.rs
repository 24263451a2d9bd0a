//! What a controller is told once.

use std::time::Duration;

use foresail_core::{Known, Mode};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;
use crate::planner::Guardrails;
use crate::reactive::{AttackCap, MetricSpec};
use crate::service::Service;
use crate::staleness::StalenessOptions;

/// When the champion is sent away, and when it may come back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrialOptions {
    /// Window in which lateness is judged, at least 15 minutes.
    pub late_window: Duration,
    /// Window in which cost is judged, and length of the shadow wins that re-admit; at most 24 hours.
    pub cost_window: Duration,
    /// Share by which the champion may be dearer than the baseline without being better, at least 0.
    pub dearer: f64,
    /// Factor by which more requests than the baseline's must be late, beyond the SLO, for a demotion; at least 1.
    pub later: f64,
}

impl Default for TrialOptions {
    fn default() -> Self {
        Self {
            late_window: Duration::from_secs(3_600),
            cost_window: Duration::from_secs(86_400),
            dearer: 0.1,
            later: 1.25,
        }
    }
}

/// Larger replicas, for when there may be no more of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SizeOptions {
    /// Greatest factor of the base size, at least 1; 1 leaves sizes alone.
    pub most: f64,
    /// Factors are multiples of this above 1, above 0.
    pub step: f64,
}

impl Default for SizeOptions {
    fn default() -> Self {
        Self { most: 1.0, step: 0.25 }
    }
}

/// Warming caches ahead of a surge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarmOptions {
    /// Need over ready replicas from which caches are warmed, above 1; none for never.
    pub surge: Option<f64>,
}

/// Everything about one target but its policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControllerOptions {
    /// What one replica can do, for the need tables and the virtual plants of the scorecard.
    pub service: Service,
    /// Metrics that replicas are counted by.
    pub metrics: Vec<MetricSpec>,
    /// Limits and brakes.
    pub rails: Guardrails,
    /// The SLO: share of requests that may be late, above 0 and below 1.
    pub late_fraction: f64,
    /// Time in which a backlog is to be gone; by default the drain target, or a minute.
    #[serde(default)]
    pub drain: Option<Duration>,
    /// How much attack traffic may scale.
    #[serde(default)]
    pub attack_cap: AttackCap,
    /// When sources count as silent.
    #[serde(default)]
    pub staleness: StalenessOptions,
    /// What may be done at the start.
    #[serde(default)]
    pub mode: Mode,
    /// How long a recommendation waits for an answer, and a rejected one stays away.
    #[serde(default = "ten_minutes")]
    pub answer_within: Duration,
    /// Start-up delay that 90 % of the starts keep, until some have been seen.
    #[serde(default = "a_minute")]
    pub startup_p90: Duration,
    /// Announced events and holidays at the start.
    #[serde(default)]
    pub known: Known,
    /// Champion against baseline.
    #[serde(default)]
    pub trial: TrialOptions,
    /// Size per replica.
    #[serde(default)]
    pub size: SizeOptions,
    /// Cache warming.
    #[serde(default)]
    pub warm: WarmOptions,
    /// Version of the learned parts, for the journal.
    #[serde(default)]
    pub learner_version: String,
}

fn ten_minutes() -> Duration {
    Duration::from_secs(600)
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

impl ControllerOptions {
    /// With the defaults: recommend, no budget, sizes and caches left alone.
    pub fn new(service: Service, metrics: Vec<MetricSpec>, rails: Guardrails) -> Self {
        Self {
            service,
            metrics,
            rails,
            late_fraction: 0.001,
            drain: None,
            attack_cap: AttackCap::default(),
            staleness: StalenessOptions::default(),
            mode: Mode::default(),
            answer_within: ten_minutes(),
            startup_p90: a_minute(),
            known: Known::none(),
            trial: TrialOptions::default(),
            size: SizeOptions::default(),
            warm: WarmOptions::default(),
            learner_version: String::new(),
        }
    }

    /// Refuses values outside their ranges.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub fn check(&self) -> Result<(), Error> {
        self.rails.check()?;
        let TrialOptions { late_window, cost_window, dearer, later } = self.trial;
        let day = Duration::from_secs(86_400);
        let windows = [("trial.late_window", late_window), ("trial.cost_window", cost_window)];
        for (name, window) in windows {
            let held = (Duration::from_secs(900)..=day).contains(&window);
            check(held, name, format!("{window:?}"), "15 minutes to 24 hours")?;
        }
        check(dearer >= 0.0 && dearer.is_finite(), "trial.dearer", dearer, "at least 0")?;
        check(later >= 1.0 && later.is_finite(), "trial.later", later, "at least 1")?;
        check(self.size.most >= 1.0 && self.size.most <= 64.0, "size.most", self.size.most, "1 to 64")?;
        check(self.size.step > 0.0 && self.size.step <= 8.0, "size.step", self.size.step, "above 0 and at most 8")?;
        let surge = self.warm.surge;
        check(surge.is_none_or(|s| s > 1.0 && s.is_finite()), "warm.surge", surge.unwrap_or(0.0), "above 1")?;
        let StalenessOptions { scrape, hold, hand_back, .. } = self.staleness;
        check(!scrape.is_zero(), "staleness.scrape", format!("{scrape:?}"), "a duration above 0")?;
        check(hold <= hand_back, "staleness.hold", format!("{hold:?}"), "at most staleness.hand_back")
    }

    /// Hash of all of it with the learner's version: `learner-0123456789abcdef` (FNV-1a over its JSON).
    pub fn version(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
        let learner = if self.learner_version.is_empty() { "none" } else { &self.learner_version };
        format!("{learner}-{hash:016x}")
    }
}
