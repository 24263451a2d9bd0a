//! Random forest regression (Breiman, *Random Forests*, Machine Learning 45, 2001).
//!
//! Each tree is grown on a bootstrap sample, each of its splits chosen among a random few features; the forest answers
//! with the mean of its trees. Departures: splits are searched over quantile bins, and missing values are allowed.

use foresail_core::SeededRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::tree::{Binned, Grower, Limits, Matrix, Order, Scaling, Signal, Tree, check_rows};

/// How a forest is grown. The default is 50 trees of depth 10.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForestParams {
    /// Trees, 1 to 10,000.
    pub n_trees: usize,
    /// Questions from root to leaf at most, 1 to 30.
    pub max_depth: usize,
    /// Rows a leaf holds at least, counted as the bootstrap drew them; at least 1.
    pub min_leaf: usize,
    /// Share of the features a split chooses from, within (0, 1]; at least one is offered.
    pub feature_share: f64,
    /// Whether each tree sees its own sample, drawn with replacement, or every row.
    pub bootstrap: bool,
    /// Bins a feature is cut into at most, 2 to 255.
    pub max_bins: usize,
}

impl Default for ForestParams {
    fn default() -> Self {
        Self { n_trees: 50, max_depth: 10, min_leaf: 5, feature_share: 1.0 / 3.0, bootstrap: true, max_bins: 255 }
    }
}

impl ForestParams {
    pub(super) fn check(&self) -> Result<(), Error> {
        let within = |parameter, value: usize, low: usize, high: usize, range| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Error::BadParameter { parameter, value: value.to_string(), range })
            }
        };
        within("n_trees", self.n_trees, 1, 10_000, "1 to 10000")?;
        within("max_depth", self.max_depth, 1, 30, "1 to 30")?;
        within("min_leaf", self.min_leaf, 1, usize::MAX, "at least 1")?;
        within("max_bins", self.max_bins, 2, 255, "2 to 255")?;
        if !(self.feature_share > 0.0 && self.feature_share <= 1.0) {
            let value = self.feature_share.to_string();
            return Err(Error::BadParameter { parameter: "feature_share", value, range: "above 0, up to 1" });
        }
        Ok(())
    }

    /// The same for the grower, of rows of `width` features.
    pub(super) fn limits(&self, width: usize) -> Limits {
        Limits {
            order: Order::DepthFirst,
            max_depth: self.max_depth,
            min_leaf: self.min_leaf as f64,
            features_per_split: ((self.feature_share * width as f64).round() as usize).max(1),
            l2: 0.0,
            shared: false,
        }
    }
}

/// A grown forest: plain data that can be saved and restored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct RandomForest {
    trees: Vec<Tree>,
    importance: Vec<f64>,
}

impl RandomForest {
    /// Grows a forest on `rows` (NaN for missing) and a finite target a row. Tree `i` draws from `rng.fork(i)`, so the
    /// forest does not depend on how many threads grew it. O(trees × depth × rows × features per split).
    ///
    /// # Errors
    /// [`Error::BadParameter`], [`Error::NoRows`], [`Error::LengthMismatch`], [`Error::NonFiniteTarget`].
    pub fn fit(rows: Matrix<'_>, targets: &[f64], params: &ForestParams, rng: &SeededRng) -> Result<Self, Error> {
        params.check()?;
        check_rows(rows, targets)?;
        let scaling = Scaling::of(targets);
        let scaled: Vec<f64> = targets.iter().map(|t| scaling.to_unit(*t)).collect();
        let binned = Binned::new(rows, params.max_bins);
        let limits = params.limits(rows.width());
        let grown: Vec<(Tree, Vec<f64>)> = (0..params.n_trees as u64)
            .into_par_iter()
            .map_init(
                || Grower::new(&binned, limits),
                |grower, index| grow(grower, &scaled, params.bootstrap, &scaling, &mut rng.fork(index)),
            )
            .collect();
        let mut importance = vec![0.0; rows.width()];
        for (_, gains) in &grown {
            importance.iter_mut().zip(gains).for_each(|(total, gain)| *total += gain);
        }
        let total: f64 = importance.iter().sum();
        if total > 0.0 {
            importance.iter_mut().for_each(|i| *i /= total);
        }
        Ok(Self { trees: grown.into_iter().map(|(tree, _)| tree).collect(), importance })
    }

