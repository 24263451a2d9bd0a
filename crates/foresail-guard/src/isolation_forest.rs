//! How easily a point is told apart from others (Liu, Ting and Zhou, "Isolation Forest", ICDM 2008).

use foresail_core::SeededRng;

use crate::Error;

/// How path lengths become a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As in the paper: leaves that hold several points count the depth that would still part them, and lengths are in
    /// units of c of the sample a tree was grown on.
    Paper,
    /// As the exercise has it: leaves count nothing, lengths are in units of c of all the rows given.
    AsPublished,
}

/// Trees of a forest.
const TREES: usize = 100;
/// Rows that each tree is grown on, at most.
const SAMPLE: usize = 256;

/// Mean length of an unsuccessful search in a binary search tree of `n` keys (§2, equation 1): 2 H(n−1) − 2 (n−1)/n, with the
/// harmonic number exact where it is small.
pub fn expected_path(n: usize) -> f64 {
    if n < 2 {
        return 0.0;
    }
    let m = (n - 1) as f64;
    let harmonic = if n <= 64 {
        (1..n).map(|i| 1.0 / i as f64).sum()
    } else {
        m.ln() + 0.577_215_664_901_532_9 + 0.5 / m - 1.0 / (12.0 * m * m)
    };
    2.0 * harmonic - 2.0 * m / n as f64
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Of a leaf, what is added to its depth; of others, where the left goes.
    value: f32,
    /// The left child; the right one follows it. 0 is a leaf.
    children: u32,
    feature: u32,
}

/// 100 trees, each on at most 256 rows.
#[derive(Clone, Debug)]
pub struct IsolationForest {
    nodes: Vec<Node>,
    roots: Vec<u32>,
    unit: f64,
    width: usize,
}

impl IsolationForest {
    /// Grows a forest on rows of features, all finite and of one length.
    ///
    /// # Errors
    /// [`Error::TooFewRows`] for fewer than two rows, rows of differing length, or features that are not finite.
    pub fn fit(rows: &[impl AsRef<[f32]>], form: Form, rng: &mut SeededRng) -> Result<Self, Error> {
        let width = rows.first().map_or(0, |row| row.as_ref().len());
        let is_sound = |row: &[f32]| row.len() == width && row.iter().all(|x| x.is_finite());
        if rows.len() < 2 || width == 0 || !rows.iter().all(|row| is_sound(row.as_ref())) {
            return Err(Error::TooFewRows { rows: rows.len(), width });
        }
        let sample = rows.len().min(SAMPLE);
        let n = if form == Form::Paper { sample } else { rows.len() };
        let mut forest = Self {
            nodes: Vec::new(),
            roots: Vec::new(),
            // Of two rows, as published, it is 0.15; of few rows it may be 0 or less, which would turn scores around.
            unit: match form {
                Form::Paper => expected_path(n),
                Form::AsPublished => published_path(n),
            },
            width,
        };
        let deepest = (sample as f64).log2().ceil() as u32;
        let mut order: Vec<usize> = (0..rows.len()).collect();
        for _ in 0..TREES {
            // The first places of a shuffle: a sample without repetition.
            for place in 0..sample {
                order.swap(place, place + rng.below(rows.len() - place));
            }
            let root = forest.nodes.len() as u32;
            forest.roots.push(root);
            forest.nodes.push(LEAF);
            forest.grow(root as usize, rows, &mut order[..sample], deepest, form, rng);
        }
        Ok(forest)
    }

    fn grow(
        &mut self,
        node: usize,
        rows: &[impl AsRef<[f32]>],
        members: &mut [usize],
        depth_left: u32,
        form: Form,
        rng: &mut SeededRng,
    ) {
        let value = |i: usize, feature: usize| rows[i].as_ref()[feature];
        let range = |feature: usize, members: &[usize]| {
            members.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), i| {
                (low.min(value(*i, feature)), high.max(value(*i, feature)))
            })
        };
        let varying: Vec<usize> = if depth_left == 0 || members.len() < 2 {
            Vec::new()
        } else {
            (0..self.width).filter(|f| range(*f, members).0 < range(*f, members).1).collect()
        };
        let Some(&feature) = varying.get(rng.below(varying.len())) else {
            let rest = if form == Form::Paper { expected_path(members.len()) } else { 0.0 };
            self.nodes[node] = Node { value: rest as f32, ..LEAF };
            return;
        };
        let (low, high) = range(feature, members);
        // Rounding may give the upper end; everything would go left then.
        let cut = (low + (high - low) * rng.uniform() as f32).clamp(low.next_up(), high);
        let mut left = 0;
        for i in 0..members.len() {
            if value(members[i], feature) < cut {
                members.swap(i, left);
                left += 1;
            }
        }
        let children = self.nodes.len() as u32;
        self.nodes[node] = Node { value: cut, children, feature: feature as u32 };
        self.nodes.extend([LEAF, LEAF]);
        let (lefts, rights) = members.split_at_mut(left);
        self.grow(children as usize, rows, lefts, depth_left - 1, form, rng);
        self.grow(children as usize + 1, rows, rights, depth_left - 1, form, rng);
    }

    /// How odd a row is, 0 to 1: half is ordinary, near 1 is parted from all others at once. NaN features go right.
    pub fn score(&self, row: &[f32]) -> f64 {
        let total: f64 = self.roots.iter().map(|root| self.path(*root, row)).sum();
        (-total / self.roots.len() as f64 / self.unit).exp2()
    }

    #[inline]
    fn path(&self, root: u32, row: &[f32]) -> f64 {
        let mut node = self.nodes[root as usize];
        let mut depth = 0.0;
        while node.children != 0 {
            let is_left = row.get(node.feature as usize).is_some_and(|x| *x < node.value);
            node = self.nodes[node.children as usize + usize::from(!is_left)];
            depth += 1.0;
        }
        depth + f64::from(node.value)
    }
}

