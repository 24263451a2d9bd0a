//! Do the inputs still look like those that were learned from?

use serde::{Deserialize, Serialize};

use super::effective;
use super::ks::{kolmogorov_tail, ks_distance};
use super::psi::{QuantileBins, population_stability_index};
use crate::Error;

/// Parameters of an [`InputDrift`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InputDriftOptions {
    /// Rows that are the reference, 32 to 100,000. Whole seasons, if features follow the season.
    pub reference: usize,
    /// Rows that are compared with it at a time, 16 to 100,000. Whole seasons too.
    pub window: usize,
    /// False alarms a window, over all features together, above 0 and below 1.
    pub false_alarms: f64,
    /// The index below which a difference does not matter, however sure, 0 to 100.
    pub least_index: f64,
    /// Bins of the index, 2 to 100.
    pub bins: usize,
}

impl Default for InputDriftOptions {
    fn default() -> Self {
        Self { reference: 1_000, window: 500, false_alarms: 0.01, least_index: 0.2, bins: 10 }
    }
}

/// What is found of one feature in one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureDrift {
    /// Index of the feature.
    pub feature: usize,
    /// Population stability index against the reference, missing values being a bin of their own.
    pub index: f64,
    /// Distance of Kolmogorov and Smirnov from the reference, 0 to 1.
    pub distance: f64,
    /// Share of missing values, 0 to 1.
    pub missing: f64,
    /// How likely as much is by chance, autocorrelation reckoned in, 0 to 1.
    pub p_value: f64,
    /// Beyond chance (after Bonferroni over the features) and large enough to matter.
    pub has_drifted: bool,
}

/// Compares the distribution of each feature, window after window, with a reference: the first rows, or those at the last
/// [`InputDrift::rebase`].
///
/// A feature has drifted if the test of Kolmogorov and Smirnov (or of the share of missing values) says so at the level of
/// `false_alarms`, divided by the features and by two tests each, and if the population stability index is large enough to
/// matter. Samples count as many points as their autocorrelation leaves them. Memory is O(features × (reference + window)), a
/// row costs O(features), a window's end O(features × rows × log rows).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct InputDrift {
    options: InputDriftOptions,
    features: Vec<Feature>,
    /// Rows in the window, or in the reference while that fills.
    rows: usize,
    has_reference: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Feature {
    /// Ascending.
    reference: Vec<f64>,
    reference_missing: usize,
    reference_phi: f64,
    /// In order of time.
    window: Vec<f64>,
    missing: usize,
}

impl InputDrift {
    /// For rows of `features` features.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for an option out of its range, or no features.
    pub fn new(features: usize, options: InputDriftOptions) -> Result<Self, Error> {
        let check = |parameter, holds: bool, value: String, range| {
            if holds { Ok(()) } else { Err(Error::BadParameter { parameter, value, range }) }
        };
        let InputDriftOptions { reference, window, false_alarms, least_index, bins } = options;
        check("features", (1..=100_000).contains(&features), features.to_string(), "1 to 100,000")?;
        check("reference", (32..=100_000).contains(&reference), reference.to_string(), "32 to 100,000")?;
        check("window", (16..=100_000).contains(&window), window.to_string(), "16 to 100,000")?;
        check("false_alarms", false_alarms > 0.0 && false_alarms < 1.0, false_alarms.to_string(), "between 0 and 1")?;
        check("least_index", (0.0..=100.0).contains(&least_index), least_index.to_string(), "0 to 100")?;
        check("bins", (2..=100).contains(&bins), bins.to_string(), "2 to 100")?;
        Ok(Self { options, features: vec![Feature::default(); features], rows: 0, has_reference: false })
    }

    /// Takes in a row; missing, non-finite and absent features are gaps. At the end of each window, one finding a feature.
    pub fn push(&mut self, row: &[Option<f64>]) -> Option<Vec<FeatureDrift>> {
        for (i, feature) in self.features.iter_mut().enumerate() {
            match row.get(i).copied().flatten().filter(|v| v.is_finite()) {
                Some(value) => feature.window.push(value),
                None => feature.missing += 1,
            }
        }
        self.rows += 1;
        if !self.has_reference {
            if self.rows >= self.options.reference {
                self.rebase();
            }
            return None;
        }
        if self.rows < self.options.window {
            return None;
        }
        let tests = 2.0 * self.features.len() as f64;
        let level = self.options.false_alarms / tests;
        let found =
            self.features.iter().enumerate().map(|(i, f)| f.judge(i, self.rows, level, &self.options)).collect();
        self.clear();
        Some(found)
    }

