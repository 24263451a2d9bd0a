//! What people should be told. Raised when it begins, and again only after it has ended.

use std::fmt;
use std::time::Duration;

use foresail_core::Replicas;
use serde::{Deserialize, Serialize};

/// Something to tell the operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Alert {
    /// A metric source has fallen silent: up only.
    Silent {
        /// Age of the newest sample.
        age: Duration,
    },
    /// Silent for too long: no more orders until there is data. Whoever keeps a floor in the target removes it.
    HandedBack {
        /// Age of the newest sample.
        age: Duration,
    },
    /// There is data again.
    TakenBack,
    /// The champion lost against the baseline, which decides from here on.
    Demoted {
        /// Why, in figures.
        why: String,
    },
    /// The champion won in shadow and decides again.
    Readmitted {
        /// Why, in figures.
        why: String,
    },
    /// More replicas are needed than the maximum allows.
    AtMaximum {
        /// How many were needed.
        needed: Replicas,
    },
    /// The budget cuts what is proposed.
    OverBudget,
    /// More than a fifth of the starts fail.
    StartsFail {
        /// Share that failed, 0 to 1.
        share: f64,
    },
    /// Something else changes the target: orders have stopped, and are offered as recommendations.
    OtherWriter {
        /// What it was set to.
        found: Replicas,
    },
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { age } => write!(f, "no fresh metrics for {} s: scaling up only", age.as_secs()),
            Self::HandedBack { age } => write!(f, "no metrics for {} s: the target is handed back", age.as_secs()),
            Self::TakenBack => write!(f, "metrics are back: deciding again"),
            Self::Demoted { why } => write!(f, "the champion is demoted to the baseline: {why}"),
            Self::Readmitted { why } => write!(f, "the champion decides again: {why}"),
            Self::AtMaximum { needed } => write!(f, "{needed} replicas are needed, more than the maximum"),
            Self::OverBudget => write!(f, "the budget cuts the number of replicas"),
            Self::StartsFail { share } => write!(f, "{:.0} % of the starts fail", 100.0 * share),
            Self::OtherWriter { found } => write!(f, "something else set the target to {found}: orders have stopped"),
        }
    }
}

/// Which lasting conditions have been told. Plain data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) silent: bool,
    pub(super) handed_back: bool,
    pub(super) at_maximum: bool,
    pub(super) over_budget: bool,
    pub(super) starts_fail: bool,
}

/// Whether a condition has just begun; remembers it.
pub(super) fn begins(told: &mut bool, holds: bool) -> bool {
    let begins = holds && !*told;
    *told = holds;
    begins
}
