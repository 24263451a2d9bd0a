//! Running sums of every measure, and the figures they give.

use super::{Coverage, IntervalScore, Metrics, Reference, pinball};

/// One forecast value beside what came.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// What came; a gap is counted and left out.
    pub actual: Option<f64>,
    /// The last value observed at the origin, from which directions are measured.
    pub origin: Option<f64>,
    /// The point forecast.
    pub mean: f64,
    /// The quantiles in the order of the scorer's levels, or none.
    pub quantiles: &'a [f64],
}

/// Sums over scored points.
#[derive(Clone, Debug)]
pub struct Scorer {
    reference: Reference,
    levels: Vec<f64>,
    count: usize,
    gaps: usize,
    absolute: f64,
    squared: f64,
    magnitude: f64,
    smape: f64,
    mape: f64,
    mape_dropped: usize,
    actual_mean: f64,
    actual_spread: f64,
    directions: usize,
    directions_hit: usize,
    peaks: [usize; 3],
    pinball: Vec<f64>,
    with_quantiles: usize,
    magnitude_with_quantiles: f64,
    interval: IntervalScore,
}

impl Scorer {
    /// Nothing scored yet. `levels` ascending within (0, 1), empty for point forecasts.
    pub fn new(reference: Reference, levels: &[f64]) -> Self {
        Self {
            reference,
            levels: levels.to_vec(),
            count: 0,
            gaps: 0,
            absolute: 0.0,
            squared: 0.0,
            magnitude: 0.0,
            smape: 0.0,
            mape: 0.0,
            mape_dropped: 0,
            actual_mean: 0.0,
            actual_spread: 0.0,
            directions: 0,
            directions_hit: 0,
            peaks: [0; 3],
            pinball: vec![0.0; levels.len()],
            with_quantiles: 0,
            magnitude_with_quantiles: 0.0,
            interval: IntervalScore::new(0.9),
        }
    }

    /// Scores one point. Quantiles of another count than the levels are taken as none.
    pub fn push(&mut self, point: &Point<'_>) {
        let Some(actual) = point.actual else {
            self.gaps += 1;
            return;
        };
        let error = (actual - point.mean).abs();
        let both = actual.abs() + point.mean.abs();
        self.count += 1;
        self.absolute += error;
        self.squared += error * error;
        self.magnitude += actual.abs();
        self.smape += if both > 0.0 { 2.0 * error / both } else { 0.0 };
        if actual.abs() >= self.reference.mape_floor && actual != 0.0 {
            self.mape += error / actual.abs();
        } else {
            self.mape_dropped += 1;
        }
        let shift = actual - self.actual_mean;
        self.actual_mean += shift / self.count as f64;
        self.actual_spread += shift * (actual - self.actual_mean);
        if let Some(origin) = point.origin.filter(|origin| *origin != actual) {
            self.directions += 1;
            self.directions_hit += usize::from((actual > origin) == (point.mean > origin) && point.mean != origin);
        }
        let (came, forecast) = (actual > self.reference.peak, point.mean > self.reference.peak);
        for (count, seen) in self.peaks.iter_mut().zip([came && forecast, forecast, came]) {
            *count += usize::from(seen);
        }
        if !self.levels.is_empty() && point.quantiles.len() == self.levels.len() {
            self.push_quantiles(actual, point.quantiles);
        }
    }

    fn push_quantiles(&mut self, actual: f64, quantiles: &[f64]) {
        self.with_quantiles += 1;
        self.magnitude_with_quantiles += actual.abs();
        for ((sum, level), quantile) in self.pinball.iter_mut().zip(&self.levels).zip(quantiles) {
            *sum += pinball(*level, *quantile, actual);
        }
        if let (Some(low), Some(high)) = (self.level(0.05), self.level(0.95)) {
            self.interval.push(quantiles[low], quantiles[high], actual);
        }
    }

    fn level(&self, wanted: f64) -> Option<usize> {
        self.levels.iter().position(|l| (l - wanted).abs() < 1e-9)
    }

