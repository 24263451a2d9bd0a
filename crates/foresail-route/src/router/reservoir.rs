//! Rows to fit the next forest on.

use foresail_core::SeededRng;
use foresail_learn::forest::Matrix;
use serde::{Deserialize, Serialize};

use super::features::WIDTH;

/// Rows kept.
const MOST: usize = 2048;

/// A bounded sample in which recent rows are more probable: once it is full, a new row takes a random one's place, so that the
/// age of a row is geometric with a mean of the capacity (Aggarwal, "On biased reservoir sampling in the presence of stream
/// evolution", VLDB 2006).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reservoir {
    rows: Vec<f32>,
    targets: Vec<[f64; 3]>,
}

impl Reservoir {
    pub(super) fn push(&mut self, row: &[f32; WIDTH], target: [f64; 3], rng: &mut SeededRng) {
        if self.targets.len() < MOST {
            self.rows.extend_from_slice(row);
            self.targets.push(target);
            return;
        }
        let at = rng.below(MOST);
        self.rows[at * WIDTH..(at + 1) * WIDTH].copy_from_slice(row);
        self.targets[at] = target;
    }

    /// None if there are no rows.
    pub(super) fn table(&self) -> Option<(Matrix<'_>, &[[f64; 3]])> {
        let rows = Matrix::new(&self.rows, WIDTH).ok()?;
        (!rows.is_empty()).then_some((rows, &self.targets))
    }

    pub(super) fn is_sound(&self) -> bool {
        self.targets.len() <= MOST
            && self.rows.len() == self.targets.len() * WIDTH
            && self.rows.iter().all(|value| value.is_finite())
            && self.targets.iter().flatten().all(|value| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_prefers_the_recent() {
        let (mut reservoir, mut rng) = (Reservoir::default(), SeededRng::seed_from_u64(1));
        assert!(reservoir.table().is_none());
        for i in 0..3 * MOST {
            reservoir.push(&[i as f32; WIDTH], [i as f64; 3], &mut rng);
        }
        let (rows, targets) = reservoir.table().unwrap();
        assert_eq!((rows.len(), targets.len()), (MOST, MOST));
        let recent = targets.iter().filter(|target| target[0] >= 2.0 * MOST as f64).count();
        assert!((1100..1500).contains(&recent), "{recent}: about 1 - 1/e of them");
        assert!(reservoir.is_sound());
    }
}
