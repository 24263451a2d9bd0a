//! What is found: a discrepancy with what to do about it and the figures behind it.

use std::fmt;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

/// What does not go as predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DiscrepancyKind {
    /// The load is far above what was forecast.
    UnexpectedSpike,
    /// The load is far below what was forecast.
    UnexpectedDrop,
    /// The memory of copies grows steadily, whatever the load.
    Leak,
    /// A request takes more of a replica than it did.
    EfficiencyLoss,
    /// After actions utilisation is lower than predicted: there were more replicas than needed.
    Overprediction,
    /// After actions utilisation is higher than predicted: there were fewer replicas than needed.
    Underprediction,
}

impl DiscrepancyKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::UnexpectedSpike,
        Self::UnexpectedDrop,
        Self::Leak,
        Self::EfficiencyLoss,
        Self::Overprediction,
        Self::Underprediction,
    ];

    /// Its name in the API, snake case.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnexpectedSpike => "unexpected_spike",
            Self::UnexpectedDrop => "unexpected_drop",
            Self::Leak => "leak",
            Self::EfficiencyLoss => "efficiency_loss",
            Self::Overprediction => "overprediction",
            Self::Underprediction => "underprediction",
        }
    }
}

impl fmt::Display for DiscrepancyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How soon somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Within the day.
    Warning,
    /// Now.
    Critical,
}

/// A figure behind a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its name, snake case, unit last where it has one (`load_rps`).
    pub name: String,
    /// Its value, finite.
    pub value: f64,
    /// Its unit as people write it (`rps`, `MB/h`, `%`); empty for a count.
    pub unit: String,
}

/// Something that does not go as predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discrepancy {
    /// What.
    pub kind: DiscrepancyKind,
    /// When it was found.
    pub since: Timestamp,
    /// When it had gone, if it has.
    pub ended: Option<Timestamp>,
    /// The highest it has been.
    pub severity: Severity,
    /// What is seen, in figures; the newest while it holds.
    pub text: String,
    /// What to do.
    pub action: String,
    /// How often it was seen before, and when.
    pub context: String,
    /// The figures behind it, the most telling first.
    pub figures: Vec<Figure>,
}

impl Discrepancy {
    /// The figure of that name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|f| f.name == name).map(|f| f.value)
    }
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What changed in a tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// It was found.
    Began {
        /// What.
        discrepancy: Discrepancy,
    },
    /// It has gone.
    Ended {
        /// What, as it last stood.
        discrepancy: Discrepancy,
    },
}

/// What a watch says of a kind after a tick.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// Nothing new.
    Unchanged,
    /// It does not hold.
    Absent,
    /// It holds.
    Holds(Finding),
}

/// The part of a discrepancy that its watch knows.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) text: String,
    pub(super) action: &'static str,
    pub(super) figures: Vec<Figure>,
}

/// A figure, if it is a number.
pub(super) fn figure(name: &str, value: f64, unit: &str) -> Option<Figure> {
    value.is_finite().then(|| Figure { name: name.to_owned(), value, unit: unit.to_owned() })
}