    /// The mean of the trees for one row, in O(trees × depth); never outside the range of the targets learned from.
    /// `row` has [`RandomForest::features`] values, NaN for missing ones.
    pub fn predict(&self, row: &[f32]) -> f64 {
        debug_assert_eq!(row.len(), self.features());
        let share = 1.0 / self.trees.len() as f64;
        // Scaled before summing: a sum of huge answers must not overflow.
        self.trees.iter().map(|tree| tree.predict(row)[0] * share).sum()
    }

    /// Features of a row.
    pub fn features(&self) -> usize {
        self.importance.len()
    }

    /// For each feature, its share of the squared error that splits took off in training; sums to 1, or is 0 throughout
    /// if no tree was ever split.
    pub fn importance(&self) -> &[f64] {
        &self.importance
    }
}

/// A forest as read back, before it is trusted.
#[derive(Deserialize)]
struct Saved {
    trees: Vec<Tree>,
    importance: Vec<f64>,
}

impl TryFrom<Saved> for RandomForest {
    type Error = String;

    fn try_from(saved: Saved) -> Result<Self, String> {
        let sound = |tree: &Tree| tree.features() == saved.importance.len() && tree.heads() == 1;
        if saved.trees.is_empty() || !saved.trees.iter().all(sound) {
            return Err("a saved forest has no trees, or trees over different features".to_owned());
        }
        Ok(Self { trees: saved.trees, importance: saved.importance })
    }
}

/// Grows a tree on its own sample; gives it with the gains of its splits.
fn grow(
    grower: &mut Grower<'_>,
    targets: &[f64],
    bootstrap: bool,
    scaling: &Scaling,
    rng: &mut SeededRng,
) -> (Tree, Vec<f64>) {
    let weights = draw_weights(targets.len(), bootstrap, rng);
    let mut signal = Signal::default();
    signal.set_weighted(targets, &weights);
    let mut importance = vec![0.0; grower.features()];
    let drawn = (0..targets.len() as u32).filter(|row| weights[*row as usize] > 0);
    let offered = vec![true; grower.features()];
    let mut grown = grower.grow(&signal, drawn, &offered, 1, rng, &mut importance);
    for (node, from, to) in &grown.leaves {
        let (mut sum, mut weight) = (0.0, 0.0);
        for row in &grower.rows()[*from..*to] {
            let times = f64::from(weights[*row as usize]);
            sum += times * targets[*row as usize];
            weight += times;
        }
        grown.tree.values_mut(*node)[0] = scaling.to_target(sum / weight);
    }
    (grown.tree, importance)
}

