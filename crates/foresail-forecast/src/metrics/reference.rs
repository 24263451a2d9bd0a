//! What errors are measured against, taken from the history before the first scored point.

use serde::{Deserialize, Serialize};

/// Scales and thresholds of one series, fixed before anything is scored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Season of the denominator in rows; 1 where none of those asked for fits in the history.
    pub season: usize,
    /// Denominator of MASE and MSIS in the unit of the series, positive: the mean absolute difference of values one
    /// season apart (Hyndman & Koehler, "Another look at measures of forecast accuracy", 2006). A series without any
    /// such difference falls back to differences of neighbours, then to its mean magnitude, then to 1.
    pub scale: f64,
    /// A value above this is a peak: the 95th percentile of the history.
    pub peak: f64,
    /// Points of less magnitude are left out of MAPE: a hundredth of the mean magnitude.
    pub mape_floor: f64,
}

impl Reference {
    /// Measures `values` where `mask` holds; the season is the first of `seasons` (in rows) that the history exceeds.
    pub fn in_sample(values: &[f64], mask: &[bool], seasons: &[usize]) -> Self {
        debug_assert_eq!(values.len(), mask.len());
        let seen: Vec<f64> = values.iter().zip(mask).filter(|(_, valid)| **valid).map(|(y, _)| *y).collect();
        let magnitude = mean(seen.iter().map(|y| y.abs())).unwrap_or(0.0);
        let season = seasons.iter().copied().find(|m| *m > 0 && *m < values.len()).unwrap_or(1);
        let scale = [seasonal_difference(values, mask, season), seasonal_difference(values, mask, 1), Some(magnitude)]
            .into_iter()
            .flatten()
            .find(|scale| *scale > 0.0)
            .unwrap_or(1.0);
        Self { season, scale, peak: percentile(&seen, 0.95).unwrap_or(f64::INFINITY), mape_floor: 0.01 * magnitude }
    }
}

/// Mean absolute difference of the observed values `season` rows apart.
fn seasonal_difference(values: &[f64], mask: &[bool], season: usize) -> Option<f64> {
    mean(
        (season..values.len())
            .filter(|i| mask[*i] && mask[*i - season])
            .map(|i| (values[i] - values[i - season]).abs()),
    )
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// The `level` quantile (0 to 1) of finite `values` in any order, linear between order statistics (Hyndman & Fan's type
/// 7, the default of R and numpy); none of nothing. O(n log n).
pub fn percentile(values: &[f64], level: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile_of_sorted(&sorted, level)
}

/// [`percentile`] of values in ascending order. O(1).
pub(crate) fn percentile_of_sorted(sorted: &[f64], level: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = level.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], seasons: &[usize], season: usize, scale: f64) {
        let reference = Reference::in_sample(values, &vec![true; values.len()], seasons);
        assert_eq!((reference.season, reference.scale), (season, scale), "{values:?}");
    }

    #[test]
    fn the_first_season_that_fits_is_taken_and_a_constant_series_falls_back() {
        check(&[1.0, 5.0, 2.0, 7.0], &[2, 1], 2, 1.5);
        check(&[1.0, 5.0, 2.0, 7.0], &[9, 2], 2, 1.5);
        check(&[1.0, 5.0, 2.0, 7.0], &[9], 1, (4.0 + 3.0 + 5.0) / 3.0);
        check(&[1.0, 5.0, 1.0, 5.0], &[2], 2, 4.0); // no seasonal difference: neighbours
        check(&[3.0, 3.0, 3.0], &[2], 2, 3.0); // no difference at all: magnitude
        check(&[0.0, 0.0], &[1], 1, 1.0);
        check(&[], &[1], 1, 1.0);
    }

    #[test]
    fn gaps_are_left_out() {
        let reference = Reference::in_sample(&[1.0, 1.0, 4.0, 9.0], &[true, false, true, true], &[1]);
        assert_eq!(reference.scale, 5.0);
    }

    #[test]
    fn percentiles_are_those_of_numpy() {
        assert_eq!(percentile(&[5.0, 1.0, 4.0, 3.0, 2.0], 0.875), Some(4.5));
        assert_eq!(percentile(&[4.0], 0.95), Some(4.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
