//! Whether a series has a season, and the season taken out of it and put back.

use serde::{Deserialize, Serialize};

/// The 95 % quantile of the normal distribution.
const CRITICAL: f64 = 1.644_853_626_951_472_2;
/// A ratio below this would blow up what it divides.
const LEAST_RATIO: f64 = 0.01;
/// Seasons of fewer rows are not tested for (as statsforecast does not).
const LEAST_ROWS: usize = 4;

/// How the season joins the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    None,
    Additive,
    Multiplicative,
}

/// One effect a place in the season; places are counted as the clock's slots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Adjustment {
    pub(super) kind: Kind,
    /// Empty without a season.
    pub(super) effects: Vec<f64>,
}

impl Adjustment {
    /// The season of `rows` rows that `values` (gaps filled; `seen` tells which) have, the first of them at `slot`: ratios
    /// where every value is above zero and no ratio gets near zero, else differences; none where the test finds none.
    pub(super) fn of(values: &[f64], seen: &[bool], slot: usize, rows: usize) -> Self {
        if !is_seasonal(values, rows) {
            return Self { kind: Kind::None, effects: Vec::new() };
        }
        if values.iter().all(|value| *value > 0.0) {
            let effects = decompose(values, seen, slot, rows, Kind::Multiplicative);
            if effects.iter().all(|effect| *effect >= LEAST_RATIO) {
                return Self { kind: Kind::Multiplicative, effects };
            }
        }
        Self { kind: Kind::Additive, effects: decompose(values, seen, slot, rows, Kind::Additive) }
    }

    /// Rows of the season, 1 without one.
    pub(super) fn rows(&self) -> usize {
        self.effects.len().max(1)
    }

    /// `value` at `slot` without the season.
    pub(super) fn remove(&self, slot: usize, value: f64) -> f64 {
        match self.kind {
            Kind::None => value,
            Kind::Additive => value - self.effects[slot],
            Kind::Multiplicative => value / self.effects[slot],
        }
    }

    /// `value` at `slot` with the season put back.
    pub(super) fn restore(&self, slot: usize, value: f64) -> f64 {
        match self.kind {
            Kind::None => value,
            Kind::Additive => value + self.effects[slot],
            Kind::Multiplicative => value * self.effects[slot],
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        (self.kind == Kind::None) == self.effects.is_empty()
    }
}

/// The autocorrelation at one season against its standard error under Bartlett's formula, at 90 % (the test of
/// Assimakopoulos & Nikolopoulos 2000 as Fiorucci et al. 2016, §4, put it).
fn is_seasonal(values: &[f64], rows: usize) -> bool {
    let n = values.len() as f64;
    if rows < LEAST_ROWS || values.len() < 2 * rows {
        return false;
    }
    let mean = values.iter().sum::<f64>() / n;
    let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let product = |lag: usize| centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b).sum::<f64>();
    let whole = product(0);
    let before: f64 = (1..rows).map(|lag| (product(lag) / whole).powi(2)).sum();
    let error = ((1.0 + 2.0 * before) / n).sqrt();
    // Of a constant series everything here is not a number, and this is false.
    (product(rows) / whole).abs() / error > CRITICAL
}

/// Classical decomposition (FPP3, §3.4): a centred moving average of one season is the trend; the mean of what it leaves
/// over all observed rows of a place is the effect, and the effects have mean 0 (or 1).
fn decompose(values: &[f64], seen: &[bool], slot: usize, rows: usize, kind: Kind) -> Vec<f64> {
    let (mut sums, mut counts) = (vec![0.0; rows], vec![0.0; rows]);
    let half = rows / 2;
    let mut window: f64 = values[..2 * half + 1].iter().sum();
    for middle in half..values.len() - half {
        if middle > half {
            window += values[middle + half] - values[middle - half - 1];
        }
        // Of an even season the window holds one row too many: the two at its ends count half.
        let ends = if rows.is_multiple_of(2) { (values[middle - half] + values[middle + half]) / 2.0 } else { 0.0 };
        let trend = (window - ends) / rows as f64;
        let rest = if kind == Kind::Multiplicative { values[middle] / trend } else { values[middle] - trend };
        if seen[middle] && rest.is_finite() {
            sums[(slot + middle) % rows] += rest;
            counts[(slot + middle) % rows] += 1.0;
        }
    }
    let neutral = f64::from(u8::from(kind == Kind::Multiplicative));
    let mut effects: Vec<f64> =
        sums.iter().zip(&counts).map(|(sum, count)| if *count > 0.0 { sum / count } else { neutral }).collect();
    let mean = effects.iter().sum::<f64>() / rows as f64;
    for effect in &mut effects {
        *effect = if kind == Kind::Multiplicative { *effect / mean } else { *effect - mean };
    }
    effects
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(law: impl Fn(usize) -> f64, slot: usize, kind: Kind, effects: &[f64]) {
        let values: Vec<f64> = (0..40).map(law).collect();
        let found = Adjustment::of(&values, &[true; 40], slot, 4);
        assert_eq!(found.kind, kind);
        assert!(found.effects.iter().zip(effects).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        for (i, value) in values.iter().enumerate() {
            let place = (slot + i) % found.rows();
            assert!((found.restore(place, found.remove(place, *value)) - value).abs() < 1e-9);
        }
    }

    #[test]
    fn the_season_is_found_and_joined_as_the_values_allow() {
        let pattern = [3.0, -1.0, -2.0, 0.0];
        check(|i| pattern[i % 4], 0, Kind::Additive, &pattern);
        check(|i| pattern[i % 4], 1, Kind::Additive, &[0.0, 3.0, -1.0, -2.0]);
        check(|i| 10.0 + pattern[i % 4], 0, Kind::Multiplicative, &[1.3, 0.9, 0.8, 1.0]);
        check(|i| 1.0 + 1000.0 * f64::from(u8::from(i % 4 == 0)), 0, Kind::Additive, &[750.0, -250.0, -250.0, -250.0]);
        check(|_| 5.0, 0, Kind::None, &[]);
        let mut rng = foresail_core::SeededRng::seed_from_u64(1);
        let noise: Vec<f64> = (0..40).map(|_| rng.normal()).collect();
        check(|i| noise[i], 0, Kind::None, &[]);
    }

    #[test]
    fn an_odd_season_beside_a_trend_is_separated() {
        let pattern = [3.0, -1.0, -2.0, 1.0, -1.0];
        let values: Vec<f64> = (0..50).map(|i| pattern[i % 5] - 10.0 + 0.1 * i as f64).collect();
        let effects = decompose(&values, &[true; 50], 0, 5, Kind::Additive);
        assert!(effects.iter().zip(&pattern).all(|(a, b)| (a - b).abs() < 1e-9), "{effects:?}");
    }
}
