//! Errors by the time of day and of the hour.

use serde::{Deserialize, Serialize};

const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = 3_600_000_000;
/// One row moves its slot by this much; no row counts for more than so many usual errors.
const RATE: f32 = 0.02;
const CLIP: f64 = 8.0;

/// For each slot of a local cycle, how large errors are against those usual at any time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Profile {
    cycle_us: i64,
    ratio: Vec<f32>,
    rows: Vec<f32>,
}

impl Profile {
    /// Of the quarters of an hour of a day.
    pub(super) fn of_day() -> Self {
        Self::new(DAY_US, 96)
    }

    /// Of the minutes of an hour, where jobs on a timetable show.
    pub(super) fn of_hour() -> Self {
        Self::new(HOUR_US, 60)
    }

    fn new(cycle_us: i64, slots: usize) -> Self {
        Self { cycle_us, ratio: vec![1.0; slots], rows: vec![0.0; slots] }
    }

    pub(super) fn is_sound(&self) -> bool {
        [Self::of_day(), Self::of_hour()].iter().any(|known| {
            known.cycle_us == self.cycle_us
                && known.ratio.len() == self.ratio.len()
                && known.rows.len() == self.rows.len()
        })
    }

    /// The ratio at a local time in microseconds since some midnight; 1 where nothing was seen.
    pub(super) fn at(&self, local_us: i64) -> f64 {
        f64::from(self.ratio[self.slot(local_us)])
    }

    pub(super) fn learn(&mut self, local_us: i64, ratio: f64) {
        let slot = self.slot(local_us);
        self.rows[slot] += 1.0;
        self.ratio[slot] += (ratio.min(CLIP) as f32 - self.ratio[slot]) * RATE.max(1.0 / self.rows[slot]);
    }

    fn slot(&self, local_us: i64) -> usize {
        // A day in microseconds times its slots is far below the largest number there is.
        (local_us.rem_euclid(self.cycle_us) * self.ratio.len() as i64 / self.cycle_us) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_learn_apart() {
        let mut profile = Profile::of_day();
        let noon = DAY_US / 2;
        profile.learn(noon, 3.0);
        profile.learn(noon + DAY_US, 5.0);
        assert_eq!(profile.at(noon), 4.0);
        assert_eq!(profile.at(0), 1.0);
        assert_eq!(profile.at(-1), 1.0);
    }
}