    /// What has come since the last window's end is the reference from now on; while that is less than `window` rows, the
    /// reference fills anew from it.
    pub fn rebase(&mut self) {
        self.has_reference = self.rows >= self.options.window.min(self.options.reference);
        if self.has_reference {
            self.features.iter_mut().for_each(Feature::rebase);
            self.clear();
        }
    }

    /// Whether there is something to compare with.
    pub fn has_reference(&self) -> bool {
        self.has_reference
    }

    fn clear(&mut self) {
        self.rows = 0;
        for feature in &mut self.features {
            feature.window.clear();
            feature.missing = 0;
        }
    }
}

impl Feature {
    fn rebase(&mut self) {
        self.reference_phi = neighbours(&self.window);
        self.reference = std::mem::take(&mut self.window);
        self.reference.sort_by(f64::total_cmp);
        self.reference_missing = self.missing;
    }

    fn judge(&self, feature: usize, rows: usize, level: f64, options: &InputDriftOptions) -> FeatureDrift {
        let phi = self.reference_phi.max(neighbours(&self.window));
        let mut sorted = self.window.clone();
        sorted.sort_by(f64::total_cmp);
        let distance = ks_distance(&self.reference, &sorted);
        let worth = |points: usize| effective(points as f64, phi);
        let by_value = kolmogorov_tail(distance, worth(self.reference.len()), worth(sorted.len()));
        let before = self.reference.len() + self.reference_missing;
        let by_gaps = proportion_tail((self.reference_missing, before), (self.missing, rows));
        let bins = QuantileBins::of(&self.reference, options.bins);
        let with_gaps = |values: &[f64], missing: usize| {
            let mut counts = bins.count(values);
            counts.push(missing as f64);
            counts
        };
        let index = population_stability_index(
            &with_gaps(&self.reference, self.reference_missing),
            &with_gaps(&sorted, self.missing),
        );
        let p_value = by_value.min(by_gaps);
        let missing = self.missing as f64 / rows.max(1) as f64;
        let has_drifted = p_value < level && index >= options.least_index;
        FeatureDrift { feature, index, distance, missing, p_value, has_drifted }
    }
}

/// Autocorrelation of neighbours, 0 to 0.95.
fn neighbours(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let mean = values.iter().map(|v| v / largest).sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|v| (v / largest - mean).powi(2)).sum();
    let products: f64 = values.windows(2).map(|w| (w[0] / largest - mean) * (w[1] / largest - mean)).sum();
    if squares > 0.0 { (products / squares).clamp(0.0, 0.95) } else { 0.0 }
}

/// How likely two shares as different are by chance, each given as hits of all: the pooled two-proportion test, by Chebyshev's
/// inequality's normal-tailed cousin 2·exp(−z²/2), which errs to the safe side.
fn proportion_tail(a: (usize, usize), b: (usize, usize)) -> f64 {
    let (n, m) = (a.1 as f64, b.1 as f64);
    if n == 0.0 || m == 0.0 {
        return 1.0;
    }
    // A hit and a miss are added, so that none of few is not certain to be none of many.
    let pooled = (a.0 as f64 + b.0 as f64 + 1.0) / (n + m + 2.0);
    let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let z = (a.0 as f64 / n - b.0 as f64 / m) / error;
    (2.0 * (-0.5 * z * z).exp()).min(1.0)
}

#[derive(Deserialize)]
struct Saved {
    options: InputDriftOptions,
    features: Vec<Feature>,
    rows: usize,
    has_reference: bool,
}

