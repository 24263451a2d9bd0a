//! Principal components, learned one row at a time.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Weight of a new row over that of an old one, less 1: the amnesic average of the paper.
const AMNESIA: f64 = 2.0;
/// Standardised features count as this many standard deviations at most.
const CUT: f64 = 6.0;
/// Rows before a feature's spread is trusted, and the least spread of a feature, in its own unit and in its mean magnitude.
const ENOUGH: f64 = 8.0;
const LEAST_SPREAD: (f64, f64) = (1e-9, 1e-6);

/// Principal components by CCIPCA (Weng, Zhang and Hwang 2003, "Candid Covariance-Free Incremental Principal Component
/// Analysis") of features that are standardised by their running mean and spread. No matrix is formed and nothing is random: an
/// update costs O(features × components). Missing features count as usual ones. Axes are made orthonormal before they are used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct OnlinePca {
    width: usize,
    components: usize,
    memory: f64,
    rows: f64,
    /// Rows in which each feature was seen, its mean and its variance.
    seen: Vec<f64>,
    means: Vec<f64>,
    variances: Vec<f64>,
    /// One over the spreads.
    #[serde(skip)]
    inverse: Vec<f64>,
    /// Axes times their eigenvalues, `components × width`, fewer while young.
    vectors: Vec<Vec<f64>>,
    /// The axes, orthonormal.
    axes: Vec<Vec<f64>>,
}

impl OnlinePca {
    /// Of rows of `width` features to `components` numbers, at most `width`, forgetting over `memory` rows, at least 2.
    pub fn new(width: usize, components: usize, memory: f64) -> Self {
        Self {
            width,
            components: components.min(width),
            memory: if memory.is_finite() { memory.max(2.0) } else { 1e6 },
            rows: 0.0,
            seen: vec![0.0; width],
            means: vec![0.0; width],
            variances: vec![0.0; width],
            inverse: vec![1.0 / LEAST_SPREAD.0; width],
            vectors: Vec::new(),
            axes: Vec::new(),
        }
    }

    /// Learns from a row of `width` features.
    pub fn update(&mut self, row: &[Option<f64>]) {
        for (i, value) in row.iter().enumerate().take(self.width) {
            let Some(value) = value.filter(|v| v.abs() <= 1e100) else { continue };
            self.seen[i] = (self.seen[i] + 1.0).min(self.memory);
            let pace = 1.0 / self.seen[i];
            let over = value - self.means[i];
            self.means[i] += pace * over;
            self.variances[i] += pace * (over * (value - self.means[i]) - self.variances[i]);
        }
        self.inverse = (0..self.width).map(|i| 1.0 / self.spread(i)).collect();
        self.rows = (self.rows + 1.0).min(self.memory);
        let mut rest = self.standardised(row);
        if self.vectors.len() < self.components && norm(&rest) > 1e-9 && self.rows > ENOUGH {
            // A new axis begins as what the others leave of a row.
            self.axes.iter().for_each(|axis| remove(&mut rest, axis));
            if norm(&rest) > 1e-6 {
                self.vectors.push(rest);
            }
        } else {
            let old = ((self.rows - 1.0 - AMNESIA) / self.rows).max(0.0);
            let new = (1.0 - old).min(1.0);
            for vector in &mut self.vectors {
                let length = norm(vector);
                if length < 1e-12 {
                    continue;
                }
                let along = dot(&rest, vector) / length;
                vector.iter_mut().zip(&rest).for_each(|(v, r)| *v = old * *v + new * along * r);
                let length = norm(vector);
                if length > 1e-12 {
                    let along = dot(&rest, vector) / length;
                    rest.iter_mut().zip(vector.iter()).for_each(|(r, v)| *r -= along * v / length);
                }
            }
        }
        self.orthonormalise();
    }

    /// Gram and Schmidt's.
    fn orthonormalise(&mut self) {
        let mut axes: Vec<Vec<f64>> = Vec::with_capacity(self.vectors.len());
        for vector in &self.vectors {
            let mut axis = vector.clone();
            axes.iter().for_each(|other| remove(&mut axis, other));
            let length = norm(&axis);
            let scale = if length > 1e-12 { 1.0 / length } else { 0.0 };
            axis.iter_mut().for_each(|v| *v *= scale);
            axes.push(axis);
        }
        self.axes = axes;
    }

    fn spread(&self, feature: usize) -> f64 {
        self.variances[feature].max(0.0).sqrt().max(LEAST_SPREAD.0 + LEAST_SPREAD.1 * self.means[feature].abs())
    }

    /// Distances from the usual in usual spreads; 0 where missing or not known yet.
    pub(super) fn standardised(&self, row: &[Option<f64>]) -> Vec<f64> {
        let known = |i: usize| row.get(i).copied().flatten().filter(|v| v.abs() <= 1e100 && self.seen[i] >= 2.0);
        let standard = |i: usize| known(i).map_or(0.0, |v| ((v - self.means[i]) * self.inverse[i]).clamp(-CUT, CUT));
        (0..self.width).map(standard).collect()
    }

