//! Errors by the time of day.

use serde::{Deserialize, Serialize};

const SLOTS: usize = 96;
const DAY_US: i64 = 86_400_000_000;
/// One row moves its slot by this much; no row counts for more than so many usual errors.
const RATE: f32 = 0.02;
const CLIP: f64 = 8.0;

/// For each quarter of an hour of the local day, how large errors are against those usual at any time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Profile {
    ratio: Vec<f32>,
    rows: Vec<f32>,
}

impl Profile {
    pub(super) fn new() -> Self {
        Self { ratio: vec![1.0; SLOTS], rows: vec![0.0; SLOTS] }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.ratio.len() == SLOTS && self.rows.len() == SLOTS
    }

    /// The ratio at a local time in microseconds since some midnight; 1 where nothing was seen.
    pub(super) fn at(&self, local_us: i64) -> f64 {
        f64::from(self.ratio[slot(local_us)])
    }

    pub(super) fn learn(&mut self, local_us: i64, ratio: f64) {
        let slot = slot(local_us);
        self.rows[slot] += 1.0;
        self.ratio[slot] += (ratio.min(CLIP) as f32 - self.ratio[slot]) * RATE.max(1.0 / self.rows[slot]);
    }
}

fn slot(local_us: i64) -> usize {
    (local_us.rem_euclid(DAY_US) * SLOTS as i64 / DAY_US) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_learn_apart() {
        let mut profile = Profile::new();
        let noon = DAY_US / 2;
        profile.learn(noon, 3.0);
        profile.learn(noon + DAY_US, 5.0);
        assert_eq!(profile.at(noon), 4.0);
        assert_eq!(profile.at(0), 1.0);
        assert_eq!(profile.at(-1), 1.0);
    }
}