impl TryFrom<Saved> for InputDrift {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self, Error> {
        let Saved { options, features, rows, has_reference } = saved;
        let fresh = Self::new(features.len(), options)?;
        let is_sound = rows <= options.reference.max(options.window)
            && features.iter().all(|f| {
                f.window.len() + f.missing == rows
                    && f.window.iter().chain(&f.reference).all(|v| v.is_finite())
                    && f.reference.is_sorted()
                    && (0.0..=0.95).contains(&f.reference_phi)
            });
        if is_sound {
            Ok(Self { features, rows, has_reference, ..fresh })
        } else {
            let value = format!("a state of {rows} rows");
            Err(Error::BadParameter { parameter: "input_drift", value, range: "what was saved" })
        }
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;
    use proptest::prelude::*;

    use super::*;

    /// Windows in which each of four features was found to have drifted, of `windows`; `change` bends the rows after the
    /// reference.
    fn drifts(windows: usize, phi: f64, change: impl Fn(usize, f64, &mut SeededRng) -> Option<f64>) -> [usize; 4] {
        let options = InputDriftOptions { reference: 500, window: 250, ..InputDriftOptions::default() };
        let mut drift = InputDrift::new(4, options).unwrap();
        let mut rng = SeededRng::seed_from_u64(3);
        let mut state = [0.0; 4];
        let mut counts = [0; 4];
        for row in 0..500 + windows * 250 {
            let mut values = [None; 4];
            for i in 0..4 {
                state[i] = phi * state[i] + (1.0 - phi * phi).sqrt() * rng.normal();
                values[i] = if row < 500 { Some(state[i]) } else { change(i, state[i], &mut rng) };
            }
            for found in drift.push(&values).into_iter().flatten() {
                counts[found.feature] += usize::from(found.has_drifted);
            }
        }
        counts
    }

    #[test]
    fn only_what_has_changed_is_named() {
        assert_eq!(drifts(40, 0.0, |_, v, _| Some(v)), [0; 4]);
        let found = drifts(40, 0.0, |i, v, rng| match i {
            1 => Some(v + 1.0),
            2 => Some(2.5 * v),
            3 => (rng.uniform() > 0.3).then_some(v),
            _ => Some(v),
        });
        assert_eq!(found, [0, 40, 40, 40]);
    }

    #[test]
    fn autocorrelation_makes_no_false_alarms() {
        assert_eq!(drifts(40, 0.9, |_, v, _| Some(v)), [0; 4]);
    }

    #[test]
    fn a_new_reference_makes_the_new_the_usual() {
        let options = InputDriftOptions { reference: 100, window: 50, ..InputDriftOptions::default() };
        let mut drift = InputDrift::new(1, options).unwrap();
        let mut rng = SeededRng::seed_from_u64(3);
        (0..100).for_each(|_| assert!(drift.push(&[Some(rng.normal())]).is_none()));
        (0..49).for_each(|_| assert!(drift.push(&[Some(rng.normal() + 3.0)]).is_none()));
        assert!(drift.push(&[Some(3.0)]).unwrap()[0].has_drifted);
        drift.rebase();
        assert!(!drift.has_reference());
        (0..100).for_each(|_| assert!(drift.push(&[Some(rng.normal() + 3.0)]).is_none()));
        let found = (0..50).find_map(|_| drift.push(&[Some(rng.normal() + 3.0)])).unwrap();
        assert!(!found[0].has_drifted, "{found:?}");
    }

    proptest! {
        /// Whatever comes, it stays within bounds, and what is saved goes on alike.
        #[test]
        fn stays_bounded_and_goes_on_alike(rows in prop::collection::vec(prop::option::of(prop::num::f64::ANY), 0..200)) {
            let options = InputDriftOptions { reference: 64, window: 16, ..InputDriftOptions::default() };
            let mut drift = InputDrift::new(1, options).unwrap();
            let mut twin: InputDrift = serde_json::from_str(&serde_json::to_string(&drift).unwrap()).unwrap();
            for (i, value) in rows.into_iter().enumerate() {
                let found = drift.push(&[value]);
                prop_assert_eq!(&found, &twin.push(&[value]));
                for feature in found.into_iter().flatten() {
                    prop_assert!((0.0..=1.0).contains(&feature.p_value) && feature.index >= 0.0);
                }
                prop_assert!(drift.features[0].window.len() <= 64);
                if i % 40 == 17 {
                    twin = serde_json::from_str(&serde_json::to_string(&drift).unwrap()).unwrap();
                }
            }
        }
    }
}
