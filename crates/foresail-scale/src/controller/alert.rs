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

impl Alert {
    /// The word for it, as in its JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Silent { .. } => "silent",
            Self::HandedBack { .. } => "handed_back",
            Self::TakenBack => "taken_back",
            Self::Demoted { .. } => "demoted",
            Self::Readmitted { .. } => "readmitted",
            Self::AtMaximum { .. } => "at_maximum",
            Self::OverBudget => "over_budget",
            Self::StartsFail { .. } => "starts_fail",
            Self::OtherWriter { .. } => "other_writer",
        }
    }

    /// Whether it is over as soon as it is told, being the end of another.
    pub fn is_moment(&self) -> bool {
        matches!(self, Self::TakenBack | Self::Readmitted { .. })
    }
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
    #[serde(default)]
    pub(super) other_writer: bool,
}

/// What is new in a turn.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) began: Vec<Alert>,
    pub(super) ended: Vec<&'static str>,
}

impl News {
    /// Follows a lasting condition: tells when it begins, and when it has ended.
    pub(super) fn follow(&mut self, told: &mut bool, holds: bool, alert: Alert) {
        match (*told, holds) {
            (false, true) => self.began.push(alert),
            (true, false) => self.ended.push(alert.kind()),
            _ => {}
        }
        *told = holds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_for_an_alert_is_the_one_in_its_json() {
        for alert in [
            Alert::Silent { age: Duration::ZERO },
            Alert::HandedBack { age: Duration::ZERO },
            Alert::TakenBack,
            Alert::Demoted { why: String::new() },
            Alert::Readmitted { why: String::new() },
            Alert::AtMaximum { needed: Replicas(1) },
            Alert::OverBudget,
            Alert::StartsFail { share: 0.5 },
            Alert::OtherWriter { found: Replicas(1) },
        ] {
            assert_eq!(serde_json::to_value(&alert).unwrap()["kind"], alert.kind());
        }
    }

    #[test]
    fn a_condition_is_told_once_when_it_begins_and_once_when_it_ends() {
        let (mut news, mut told) = (News::default(), false);
        for holds in [false, true, true, false, false, true] {
            news.follow(&mut told, holds, Alert::OverBudget);
        }
        assert_eq!((news.began.len(), news.ended), (2, vec!["over_budget"]));
    }
}
