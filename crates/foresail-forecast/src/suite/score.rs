//! What a forecast of a window is worth.

use super::{Dataset, LEVELS, Predictions, Quantiles};
use crate::metrics::pinball;

const MEDIAN: usize = LEVELS.len() / 2;

/// The sums of one window of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WindowScore {
    /// Index of the series.
    pub series: usize,
    /// Index of the window, the oldest 0.
    pub window: usize,
    /// Rows that were observed, and so scored.
    pub points: usize,
    /// Sum of absolute errors of the median, in the unit of the series.
    pub absolute: f64,
    /// Mean absolute difference one season apart over the history of this window; none where it is 0.
    pub scale: Option<f64>,
    /// Sum of the magnitudes of what came.
    pub magnitude: f64,
    /// Sum of pinball losses over all levels.
    pub pinball: f64,
    /// Rows within the 0.1 and the 0.9 quantile.
    pub within: usize,
}

impl WindowScore {
    /// Mean absolute scaled error; none of no points or no scale.
    pub fn mase(&self) -> Option<f64> {
        self.scale.filter(|_| self.points > 0).map(|scale| self.absolute / scale / self.points as f64)
    }
}

/// Figures over many windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Pooled {
    /// Mean over all scored rows of the error of the median over the scale of its window; rows whose scale is 0 are left
    /// out, as GluonTS masks them.
    pub mase: Option<f64>,
    /// Weighted quantile loss: twice the pinball losses over the magnitudes, both summed over everything, averaged over
    /// the levels (`mean_weighted_sum_quantile_loss` of GluonTS, the CRPS of GIFT-Eval's tables).
    pub wql: Option<f64>,
    /// Share of rows between the 0.1 and the 0.9 quantile.
    pub coverage_80: Option<f64>,
}

/// Scores `predictions`, a list a window in the order of [`Dataset::places`]. Gaps are left out.
///
/// # Panics
/// If there are fewer windows or steps than the set has.
pub fn score(dataset: &Dataset, predictions: &Predictions) -> Vec<WindowScore> {
    let mut scales = Scales::new(dataset);
    let window = |((series, window), steps): ((usize, usize), &Vec<Quantiles>)| {
        let rows = dataset.rows(series, window);
        let column = dataset.series()[series].1.target_column();
        let mut score =
            WindowScore { series, window, scale: scales.before(rows.start, series), ..WindowScore::default() };
        for (row, quantiles) in rows.zip(steps) {
            let Some(actual) = column.get(row) else { continue };
            score.points += 1;
            score.absolute += (actual - quantiles[MEDIAN]).abs();
            score.magnitude += actual.abs();
            score.pinball += LEVELS.iter().zip(quantiles).map(|(level, q)| pinball(*level, *q, actual)).sum::<f64>();
            score.within += usize::from(quantiles[0] <= actual && actual <= quantiles[LEVELS.len() - 1]);
        }
        score
    };
    assert!(predictions.len() == dataset.places().count(), "a prediction a window");
    dataset.places().zip(predictions).map(window).collect()
}

/// The figures of all of `scores`.
pub fn pooled<'a>(scores: impl IntoIterator<Item = &'a WindowScore>) -> Pooled {
    let mut sums = Sums::default();
    scores.into_iter().for_each(|score| sums.add(score, 1.0));
    sums.pooled()
}

/// Running sums over windows, each as often as a resample drew it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    scaled: f64,
    scaled_points: f64,
    pinball: f64,
    magnitude: f64,
    within: f64,
    points: f64,
}

impl Sums {
    pub(super) fn add(&mut self, score: &WindowScore, times: f64) {
        if let Some(mase) = score.mase() {
            self.scaled += times * mase * score.points as f64;
            self.scaled_points += times * score.points as f64;
        }
        self.pinball += times * score.pinball;
        self.magnitude += times * score.magnitude;
        self.within += times * score.within as f64;
        self.points += times * score.points as f64;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.scaled += other.scaled;
        self.scaled_points += other.scaled_points;
        self.pinball += other.pinball;
        self.magnitude += other.magnitude;
        self.within += other.within;
        self.points += other.points;
    }

    pub(super) fn pooled(&self) -> Pooled {
        let ratio = |sum: f64, of: f64| (of > 0.0).then(|| sum / of);
        Pooled {
            mase: ratio(self.scaled, self.scaled_points),
            wql: ratio(2.0 * self.pinball, self.magnitude * LEVELS.len() as f64),
            coverage_80: ratio(self.within, self.points),
        }
    }
}

/// Scales of one series after another, each from its history alone, in one pass a series.
struct Scales<'a> {
    dataset: &'a Dataset,
    series: usize,
    lag: usize,
    row: usize,
    sum: f64,
    count: usize,
}

impl<'a> Scales<'a> {
    fn new(dataset: &'a Dataset) -> Self {
        Self { dataset, series: 0, lag: 0, row: 0, sum: 0.0, count: 0 }
    }

    /// The scale of what precedes row `end`; windows must come in order.
    fn before(&mut self, end: usize, series: usize) -> Option<f64> {
        // A history shorter than a season is scaled by the differences of neighbours, as GluonTS does it.
        let lag = if self.dataset.season() < end { self.dataset.season() } else { 1 };
        if (series, lag) != (self.series, self.lag) {
            *self = Self { series, lag, ..Self::new(self.dataset) };
        }
        let column = self.dataset.series()[series].1.target_column();
        for row in self.row.max(lag)..end {
            if let (Some(now), Some(then)) = (column.get(row), column.get(row - lag)) {
                self.sum += (now - then).abs();
                self.count += 1;
            }
        }
        self.row = end;
        (self.count > 0 && self.sum > 0.0).then(|| self.sum / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::Frame;

    use super::*;

    /// Ten rows, a season of two: 0 1 2 … 7, then 10 and a gap.
    fn set() -> Dataset {
        let values = (0..8).map(|i| Some(f64::from(i))).chain([Some(10.0), None]);
        let frame = Frame::univariate(foresail_core::Timestamp::EPOCH, std::time::Duration::from_secs(60), "y", values);
        Dataset::new("set", vec![("y".into(), frame.unwrap())], 2, 2).unwrap()
    }

    #[test]
    fn every_figure_by_hand() {
        let quantiles = [4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 11.0, 12.0, 13.0];
        let scores = score(&set(), &vec![vec![quantiles, [0.0; 9]]]);
        let only = &scores[0];
        assert_eq!((only.points, only.within, only.absolute, only.magnitude), (1, 1, 2.0, 10.0));
        assert_eq!(only.scale, Some(2.0));
        let below: f64 = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0].iter().zip(LEVELS).map(|(miss, level)| miss * level).sum();
        let above = 1.0 * 0.3 + 2.0 * 0.2 + 3.0 * 0.1;
        assert!((only.pinball - below - above).abs() < 1e-12);
        let figures = pooled(&scores);
        assert_eq!((figures.mase, figures.coverage_80), (Some(1.0), Some(1.0)));
        assert!((figures.wql.unwrap() - 2.0 * (below + above) / 90.0).abs() < 1e-12);
    }

    #[test]
    fn a_history_without_a_seasonal_difference_has_no_scaled_error() {
        let frame = Frame::from_values([3.0; 30]);
        let set = Dataset::new("flat", vec![("y".into(), frame)], 3, 7).unwrap();
        let figures = pooled(&score(&set, &vec![vec![[4.0; 9]; 3]]));
        assert_eq!(figures.mase, None);
        assert!(figures.wql.is_some());
        assert_eq!(pooled([]), Pooled::default());
    }
}
