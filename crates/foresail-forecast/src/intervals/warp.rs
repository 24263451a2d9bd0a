//! The scale on which errors are judged.

use serde::{Deserialize, Serialize};

/// How values are bent before errors are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Warp {
    /// Square root, for series that are never negative: it makes the spread of counts independent of their level
    /// (Anscombe, "The transformation of Poisson, binomial and negative-binomial data", 1948) and keeps lower bounds from
    /// crossing zero.
    Root,
    /// As they are, for series that go below zero.
    Plain,
}

/// Bent values are no larger than this, so that what is reckoned from them stays finite.
const LARGEST: f64 = 1e150;

impl Warp {
    pub(super) fn bend(self, value: f64) -> f64 {
        let bent = match self {
            Self::Root => value.max(0.0).sqrt(),
            Self::Plain => value,
        };
        bent.clamp(-LARGEST, LARGEST)
    }

    /// The value that is bent to `value`, finite.
    pub(super) fn unbend(self, value: f64) -> f64 {
        let value = match self {
            Self::Root => value.max(0.0).powi(2),
            Self::Plain => value,
        };
        value.clamp(f64::MIN, f64::MAX)
    }
}