    /// Adds what `other` has seen of the same series at the same levels.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.levels, other.levels);
        let count = self.count + other.count;
        if count > 0 {
            let shift = other.actual_mean - self.actual_mean;
            let share = other.count as f64 / count as f64;
            self.actual_spread += other.actual_spread + shift * shift * self.count as f64 * share;
            self.actual_mean += shift * share;
        }
        self.count = count;
        self.gaps += other.gaps;
        self.absolute += other.absolute;
        self.squared += other.squared;
        self.magnitude += other.magnitude;
        self.smape += other.smape;
        self.mape += other.mape;
        self.mape_dropped += other.mape_dropped;
        self.directions += other.directions;
        self.directions_hit += other.directions_hit;
        self.peaks.iter_mut().zip(other.peaks).for_each(|(a, b)| *a += b);
        self.pinball.iter_mut().zip(&other.pinball).for_each(|(a, b)| *a += b);
        self.with_quantiles += other.with_quantiles;
        self.magnitude_with_quantiles += other.magnitude_with_quantiles;
        self.interval.merge(&other.interval);
    }

    /// The figures of what was scored.
    pub fn metrics(&self) -> Metrics {
        let n = self.count as f64;
        let ratio = |sum: f64, of: f64| (of > 0.0).then(|| sum / of);
        let mae = ratio(self.absolute, n);
        let [hit, forecast, came] = self.peaks.map(|count| count as f64);
        Metrics {
            count: self.count,
            gaps: self.gaps,
            mae,
            rmse: ratio(self.squared, n).map(f64::sqrt),
            mase: mae.map(|mae| mae / self.reference.scale),
            wape: ratio(self.absolute, self.magnitude),
            smape: ratio(self.smape, n),
            mape: ratio(self.mape, (self.count - self.mape_dropped) as f64),
            mape_dropped: self.mape_dropped,
            r2: ratio(self.squared, self.actual_spread).map(|unexplained| 1.0 - unexplained),
            directional_accuracy: ratio(self.directions_hit as f64, self.directions as f64),
            peak_precision: ratio(hit, forecast),
            peak_recall: ratio(hit, came),
            pinball: self.pinball_by_level(),
            wql: self.weighted_quantile_loss(),
            msis: self.interval.score().map(|score| score / self.reference.scale),
            coverage: self.coverage(),
        }
    }

    fn pinball_by_level(&self) -> Vec<(f64, f64)> {
        if self.with_quantiles == 0 {
            return Vec::new();
        }
        self.levels.iter().zip(&self.pinball).map(|(l, sum)| (*l, sum / self.with_quantiles as f64)).collect()
    }

    fn weighted_quantile_loss(&self) -> Option<f64> {
        let deciles: Option<Vec<usize>> = (1..10).map(|tenth| self.level(f64::from(tenth) / 10.0)).collect();
        let chosen = deciles.unwrap_or_else(|| (0..self.levels.len()).collect());
        let of = self.magnitude_with_quantiles * chosen.len() as f64;
        (of > 0.0).then(|| 2.0 * chosen.iter().map(|i| self.pinball[*i]).sum::<f64>() / of)
    }

    fn coverage(&self) -> Option<Coverage> {
        Some(Coverage {
            covered: self.interval.covered()?,
            on_bound: self.interval.on_bound()?,
            width: self.interval.width()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: Reference = Reference { season: 1, scale: 2.0, peak: 9.0, mape_floor: 1.0 };

    fn point(actual: Option<f64>, mean: f64, quantiles: &[f64]) -> Point<'_> {
        Point { actual, origin: Some(5.0), mean, quantiles }
    }

    fn close(got: Option<f64>, expected: f64) {
        let got = got.expect("defined");
        assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
    }

    #[test]
    fn every_point_measure_by_hand() {
        let mut scorer = Scorer::new(REFERENCE, &[]);
        // Errors 2, 1, 2, 3; actual 0 is under the MAPE floor; the gap counts nowhere.
        for (actual, mean) in [(Some(10.0), 12.0), (Some(4.0), 5.0), (Some(0.0), 2.0), (Some(10.0), 7.0), (None, 1e9)] {
            scorer.push(&point(actual, mean, &[]));
        }
        let m = scorer.metrics();
        assert_eq!((m.count, m.gaps, m.mape_dropped), (4, 1, 1));
        close(m.mae, 2.0);
        close(m.rmse, (18.0_f64 / 4.0).sqrt());
        close(m.mase, 1.0);
        close(m.wape, 8.0 / 24.0);
        close(m.smape, (4.0 / 22.0 + 2.0 / 9.0 + 2.0 + 6.0 / 17.0) / 4.0);
        close(m.mape, (0.2 + 0.25 + 0.3) / 3.0);
        close(m.r2, 1.0 - 18.0 / 72.0); // actuals deviate from 6 by 4, 2, 6, 4
        close(m.directional_accuracy, 0.75); // the second forecast stayed at the origin
        close(m.peak_precision, 1.0);
        close(m.peak_recall, 0.5);
        assert_eq!((m.wql, m.msis, m.coverage), (None, None, None));
    }

    #[test]
    fn every_quantile_measure_by_hand() {
        let mut scorer = Scorer::new(REFERENCE, &[0.05, 0.5, 0.95]);
        scorer.push(&point(Some(10.0), 9.0, &[8.0, 9.0, 12.0])); // pinball 0.1, 0.5, 0.1; width 4
        scorer.push(&point(Some(4.0), 6.0, &[5.0, 6.0, 7.0])); // pinball 0.95, 1, 0.15; width 2, missed by 1
        let m = scorer.metrics();
        for ((level, loss), expected) in m.pinball.iter().zip([(0.05, 0.525), (0.5, 0.75), (0.95, 0.125)]) {
            assert_eq!(*level, expected.0);
            close(Some(*loss), expected.1);
        }
        close(m.wql, 2.0 * (1.05 + 1.5 + 0.25) / (14.0 * 3.0));
        close(m.msis, (4.0 + 2.0 + 20.0) / 2.0 / 2.0);
        let coverage = m.coverage.unwrap();
        close(Some(coverage.covered), 0.5);
        close(Some(coverage.width), 3.0);
        assert_eq!(coverage.on_bound, 0.0);
    }

    #[test]
    fn nothing_scored_gives_no_figure() {
        let m = Scorer::new(REFERENCE, &[0.05, 0.95]).metrics();
        assert_eq!(m, Metrics::default());
    }

    proptest::proptest! {
        /// Merging parts gives what one pass gives, up to rounding.
        #[test]
        fn merging_equals_one_pass(points in proptest::collection::vec((-50.0..50.0_f64, -50.0..50.0_f64), 1..60), cut in 0.0..1.0_f64) {
            let mut whole = Scorer::new(REFERENCE, &[0.05, 0.95]);
            let mut parts = [whole.clone(), whole.clone()];
            for (i, (actual, mean)) in points.iter().enumerate() {
                let quantiles = [mean - 3.0, mean + 3.0];
                let scored = point(Some(*actual), *mean, &quantiles);
                whole.push(&scored);
                parts[usize::from(i as f64 > cut * points.len() as f64)].push(&scored);
            }
            let [mut left, right] = parts;
            left.merge(&right);
            let (a, b) = (whole.metrics(), left.metrics());
            for (x, y) in [(a.mae, b.mae), (a.rmse, b.rmse), (a.msis, b.msis), (a.wql, b.wql), (a.smape, b.smape)] {
                proptest::prop_assert!((x.unwrap() - y.unwrap()).abs() < 1e-9);
            }
            proptest::prop_assert!((whole.actual_spread - left.actual_spread).abs() < 1e-6 * (1.0 + whole.actual_spread));
        }
    }
}
