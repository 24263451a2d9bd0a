//! Least requests in flight among a few (Mitzenmacher 2001, "The Power of Two Choices in Randomized Load Balancing").

use super::candidates::least_of;
use super::propensity::of_least;
use super::{Balancer, Pick};
use crate::{Endpoints, View};

pub(super) struct LeastRequest {
    pub(super) choices: usize,
}

impl Balancer for LeastRequest {
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize> {
        least_of(endpoints, pick.random, self.choices, |view, _| cost(view))
    }

    fn propensity(&mut self, endpoints: &dyn Endpoints, _pick: Pick, index: usize) -> Option<f64> {
        of_least(endpoints, index, self.choices, |view, _| cost(view))
    }
}

fn cost(view: &View) -> f64 {
    (f64::from(view.in_flight) + 1.0) / view.weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_divides_what_is_in_flight() {
        let big = View { in_flight: 5, weight: 4.0, ..View::default() };
        let small = View { in_flight: 2, ..View::default() };
        let mut balancer = LeastRequest { choices: 2 };
        for random in 0..20 {
            assert_eq!(balancer.pick(&[small, big].as_slice(), Pick { random, hash: None }), Some(1));
        }
    }
}
