//! How an ensemble is grown.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::tree::{Limits, Order};

/// How an ensemble is grown. The default is LightGBM's: 100 trees of at most 31 leaves, each taken at a tenth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoostingParams {
    /// Trees at most, 1 to 100,000.
    pub rounds: usize,
    /// Share of each tree's answer that is taken, within (0, 1].
    pub learning_rate: f64,
    /// Leaves of a tree at most, 2 to 4,096.
    pub max_leaves: usize,
    /// Questions from root to leaf at most, 1 to 60.
    pub max_depth: usize,
    /// Rows a leaf holds at least; at least 1.
    pub min_leaf: usize,
    /// Rows of no error that each leaf is thought to hold besides its own; not negative. Quantiles read it as a
    /// penalty on splits alone.
    pub l2: f64,
    /// Share of the rows that each tree sees, within (0, 1].
    pub row_share: f64,
    /// Share of the features that each tree is offered, within (0, 1].
    pub feature_share: f64,
    /// Bins a feature is cut into at most, 2 to 255.
    pub max_bins: usize,
    /// Share of the rows, the last ones, that only tell when to stop; within [0, 0.9]. With 0 there is no early stop.
    pub tail_share: f64,
    /// Rounds without a smaller loss on the tail after which growing stops; at least 1. Several quantile levels take this
    /// many rounds each.
    pub patience: usize,
}

impl Default for BoostingParams {
    fn default() -> Self {
        Self {
            rounds: 100,
            learning_rate: 0.1,
            max_leaves: 31,
            max_depth: 60,
            min_leaf: 20,
            l2: 0.0,
            row_share: 1.0,
            feature_share: 1.0,
            max_bins: 255,
            tail_share: 0.0,
            patience: 20,
        }
    }
}

impl BoostingParams {
    pub(super) fn check(&self) -> Result<(), Error> {
        let within = |parameter, value: usize, low: usize, high: usize, range| {
            let fine = (low..=high).contains(&value);
            if fine { Ok(()) } else { Err(Error::BadParameter { parameter, value: value.to_string(), range }) }
        };
        within("rounds", self.rounds, 1, 100_000, "1 to 100000")?;
        within("max_leaves", self.max_leaves, 2, 4096, "2 to 4096")?;
        within("max_depth", self.max_depth, 1, 60, "1 to 60")?;
        within("min_leaf", self.min_leaf, 1, usize::MAX, "at least 1")?;
        within("max_bins", self.max_bins, 2, 255, "2 to 255")?;
        within("patience", self.patience, 1, usize::MAX, "at least 1")?;
        let share = |parameter, value: f64| {
            let fine = value > 0.0 && value <= 1.0;
            let range = "above 0, up to 1";
            if fine { Ok(()) } else { Err(Error::BadParameter { parameter, value: value.to_string(), range }) }
        };
        share("learning_rate", self.learning_rate)?;
        share("row_share", self.row_share)?;
        share("feature_share", self.feature_share)?;
        if !(0.0..=0.9).contains(&self.tail_share) {
            let value = self.tail_share.to_string();
            return Err(Error::BadParameter { parameter: "tail_share", value, range: "0 to 0.9" });
        }
        if !(self.l2 >= 0.0 && self.l2.is_finite()) {
            let value = self.l2.to_string();
            return Err(Error::BadParameter { parameter: "l2", value, range: "0 or above" });
        }
        Ok(())
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            order: Order::BestFirst { max_leaves: self.max_leaves },
            max_depth: self.max_depth,
            min_leaf: self.min_leaf as f64,
            features_per_split: usize::MAX,
            l2: self.l2,
            shared: true,
        }
    }
}
