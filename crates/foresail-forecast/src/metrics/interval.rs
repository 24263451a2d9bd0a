//! Scores of quantiles and intervals.

/// Quantile (pinball) loss of forecasting `quantile` at `level` when `actual` came.
pub fn pinball(level: f64, quantile: f64, actual: f64) -> f64 {
    let error = actual - quantile;
    if error >= 0.0 { level * error } else { (level - 1.0) * error }
}

/// Sums over central intervals of one coverage: how often they held, how wide they were, and the interval score of
/// Winkler (Gneiting & Raftery, "Strictly proper scoring rules", 2007, §6.2), whose mean over the scale of MASE is MSIS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IntervalScore {
    coverage: f64,
    count: usize,
    covered: usize,
    on_bound: usize,
    width: f64,
    score: f64,
}

impl IntervalScore {
    /// Nothing scored yet of intervals that should hold `coverage` (within 0 to 1) of the points.
    pub fn new(coverage: f64) -> Self {
        Self { coverage, count: 0, covered: 0, on_bound: 0, width: 0.0, score: 0.0 }
    }

    /// Scores one interval; a point on a bound is covered, and counted apart.
    pub fn push(&mut self, low: f64, high: f64, actual: f64) {
        let miss = (low - actual).max(0.0) + (actual - high).max(0.0);
        self.count += 1;
        self.covered += usize::from(low <= actual && actual <= high);
        self.on_bound += usize::from(actual == low || actual == high);
        self.width += high - low;
        self.score += high - low + 2.0 / (1.0 - self.coverage) * miss;
    }

    /// Adds what `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.covered += other.covered;
        self.on_bound += other.on_bound;
        self.width += other.width;
        self.score += other.score;
    }

    /// Intervals scored.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Share of points within their interval.
    pub fn covered(&self) -> Option<f64> {
        self.share(self.covered as f64)
    }

    /// Share of points equal to a bound of their interval: where it is large, no interval can cover exactly.
    pub fn on_bound(&self) -> Option<f64> {
        self.share(self.on_bound as f64)
    }

    /// Mean width, in the unit of the series.
    pub fn width(&self) -> Option<f64> {
        self.share(self.width)
    }

    /// Mean interval score, in the unit of the series; smaller is better.
    pub fn score(&self) -> Option<f64> {
        self.share(self.score)
    }

    fn share(&self, sum: f64) -> Option<f64> {
        (self.count > 0).then(|| sum / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinball_by_hand() {
        assert!((pinball(0.9, 10.0, 12.0) - 1.8).abs() < 1e-12);
        assert!((pinball(0.9, 10.0, 8.0) - 0.2).abs() < 1e-12);
        assert_eq!(pinball(0.5, 3.0, 3.0), 0.0);
    }

    #[test]
    fn interval_score_by_hand() {
        let mut score = IntervalScore::new(0.9);
        score.push(1.0, 3.0, 2.0); // 2
        score.push(1.0, 3.0, 3.0); // 2, on a bound
        score.push(1.0, 3.0, 3.5); // 2 + 20 × 0.5
        score.push(1.0, 3.0, 0.9); // 2 + 20 × 0.1
        assert_eq!(score.covered(), Some(0.5));
        assert_eq!(score.on_bound(), Some(0.25));
        assert_eq!(score.width(), Some(2.0));
        assert!((score.score().unwrap() - 5.0).abs() < 1e-9);
    }
}