const LEAF: Node = Node { value: 0.0, children: 0, feature: 0 };

/// c of n as the exercise writes it, for n of 3 and more; below, where it is 0 or less, that of 3.
fn published_path(n: usize) -> f64 {
    let m = (n.max(3) - 1) as f64;
    2.0 * (m.ln() + 0.5772) - 2.0 * m / (m + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cloud(n: usize, seed: u64) -> Vec<[f32; 2]> {
        let mut rng = SeededRng::seed_from_u64(seed);
        (0..n).map(|_| [rng.normal() as f32, rng.normal() as f32]).collect()
    }

    #[test]
    fn the_expected_path_is_that_of_the_paper() {
        // From 2 H(n−1) − 2 (n−1)/n with exact harmonic numbers.
        for (n, expected) in [(1, 0.0), (2, 1.0), (3, 5.0 / 3.0), (4, 13.0 / 6.0)] {
            assert!((expected_path(n) - expected).abs() < 1e-12, "{n}");
        }
        let harmonic: f64 = (1..256).map(|i| 1.0 / f64::from(i)).sum();
        assert!((expected_path(256) - (2.0 * harmonic - 2.0 * 255.0 / 256.0)).abs() < 1e-9);
        // scikit-learn (_average_path_length) leaves out the terms beyond the logarithm.
        assert!((expected_path(256) - 10.244_770_92).abs() < 0.005);
    }

    #[test]
    fn what_lies_apart_is_odd_and_what_lies_within_is_not() {
        let rows = cloud(2_000, 1);
        let forest = IsolationForest::fit(&rows, Form::Paper, &mut SeededRng::seed_from_u64(2)).unwrap();
        let (far, near) = (forest.score(&[6.0, 6.0]), forest.score(&[0.0, 0.0]));
        assert!(far > 0.7 && near < 0.47, "{far} {near}");
        let mean = rows.iter().map(|row| forest.score(row)).sum::<f64>() / rows.len() as f64;
        assert!((mean - 0.48).abs() < 0.05, "{mean}");
    }

    #[test]
    fn as_published_the_unit_grows_with_the_rows() {
        let score = |n, form| {
            let forest = IsolationForest::fit(&cloud(n, 3), form, &mut SeededRng::seed_from_u64(4)).unwrap();
            forest.score(&[0.0, 0.0])
        };
        // With more rows the exercise finds everything odder, though the trees are no deeper.
        assert!(score(50_000, Form::AsPublished) > score(300, Form::AsPublished) + 0.05);
        assert!((score(50_000, Form::Paper) - score(300, Form::Paper)).abs() < 0.05);
    }

    #[test]
    fn rows_that_are_no_good_are_refused() {
        let mut rng = SeededRng::seed_from_u64(1);
        assert!(IsolationForest::fit(&[[1.0_f32]], Form::Paper, &mut rng).is_err());
        assert!(IsolationForest::fit(&[vec![1.0_f32], vec![]], Form::Paper, &mut rng).is_err());
        assert!(IsolationForest::fit(&[[1.0_f32], [f32::NAN]], Form::Paper, &mut rng).is_err());
        // Rows that are all alike cannot be parted; nothing is odd among them.
        let forest = IsolationForest::fit(&[[1.0_f32]; 50], Form::Paper, &mut rng).unwrap();
        assert!((forest.score(&[1.0]) - 0.5).abs() < 1e-6);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Scores lie between 0 and 1, whatever is asked, and one seed gives one forest.
        #[test]
        fn scores_are_shares(rows in prop::collection::vec(prop::array::uniform3(-1e6..1e6_f32), 2..60), ask in prop::array::uniform3(any::<f32>())) {
            for form in [Form::Paper, Form::AsPublished] {
                let fit = || IsolationForest::fit(&rows, form, &mut SeededRng::seed_from_u64(9)).unwrap();
                let score = fit().score(&ask);
                prop_assert!((0.0..=1.0).contains(&score), "{score}");
                prop_assert_eq!(score, fit().score(&ask));
            }
        }
    }
}