/// How often each row was drawn.
pub(super) fn draw_weights(rows: usize, bootstrap: bool, rng: &mut SeededRng) -> Vec<u32> {
    if !bootstrap {
        return vec![1; rows];
    }
    let mut weights = vec![0; rows];
    for _ in 0..rows {
        weights[rng.below(rows)] += 1;
    }
    weights
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::tree::friedman;

    fn small() -> ForestParams {
        ForestParams { n_trees: 8, max_depth: 5, min_leaf: 1, ..ForestParams::default() }
    }

    #[test]
    fn friedman_is_learned_and_the_idle_features_are_seen_through() {
        let mut rng = SeededRng::seed_from_u64(5);
        let (x, y) = friedman(1500, &mut rng);
        let params = ForestParams::default();
        let forest = RandomForest::fit(Matrix::new(&x, 10).unwrap(), &y, &params, &rng.fork(1)).unwrap();
        let (test_x, test_y) = friedman(500, &mut rng);
        let mean = test_y.iter().sum::<f64>() / 500.0;
        let (mut error, mut spread) = (0.0, 0.0);
        for (row, y) in test_x.chunks(10).zip(&test_y) {
            error += (forest.predict(row) - y).powi(2);
            spread += (y - mean).powi(2);
        }
        assert!(1.0 - error / spread > 0.75, "R² {}", 1.0 - error / spread);
        let idle: f64 = forest.importance()[5..].iter().sum();
        assert!(idle < 0.15, "idle features hold {idle}");
        assert!((forest.importance().iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn without_bootstrap_and_with_every_feature_a_tree_remembers_distinct_rows() {
        let x: Vec<f32> = (0..64).map(|i| i as f32).collect();
        let y: Vec<f64> = x.iter().map(|x| f64::from(*x).sin()).collect();
        let params = ForestParams {
            n_trees: 1,
            min_leaf: 1,
            max_depth: 30,
            feature_share: 1.0,
            bootstrap: false,
            max_bins: 255,
        };
        let forest = RandomForest::fit(Matrix::new(&x, 1).unwrap(), &y, &params, &SeededRng::seed_from_u64(1)).unwrap();
        for (x, y) in x.iter().zip(&y) {
            assert!((forest.predict(&[*x]) - y).abs() < 1e-12);
        }
    }

    #[test]
    fn bad_parameters_and_data_are_named() {
        let rows = Matrix::new(&[1.0, 2.0], 1).unwrap();
        let rng = SeededRng::seed_from_u64(1);
        let refuse = |params: ForestParams, y: &[f64]| RandomForest::fit(rows, y, &params, &rng).unwrap_err();
        let message = refuse(ForestParams { n_trees: 0, ..small() }, &[1.0, 2.0]).to_string();
        assert_eq!(message, "n_trees is 0, accepted is 1 to 10000");
        let message = refuse(ForestParams { feature_share: f64::NAN, ..small() }, &[1.0, 2.0]).to_string();
        assert_eq!(message, "feature_share is NaN, accepted is above 0, up to 1");
        assert_eq!(refuse(small(), &[1.0]), Error::LengthMismatch { rows: 2, targets: 1 });
        assert_eq!(refuse(small(), &[1.0, f64::NAN]), Error::NonFiniteTarget { row: 1 });
        assert_eq!(Matrix::new(&[1.0; 3], 2).unwrap_err(), Error::RaggedMatrix { values: 3, width: 2 });
        let empty = Matrix::new(&[], 4).unwrap();
        assert_eq!(RandomForest::fit(empty, &[], &small(), &rng).unwrap_err(), Error::NoRows);
    }

    fn table() -> impl Strategy<Value = (Vec<f32>, Vec<f64>, usize)> {
        (1_usize..60, 1_usize..4).prop_flat_map(|(rows, width)| {
            let cell = prop_oneof![4 => -1e3_f32..1e3, 1 => Just(f32::NAN), 1 => Just(0.0_f32)];
            let target = prop_oneof![4 => -1e3..1e3_f64, 1 => -1e300..1e300_f64, 1 => Just(0.0)];
            (vec(cell, rows * width), vec(target, rows), Just(width))
        })
    }

    proptest! {
        /// An answer is a mean of means of targets, so it never leaves their range, whatever row is asked about.
        #[test]
        fn predictions_stay_within_the_targets((x, y, width) in table(), asked in vec(-2e3_f32..2e3, 3), seed: u64) {
            let rng = SeededRng::seed_from_u64(seed);
            let forest = RandomForest::fit(Matrix::new(&x, width).unwrap(), &y, &small(), &rng).unwrap();
            let low = y.iter().copied().fold(f64::INFINITY, f64::min);
            let high = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let slack = 1e-12 * low.abs().max(high.abs());
            for row in [&asked[..width], &x[..width], &[f32::NAN; 3][..width], &[f32::INFINITY; 3][..width]] {
                let answer = forest.predict(row);
                prop_assert!(low - slack <= answer && answer <= high + slack, "{low} {answer} {high}");
            }
        }

        /// One seed, one forest: with any number of threads, and through a save and a restore.
        #[test]
        fn a_seed_gives_one_forest((x, y, width) in table(), seed: u64) {
            let rng = SeededRng::seed_from_u64(seed);
            let rows = Matrix::new(&x, width).unwrap();
            let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            let a = alone.install(|| RandomForest::fit(rows, &y, &small(), &rng)).unwrap();
            let b = RandomForest::fit(rows, &y, &small(), &rng).unwrap();
            prop_assert_eq!(&a, &b);
            let text = serde_json::to_string(&a).unwrap();
            let restored: RandomForest = serde_json::from_str(&text).unwrap();
            for row in x.chunks(width) {
                prop_assert_eq!(a.predict(row).to_bits(), restored.predict(row).to_bits());
            }
        }
    }
}
