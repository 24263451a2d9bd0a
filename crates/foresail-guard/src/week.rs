//! The most of seven days, which no single day can move far.

use serde::{Deserialize, Serialize};

/// Days that are remembered.
const DAYS: usize = 7;
/// Days from which on a day is held against the others.
const SETTLED: usize = 3;
/// By how much a day may surpass the middle of the days before it.
pub(crate) const REACH: f32 = 1.1;

/// Daily maxima of one quantity. Once three days are known, a day counts for at most 1.1 times the median of those before
/// (winsorising), so that whoever raises it slowly raises it by a tenth until the better part of the week is his.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Week {
    days: [f32; DAYS],
    known: u8,
    next: u8,
    today: f32,
}

impl Week {
    pub(crate) fn observe(&mut self, value: f32) {
        self.today = self.today.max(value);
    }

    /// Today's most is that of a past day from now on.
    pub(crate) fn end_day(&mut self) {
        let value = self.curbed_today();
        self.days[usize::from(self.next) % DAYS] = value;
        self.next = (self.next + 1) % DAYS as u8;
        self.known = (self.known + 1).min(DAYS as u8);
        self.today = 0.0;
    }

    /// The most of the days known, today included as far as it counts.
    pub(crate) fn most(&self) -> f32 {
        self.past().iter().fold(self.curbed_today(), |most, day| most.max(*day))
    }

    /// The most of the days that are over.
    pub(crate) fn most_before_today(&self) -> f32 {
        self.past().iter().fold(0.0, |most: f32, day| most.max(*day))
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.most() <= 0.0
    }

    fn past(&self) -> &[f32] {
        &self.days[..usize::from(self.known).min(DAYS)]
    }

    fn curbed_today(&self) -> f32 {
        if usize::from(self.known) < SETTLED {
            return self.today;
        }
        let mut sorted = [0.0; DAYS];
        let past = self.past();
        sorted[..past.len()].copy_from_slice(past);
        sorted[..past.len()].sort_unstable_by(f32::total_cmp);
        self.today.min(REACH * sorted[past.len() / 2])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_new_counts_from_nothing_and_a_week_forgets() {
        let mut week = Week::default();
        assert!(week.is_empty());
        for day in [3.0, 5.0, 4.0] {
            week.observe(day);
            week.end_day();
        }
        assert_eq!(week.most(), 5.0);
        for _ in 0..DAYS {
            week.observe(2.0);
            week.end_day();
        }
        assert_eq!(week.most(), 2.0);
    }

    proptest! {
        /// Three days of whatever an attacker does move what seven days have given by a tenth at most.
        #[test]
        fn a_ramp_of_three_days_moves_it_by_a_tenth(honest in prop::collection::vec(1.0..100.0_f32, 7), claims in prop::collection::vec(0.0..1e6_f32, 1..=3)) {
            let mut week = Week::default();
            for day in honest {
                week.observe(day);
                week.end_day();
            }
            let before = week.most();
            for claim in claims {
                week.observe(claim);
                prop_assert!(week.most() <= REACH * before * 1.000_1);
                week.end_day();
                prop_assert!(week.most() <= REACH * before * 1.000_1);
            }
        }
    }
}
