//! Count, mean and spread of a set of values, and how far two sets lie apart.

use serde::{Deserialize, Serialize};

/// The first two moments of `count` values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// How many values, at least 1.
    pub count: u32,
    /// Their mean.
    pub mean: f64,
    /// Sum of squared deviations from the mean, at least 0.
    pub squares: f64,
}

impl Moments {
    /// Sample variance (divisor `count − 1`); `None` for a single value.
    #[inline]
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| self.squares / f64::from(self.count - 1))
    }

    /// Sample standard deviation; `None` for a single value.
    #[inline]
    pub fn std(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }

    /// The moments of what is in this set and not in `part`, a subset of it; `None` if nothing is left. (Chan, Golub &
    /// LeVeque, "Algorithms for computing the sample variance", Am. Stat. 37(3), 1983, turned round.)
    #[inline]
    pub fn without(&self, part: &Self) -> Option<Self> {
        let count = self.count.checked_sub(part.count).filter(|&n| n > 0)?;
        let (n, n_part, n_rest) = (f64::from(self.count), f64::from(part.count), f64::from(count));
        let mean = (self.mean * n - part.mean * n_part) / n_rest;
        let apart = part.mean - mean;
        let squares = (self.squares - part.squares - apart * apart * n_part * n_rest / n).max(0.0);
        Some(Self { count, mean, squares })
    }
}

/// Welch's t statistic of `after` against `before`: positive where the level has risen, ±`limit` at most. `None` unless
/// both hold two values. Equal levels without any spread score 0.
pub fn level_shift(before: &Moments, after: &Moments, limit: f64) -> Option<f64> {
    let spread = before.variance()? / f64::from(before.count) + after.variance()? / f64::from(after.count);
    let rise = after.mean - before.mean;
    // Below this, a difference of means is their rounding error.
    let floor = 1e-12 * (before.mean.abs() + after.mean.abs());
    if rise.abs() <= floor {
        return Some(0.0);
    }
    Some((rise / spread.sqrt().max(floor)).clamp(-limit, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Moments {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|v| (v - mean).powi(2)).sum();
        Moments { count: values.len() as u32, mean, squares }
    }

    #[test]
    fn taking_a_part_away_leaves_the_rest() {
        let rest = of(&[1.0, 4.0, 2.0, 7.0, 9.0]).without(&of(&[7.0, 9.0])).unwrap();
        let expected = of(&[1.0, 4.0, 2.0]);
        assert_eq!(rest.count, 3);
        assert!((rest.mean - expected.mean).abs() < 1e-12 && (rest.squares - expected.squares).abs() < 1e-12);
        assert_eq!(of(&[1.0]).without(&of(&[1.0])), None);
        assert_eq!(of(&[1.0]).std(), None);
    }

    #[test]
    fn the_shift_is_welchs_t() {
        // scipy.stats.ttest_ind([5, 6, 7, 8], [1, 2, 3], equal_var=False).statistic = 5.196152…
        let shift = level_shift(&of(&[1.0, 2.0, 3.0]), &of(&[5.0, 6.0, 7.0, 8.0]), 50.0).unwrap();
        assert!((shift - 4.5 / (1.0_f64 / 3.0 + (5.0 / 3.0) / 4.0).sqrt()).abs() < 1e-12, "{shift}");
        assert_eq!(level_shift(&of(&[2.0, 2.0]), &of(&[2.0, 2.0]), 50.0), Some(0.0));
        assert_eq!(level_shift(&of(&[2.0, 2.0]), &of(&[1.0, 1.0]), 50.0), Some(-50.0));
        assert_eq!(level_shift(&of(&[2.0]), &of(&[1.0, 1.0]), 50.0), None);
    }
}
