//! In turn, by weight: nginx's smooth weighted round robin.

use super::{Balancer, Pick};
use crate::Endpoints;

pub(super) struct RoundRobin {
    /// What each endpoint has saved up. Follows places, not names: a change of the set shifts a turn or two.
    credit: Vec<f64>,
    /// Where this worker starts, so that several do not march in step.
    start: u64,
}

impl RoundRobin {
    pub(super) fn new(worker: u64) -> Self {
        Self { credit: Vec::new(), start: worker }
    }
}

impl Balancer for RoundRobin {
    fn pick(&mut self, endpoints: &dyn Endpoints, _pick: Pick) -> Option<usize> {
        let count = endpoints.count();
        if self.credit.len() != count {
            self.credit = vec![0.0; count];
            if count > 0 {
                self.credit[(self.start % count as u64) as usize] = 1e-9;
            }
        }
        let (mut total, mut best) = (0.0, None);
        for index in 0..count {
            let view = endpoints.view(index);
            if !view.available {
                continue;
            }
            self.credit[index] += view.weight;
            total += view.weight;
            if best.is_none_or(|b: usize| self.credit[index] > self.credit[b]) {
                best = Some(index);
            }
        }
        let best = best?;
        self.credit[best] -= total;
        Some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::View;

    #[test]
    fn turns_are_taken_evenly_and_smoothly() {
        let views = [View { weight: 2.0, ..View::default() }, View::default(), View::default()];
        let mut balancer = RoundRobin::new(0);
        let turns: Vec<usize> =
            (0..8).filter_map(|_| balancer.pick(&views.as_slice(), Pick { random: 0, hash: None })).collect();
        assert_eq!(turns, [0, 1, 2, 0, 0, 1, 2, 0]);
    }

    #[test]
    fn workers_start_apart() {
        let views = [View::default(); 4];
        let first = |worker| RoundRobin::new(worker).pick(&views.as_slice(), Pick { random: 0, hash: None });
        assert_eq!([first(0), first(1), first(6)], [Some(0), Some(1), Some(2)]);
    }
}
