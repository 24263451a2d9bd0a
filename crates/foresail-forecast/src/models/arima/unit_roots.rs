//! How often a series has to be differenced.

use crate::models::stl::decompose;

/// The 5 % critical value of the KPSS statistic around a level (Kwiatkowski et al. 1992, table 1).
const CRITICAL: f64 = 0.463;
/// A season stronger than this is differenced away (Wang, Smith & Hyndman 2006; the threshold is the forecast package's).
const STRONG: f64 = 0.64;
/// Differences at most.
const MOST: usize = 2;

/// Differences until the KPSS test no longer finds a random walk, at most two.
pub(super) fn differences(values: &[f64]) -> usize {
    let mut left = values.to_vec();
    for taken in 0..MOST {
        if is_constant(&left) || !wanders(&left) {
            return taken;
        }
        left = left.windows(2).map(|pair| pair[1] - pair[0]).collect();
    }
    MOST
}

/// One seasonal difference where the season is strong, else none.
pub(super) fn seasonal_differences(values: &[f64], season: usize) -> usize {
    let enough = season > 1 && values.len() > 2 * season && !is_constant(values);
    usize::from(enough && seasonal_strength(values, season) > STRONG)
}

/// The share of what is left after the trend that the season explains (Wang, Smith & Hyndman 2006), within [0, 1].
/// `values` must hold more than two seasons.
fn seasonal_strength(values: &[f64], season: usize) -> f64 {
    let parts = decompose(values, &[season]);
    let both: Vec<f64> = parts.remainder.iter().zip(&parts.seasons[0]).map(|(left, effect)| left + effect).collect();
    (1.0 - scatter(&parts.remainder) / scatter(&both)).clamp(0.0, 1.0)
}

/// Sum of squares around the mean.
fn scatter(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| (v - mean).powi(2)).sum()
}

/// All values are equal.
pub(super) fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|value| *value == values[0])
}

/// Whether the KPSS test, with Bartlett weights over `3√n/13` lags, refuses that the series keeps to a level.
fn wanders(values: &[f64]) -> bool {
    let n = values.len();
    let lags = (3.0 * (n as f64).sqrt() / 13.0) as usize;
    if n < 2 || lags + 1 > n {
        return false;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let rest: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let product = |lag: usize| rest.iter().zip(&rest[lag..]).map(|(a, b)| a * b).sum::<f64>();
    let weight = |lag: usize| 2.0 * (1.0 - lag as f64 / (lags + 1) as f64);
    let variance = product(0) + (1..=lags).map(|lag| weight(lag) * product(lag)).sum::<f64>();
    let mut sum = 0.0;
    let walked: f64 = rest
        .iter()
        .map(|v| {
            sum += v;
            sum * sum
        })
        .sum();
    walked / (n as f64 * variance) > CRITICAL
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    #[test]
    fn walks_are_differenced_and_noise_is_not() {
        let mut rng = SeededRng::seed_from_u64(5);
        let noise: Vec<f64> = (0..500).map(|_| rng.normal()).collect();
        let sums = |values: &[f64]| -> Vec<f64> {
            values
                .iter()
                .scan(0.0, |sum, v| {
                    *sum += v;
                    Some(*sum)
                })
                .collect()
        };
        let walk = sums(&noise);
        let found = [&noise, &walk, &sums(&walk), &vec![4.0; 50], &vec![]].map(|values| differences(values));
        assert_eq!(found, [0, 1, 2, 0, 0]);
    }

    #[test]
    fn a_strong_season_is_differenced() {
        let mut rng = SeededRng::seed_from_u64(6);
        let mut of = |height: f64| -> Vec<f64> {
            (0..240).map(|i| height * (i as f64 * std::f64::consts::TAU / 24.0).sin() + rng.normal()).collect()
        };
        assert_eq!([seasonal_differences(&of(5.0), 24), seasonal_differences(&of(0.5), 24)], [1, 0]);
        assert_eq!(seasonal_differences(&of(5.0)[..48], 24), 0);
    }

    #[test]
    fn strength_runs_from_none_to_all() {
        let mut rng = SeededRng::seed_from_u64(1);
        let mut of = |height: f64, noise: f64| {
            let values: Vec<f64> = (0..200)
                .map(|i| 0.1 * f64::from(i) + height * f64::from(u8::from(i % 7 == 2)) + noise * rng.normal())
                .collect();
            seasonal_strength(&values, 7)
        };
        assert!(of(9.0, 0.01) > 0.99);
        let middling = of(3.0, 1.0);
        assert!((0.4..0.8).contains(&middling), "{middling}");
        assert!(of(0.0, 1.0) < 0.4);
    }
}
