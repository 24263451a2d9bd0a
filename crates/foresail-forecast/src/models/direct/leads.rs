//! The leads that are learned, and those between them.

use serde::{Deserialize, Serialize};

/// All leads there are, in rows.
const ALL: [usize; 7] = [1, 2, 4, 8, 15, 30, 60];

/// Ascending leads, the first of them 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Leads(Vec<usize>);

impl Leads {
    /// Those that a history of `rows` rows can teach: eight times the longest must fit into it.
    pub(in super::super) fn for_history(rows: usize) -> Self {
        Self(ALL.into_iter().filter(|lead| *lead == 1 || lead * 8 <= rows).collect())
    }

    pub(in super::super) fn as_slice(&self) -> &[usize] {
        &self.0
    }

    pub(in super::super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in super::super) fn longest(&self) -> usize {
        self.0.last().copied().unwrap_or(1)
    }

    /// The value `ahead` rows on (at least 1), where `at_leads` has one for each lead: straight lines between them, held
    /// beyond the last.
    pub(in super::super) fn interpolate(&self, at_leads: &[f64], ahead: usize) -> f64 {
        let above = self.0.partition_point(|lead| *lead < ahead);
        if above == self.0.len() {
            return at_leads[above - 1];
        }
        if self.0[above] == ahead || above == 0 {
            return at_leads[above];
        }
        let (low, high) = (self.0[above - 1], self.0[above]);
        let share = (ahead - low) as f64 / (high - low) as f64;
        at_leads[above - 1] * (1.0 - share) + at_leads[above] * share
    }

    /// Whether restored leads are what this type promises.
    pub(in super::super) fn is_sound(&self) -> bool {
        self.0.first() == Some(&1) && self.0.is_sorted() && self.longest() <= ALL[ALL.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_histories_teach_short_leads() {
        assert_eq!(Leads::for_history(0).as_slice(), [1]);
        assert_eq!(Leads::for_history(64).as_slice(), [1, 2, 4, 8]);
        assert_eq!(Leads::for_history(10_000).as_slice(), ALL);
    }

    #[test]
    fn leads_between_are_interpolated_and_later_ones_held() {
        let leads = Leads::for_history(32);
        assert_eq!(leads.as_slice(), [1, 2, 4]);
        let at = |ahead| leads.interpolate(&[1.0, 2.0, 6.0], ahead);
        assert_eq!([at(1), at(2), at(3), at(4), at(99)], [1.0, 2.0, 4.0, 6.0, 6.0]);
    }
}
