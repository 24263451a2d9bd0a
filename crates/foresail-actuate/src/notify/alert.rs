//! What is told.

use std::collections::BTreeMap;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look at it today.
    Warning,
    /// Look at it now.
    Critical,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something people should know while it lasts. Service, kind and subject make it the same alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Whom it concerns.
    pub service: String,
    /// What it is about; alerts of one service and kind are told together.
    pub kind: String,
    /// Which of several of its kind (an endpoint, a metric); may be empty.
    pub subject: String,
    /// How much it matters.
    pub severity: Severity,
    /// The sentence people read.
    pub text: String,
    /// What to do about it, if that is known.
    pub action: Option<String>,
    /// Figures of what was usual and what is, by name with unit (`usual_rps`).
    pub context: BTreeMap<String, f64>,
    /// When it began.
    pub began: Timestamp,
}

impl Alert {
    /// An alert without subject, action and context.
    pub fn new(
        service: impl Into<String>,
        kind: impl Into<String>,
        severity: Severity,
        text: impl Into<String>,
        began: Timestamp,
    ) -> Self {
        Self {
            service: service.into(),
            kind: kind.into(),
            subject: String::new(),
            severity,
            text: text.into(),
            action: None,
            context: BTreeMap::new(),
            began,
        }
    }

    /// What makes it the same alert, as one text.
    pub fn fingerprint(&self) -> String {
        // A separator that is in neither part, however they are chosen.
        [&self.service, &self.kind, &self.subject].map(|part| part.replace('%', "%25").replace('/', "%2f")).join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_differ_where_alerts_do() {
        let alert = |service: &str, kind: &str, subject: &str| Alert {
            subject: subject.to_owned(),
            ..Alert::new(service, kind, Severity::Info, "", Timestamp::EPOCH)
        };
        let prints = [("a", "b", "c"), ("a/b", "", "c"), ("a", "b/c", ""), ("a%2fb", "", "c"), ("a", "b", "")];
        let mut prints: Vec<String> = prints.map(|(s, k, j)| alert(s, k, j).fingerprint()).to_vec();
        assert_eq!(prints[0], "a/b/c");
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), 5);
    }
}
