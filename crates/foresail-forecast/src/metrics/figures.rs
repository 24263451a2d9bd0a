//! The figures that running sums give.

use serde::{Deserialize, Serialize};

/// How often the 90 % interval held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Share of points within.
    pub covered: f64,
    /// Share of points equal to a bound (they count as within).
    pub on_bound: f64,
    /// Mean width in the unit of the series.
    pub width: f64,
}

/// The figures. Those that nothing defines (no points, no quantiles, no peaks) are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Points scored.
    pub count: usize,
    /// Points left out because the actual is a gap.
    pub gaps: usize,
    /// Mean absolute error, in the unit of the series.
    pub mae: Option<f64>,
    /// Root mean squared error, in the unit of the series.
    pub rmse: Option<f64>,
    /// Mean absolute error over [`super::Reference::scale`].
    pub mase: Option<f64>,
    /// Sum of absolute errors over the sum of magnitudes, pooled.
    pub wape: Option<f64>,
    /// Mean of 2|y−ŷ| / (|y|+|ŷ|), within 0 and 2; a point at which both are 0 counts 0.
    pub smape: Option<f64>,
    /// Mean of |y−ŷ| / |y| over the points of at least [`super::Reference::mape_floor`].
    pub mape: Option<f64>,
    /// Points under that floor, or at 0.
    pub mape_dropped: usize,
    /// 1 − squared error over the squared deviation of the actuals from their mean; none of constant actuals.
    pub r2: Option<f64>,
    /// Share of the moves away from the origin's value whose direction was forecast; points that did not move are left out.
    pub directional_accuracy: Option<f64>,
    /// Of the points forecast above [`super::Reference::peak`], the share that came above it.
    pub peak_precision: Option<f64>,
    /// Of the points that came above [`super::Reference::peak`], the share forecast above it.
    pub peak_recall: Option<f64>,
    /// Mean pinball loss of each level, as `(level, loss)`.
    pub pinball: Vec<(f64, f64)>,
    /// Weighted quantile loss, about half a CRPS scaled: 2 × pinball over magnitude, averaged over the deciles 0.1 … 0.9
    /// if all are there, else over all levels.
    pub wql: Option<f64>,
    /// Mean interval score of the 90 % interval over [`super::Reference::scale`].
    pub msis: Option<f64>,
    /// The 90 % interval; none unless the levels hold 0.05 and 0.95.
    pub coverage: Option<Coverage>,
}
