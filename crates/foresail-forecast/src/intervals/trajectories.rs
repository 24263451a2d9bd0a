//! How errors at different steps ahead go together: past trajectories of errors, kept as ranks.
//!
//! Calibrated quantiles say how far off each step may be by itself. The highest value of the next hour needs more: whether
//! a forecast that is too low now is too low throughout. The Schaake shuffle (Clark et al., "The Schaake shuffle: a method
//! for reconstructing space–time variability in forecasted fields", 2004) takes that from what happened: trajectories of
//! past scores give, step by step, ranks; put in the place of the ranks, the quantiles of today make as many paths, whose
//! marginals are those quantiles and whose dependence is that of the past (an empirical copula).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Trajectories kept.
pub(super) const CAPACITY: usize = 128;
/// Fewer than these tell nothing: paths are then taken to keep their rank throughout.
const LEAST: usize = 16;

/// Past trajectories of scores, a knot a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Trajectories {
    /// Origins so many rows apart are remembered.
    stride: usize,
    /// Trajectories that are not complete, oldest first: the origin's row and the scores so far.
    pending: VecDeque<(i64, Vec<Option<f32>>)>,
    /// By knot, then slot.
    scores: Vec<Vec<f32>>,
    /// Rank of each score among those of its knot; of equal scores that of the lower slot comes first.
    ranks: Vec<Vec<u16>>,
    /// Slot that the next trajectory takes.
    next: usize,
}

impl Trajectories {
    pub(super) fn new(knots: usize, stride: usize) -> Self {
        let empty = || Vec::with_capacity(CAPACITY);
        Self {
            stride: stride.max(1),
            pending: VecDeque::new(),
            scores: (0..knots).map(|_| empty()).collect(),
            ranks: (0..knots).map(|_| Vec::with_capacity(CAPACITY)).collect(),
            next: 0,
        }
    }

    /// Whether restored state can be indexed.
    pub(super) fn is_sound(&self, knots: usize) -> bool {
        let count = self.kept();
        self.stride > 0
            && self.next < CAPACITY
            && count <= CAPACITY
            && (count == CAPACITY || self.next == count)
            && self.pending.iter().all(|(_, scores)| scores.len() == knots)
            && self.scores.len() == knots
            && self.ranks.len() == knots
            && self.scores.iter().all(|scores| scores.len() == count)
            && self.ranks.iter().all(|ranks| {
                let mut sorted = ranks.clone();
                sorted.sort_unstable();
                sorted.iter().map(|r| usize::from(*r)).eq(0..count)
            })
    }

    fn kept(&self) -> usize {
        self.scores.first().map_or(0, Vec::len)
    }

    /// A forecast is made of row `origin` and those after it.
    pub(super) fn begin(&mut self, origin: i64) {
        if origin.rem_euclid(self.stride as i64) == 0 {
            self.pending.push_back((origin, vec![None; self.scores.len()]));
        }
    }

    /// The score of knot `knot` of the forecast made at `origin`.
    pub(super) fn score(&mut self, origin: i64, knot: usize, score: f64) {
        if origin.rem_euclid(self.stride as i64) != 0 {
            return;
        }
        if let Some((_, scores)) = self.pending.iter_mut().find(|(of, _)| *of == origin) {
            scores[knot] = Some(score as f32).filter(|score| score.is_finite());
        }
    }

    /// Every score of the forecasts made at `origin` and before has been told: they are kept if none is missing.
    pub(super) fn finish(&mut self, origin: i64) {
        while let Some((_, scores)) = self.pending.pop_front_if(|(of, _)| *of <= origin) {
            if let Some(scores) = scores.into_iter().collect::<Option<Vec<f32>>>() {
                self.keep(&scores);
            }
        }
    }

    fn keep(&mut self, scores: &[f32]) {
        let slot = self.next;
        self.next = (slot + 1) % CAPACITY;
        for (knot, fresh) in scores.iter().enumerate() {
            let (kept, ranks) = (&mut self.scores[knot], &mut self.ranks[knot]);
            if slot == kept.len() {
                kept.push(*fresh);
                ranks.push(slot as u16);
            } else {
                // The score that leaves no longer precedes those after it.
                let gone = ranks[slot];
                ranks.iter_mut().for_each(|rank| *rank -= u16::from(*rank > gone));
                kept[slot] = *fresh;
            }
            let before = |(i, score): (usize, &f32)| score < fresh || (score == fresh && i < slot);
            let rank = kept.iter().enumerate().filter(|(i, _)| *i != slot).filter(|at| before(*at)).count() as u16;
            ranks.iter_mut().for_each(|of| *of += u16::from(*of >= rank));
            ranks[slot] = rank;
        }
    }

    /// Paths that can be told apart.
    pub(super) fn count(&self) -> usize {
        if self.kept() < LEAST { CAPACITY } else { self.kept() }
    }

    /// Rank, below [`Trajectories::count`], of each path at a knot; none if paths keep theirs, which is their number.
    pub(super) fn ranks(&self, knot: usize) -> Option<&[u16]> {
        (self.kept() >= LEAST).then(|| self.ranks[knot].as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Ranks are those of the scores kept, whatever comes and goes.
        #[test]
        fn ranks_are_those_of_the_scores(rows in proptest::collection::vec(proptest::array::uniform2(-3_i8..3), 1..300)) {
            let mut trajectories = Trajectories::new(2, 1);
            for (row, scores) in rows.iter().enumerate() {
                trajectories.begin(row as i64);
                scores.iter().enumerate().for_each(|(knot, s)| trajectories.score(row as i64, knot, f64::from(*s)));
                trajectories.finish(row as i64);
            }
            proptest::prop_assert!(trajectories.is_sound(2));
            for knot in 0..2 {
                let scores = &trajectories.scores[knot];
                for (i, rank) in trajectories.ranks[knot].iter().enumerate() {
                    let before = (0..scores.len()).filter(|j| (scores[*j], *j) < (scores[i], i)).count();
                    proptest::prop_assert_eq!(usize::from(*rank), before);
                }
            }
        }
    }

    #[test]
    fn a_trajectory_with_a_gap_is_left_out_and_a_stride_is_kept() {
        let mut trajectories = Trajectories::new(2, 2);
        for row in 0..20 {
            trajectories.begin(row);
            trajectories.score(row, 0, 1.0);
            if row != 4 {
                trajectories.score(row, 1, 2.0);
            }
            trajectories.finish(row);
        }
        assert_eq!(trajectories.kept(), 9);
        assert_eq!((trajectories.count(), trajectories.ranks(0)), (CAPACITY, None));
    }
}
