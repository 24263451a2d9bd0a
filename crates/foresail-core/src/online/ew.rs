//! Exponentially weighted mean and variance.

use serde::{Deserialize, Serialize};

use super::{admit, decay_per_tick};

/// A mean whose weights halve every half-life, counted in ticks: values before a gap weigh less after it. Weights are
/// normalised from the first value on (pandas' `ewm(adjust=True, ignore_na=False)`), so there is no start-up bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EwMean {
    decay: f64,
    weight: f64,
    mean: f64,
    missed: u32,
}

impl EwMean {
    /// With a half-life in ticks, above 0; a fraction is fine.
    pub fn new(half_life: f64) -> Self {
        Self { decay: decay_per_tick(half_life), weight: 0.0, mean: 0.0, missed: 0 }
    }

    /// Takes in one tick.
    #[inline]
    pub fn push(&mut self, value: Option<f64>) {
        match admit(value) {
            Some(value) => {
                self.weight = self.weight * fading(self.decay, &mut self.missed) + 1.0;
                self.mean += (value - self.mean) / self.weight;
            }
            None => self.skip(1),
        }
    }

    /// Takes in `ticks` missing ones at once.
    #[inline]
    pub fn skip(&mut self, ticks: u64) {
        self.missed = self.missed.saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX));
    }

    /// The mean; `None` before the first value. A gap leaves it as it is.
    #[inline]
    pub fn mean(&self) -> Option<f64> {
        (self.weight > 0.0).then_some(self.mean)
    }
}

/// Mean and variance with weights that halve every half-life; see [`EwMean`] for the weights (D. H. D. West, "Updating
/// mean and variance estimates", CACM 22(9), 1979).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EwVariance {
    decay: f64,
    weight: f64,
    mean: f64,
    squares: f64,
    count: u32,
    missed: u32,
}

impl EwVariance {
    /// With a half-life in ticks, above 0; a fraction is fine.
    pub fn new(half_life: f64) -> Self {
        Self { decay: decay_per_tick(half_life), weight: 0.0, mean: 0.0, squares: 0.0, count: 0, missed: 0 }
    }

    /// Takes in one tick.
    #[inline]
    pub fn push(&mut self, value: Option<f64>) {
        let Some(value) = admit(value) else {
            self.skip(1);
            return;
        };
        let fading = fading(self.decay, &mut self.missed);
        self.weight = self.weight * fading + 1.0;
        let deviation = value - self.mean;
        self.mean += deviation / self.weight;
        self.squares = self.squares * fading + deviation * (value - self.mean);
        self.count = self.count.saturating_add(1);
    }

    /// Takes in `ticks` missing ones at once.
    #[inline]
    pub fn skip(&mut self, ticks: u64) {
        self.missed = self.missed.saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX));
    }

    /// The mean; `None` before the first value.
    #[inline]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// The weighted mean of squared deviations (pandas' `bias=True`); `None` before the second value.
    #[inline]
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / self.weight).max(0.0))
    }

    /// Root of [`EwVariance::variance`].
    #[inline]
    pub fn std(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }
}

/// What is left of a weight after one tick and all the missed ones.
#[inline]
fn fading(decay: f64, missed: &mut u32) -> f64 {
    if *missed == 0 {
        return decay;
    }
    // Beyond i32 ticks nothing is left of any weight that decays at all.
    decay.powi(i32::try_from(std::mem::take(missed).saturating_add(1)).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(values: &[Option<f64>], half_life: f64) -> (f64, f64) {
        let weighed: Vec<(f64, f64)> = values
            .iter()
            .rev()
            .enumerate()
            .filter_map(|(age, v)| Some(((-(age as f64) / half_life).exp2(), (*v)?)))
            .collect();
        let total: f64 = weighed.iter().map(|p| p.0).sum();
        let mean = weighed.iter().map(|p| p.0 * p.1).sum::<f64>() / total;
        (mean, weighed.iter().map(|p| p.0 * (p.1 - mean).powi(2)).sum::<f64>() / total)
    }

    #[test]
    fn weights_follow_age_through_gaps() {
        let values =
            [None, Some(3.0), Some(5.0), None, None, Some(-1.0), Some(f64::NAN), Some(8.0), Some(8.5), None, Some(0.0)];
        for half_life in [0.4, 1.0, 7.5] {
            let (mut ew, mut both) = (EwMean::new(half_life), EwVariance::new(half_life));
            for (i, &value) in values.iter().enumerate() {
                ew.push(value);
                both.push(value);
                let seen: Vec<_> = values[..=i].iter().map(|v| v.filter(|v| v.is_finite())).collect();
                if let (Some(mean), Some(value)) = (ew.mean(), seen[i]) {
                    let (mean0, variance0) = naive(&seen, half_life);
                    assert!((mean - mean0).abs() < 1e-12, "{value}: {mean} {mean0}");
                    assert!((both.mean().unwrap() - mean0).abs() < 1e-12);
                    let variance = both.variance().unwrap_or(0.0);
                    assert!((variance - variance0).abs() < 1e-10, "{variance} {variance0}");
                }
            }
            assert_eq!(both.std().map(|s| s * s > 0.0), Some(true));
        }
    }

    #[test]
    fn skipping_equals_missing_and_endless_gaps_are_harmless() {
        let (mut a, mut b) = (EwVariance::new(5.0), EwVariance::new(5.0));
        for ew in [&mut a, &mut b] {
            ew.push(Some(2.0));
            ew.push(Some(4.0));
        }
        (0..9).for_each(|_| a.push(None));
        b.skip(9);
        assert_eq!(a, b);
        b.skip(u64::MAX);
        b.push(Some(7.0));
        assert_eq!((b.mean(), b.variance()), (Some(7.0), Some(0.0)));
        assert_eq!(EwMean::new(1.0).mean(), None);
    }
}