    /// The compact vector of a row: `components` numbers, 0 where there is no axis yet.
    pub fn project(&self, row: &[Option<f64>]) -> Vec<f64> {
        let standard = self.standardised(row);
        let mut scores: Vec<f64> = self.axes.iter().map(|axis| dot(axis, &standard)).collect();
        scores.resize(self.components, 0.0);
        scores
    }

    /// The axes, `components × features` at most, orthonormal, those that explain most first.
    pub fn axes(&self) -> &[Vec<f64>] {
        &self.axes
    }

    /// Features in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Share of the standardised features' variance along each axis, 0 to 1.
    pub fn explained(&self) -> Vec<f64> {
        let active = (0..self.width).filter(|i| self.variances[*i] > 0.0).count().max(1) as f64;
        self.vectors.iter().map(|vector| (norm(vector) / active).min(1.0)).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}

/// Takes what is along the unit vector `axis` out of `vector`.
fn remove(vector: &mut [f64], axis: &[f64]) {
    let along = dot(vector, axis);
    vector.iter_mut().zip(axis).for_each(|(v, a)| *v -= along * a);
}

#[derive(Deserialize)]
struct Saved {
    width: usize,
    components: usize,
    memory: f64,
    rows: f64,
    seen: Vec<f64>,
    means: Vec<f64>,
    variances: Vec<f64>,
    vectors: Vec<Vec<f64>>,
    axes: Vec<Vec<f64>>,
}

impl TryFrom<Saved> for OnlinePca {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self, Error> {
        let Saved { width, components, memory, rows, seen, means, variances, vectors, axes } = saved;
        let fits = |v: &Vec<f64>| v.len() == width && v.iter().all(|v| v.is_finite());
        let is_sound = [&seen, &means, &variances].into_iter().chain(&vectors).chain(&axes).all(fits)
            && vectors.len() <= components
            && axes.len() == vectors.len()
            && components <= width
            && memory >= 2.0
            && (0.0..=memory).contains(&rows);
        if is_sound {
            let inverse = Vec::new();
            let mut pca = Self { width, components, memory, rows, seen, means, variances, inverse, vectors, axes };
            pca.inverse = (0..width).map(|i| 1.0 / pca.spread(i)).collect();
            Ok(pca)
        } else {
            Err(Error::BadSnapshot(format!("principal components of {width} features that do not fit together")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRng;

    /// Six features moved by two hidden causes, of which the first moves more of them.
    fn row(rng: &mut SeededRng) -> Vec<Option<f64>> {
        let (a, b) = (rng.normal(), rng.normal());
        let mut noise = || 0.1 * rng.normal();
        [a + noise(), 50.0 + 10.0 * a + noise(), -a + noise(), 3.0 * a + noise(), b + noise(), 1e6 * b + noise()]
            .map(Some)
            .to_vec()
    }

    #[test]
    fn the_causes_are_found_and_the_axes_are_orthonormal() {
        let mut rng = SeededRng::seed_from_u64(5);
        let mut pca = OnlinePca::new(6, 3, 1e5);
        (0..3_000).for_each(|_| pca.update(&row(&mut rng)));
        for (i, axis) in pca.axes().iter().enumerate() {
            for (j, other) in pca.axes().iter().enumerate() {
                let expected = f64::from(u8::from(i == j));
                assert!((dot(axis, other) - expected).abs() < 1e-9);
            }
        }
        // Of standardised features the first cause moves four alike, the second two.
        let [first, second, ..] = pca.axes() else { unreachable!("three were asked for") };
        assert!(
            first[..4].iter().all(|v| (v.abs() - 0.5).abs() < 0.05) && first[4..].iter().all(|v| v.abs() < 0.1),
            "{first:?}"
        );
        assert!(second[4..].iter().all(|v| (v.abs() - 0.5_f64.sqrt()).abs() < 0.05), "{second:?}");
        let explained = pca.explained();
        assert!((explained[0] - 4.0 / 6.0).abs() < 0.08 && (explained[1] - 2.0 / 6.0).abs() < 0.06, "{explained:?}");
    }

    #[test]
    fn what_is_missing_or_absurd_does_no_harm_and_state_goes_on_alike() {
        let mut rng = SeededRng::seed_from_u64(6);
        let mut pca = OnlinePca::new(6, 3, 500.0);
        for i in 0..1_000 {
            let mut row = row(&mut rng);
            row[i % 6] = match i % 3 {
                0 => None,
                1 => Some(f64::NAN),
                _ => row[i % 6],
            };
            if i == 500 {
                row.fill(Some(1e99));
            }
            pca.update(&row);
            assert!(pca.project(&row).iter().all(|v| v.is_finite()));
        }
        let text = serde_json::to_string(&pca).unwrap();
        let mut twin: OnlinePca = serde_json::from_str(&text).unwrap();
        let next = row(&mut rng);
        pca.update(&next);
        twin.update(&next);
        assert_eq!(pca, twin);
        assert_eq!(OnlinePca::new(6, 3, 500.0).project(&next), [0.0; 3]);
        assert!(serde_json::from_str::<OnlinePca>(&text.replacen("\"width\":6", "\"width\":5", 1)).is_err());
    }
}
