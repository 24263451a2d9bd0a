//! Consistent hashing on a ring (Karger et al. 1997) with bounded loads (Mirrokni, Thorup and Zadimoghaddam 2018).

use super::candidates::next;
use super::{Balancer, Pick};
use crate::Endpoints;

pub(super) struct RingHash {
    points: usize,
    bounded_load: f64,
    /// Places on the ring, ascending, with the index of their endpoint.
    ring: Vec<(u64, u32)>,
    /// Generation and size of the set that the ring was built for.
    built_for: Option<(u64, usize)>,
}

impl RingHash {
    pub(super) fn new(points: usize, bounded_load: f64) -> Self {
        Self { points, bounded_load, ring: Vec::new(), built_for: None }
    }

    fn build(&mut self, endpoints: &dyn Endpoints) {
        self.ring.clear();
        for index in 0..endpoints.count() {
            let mut state = endpoints.key(index);
            self.ring.extend((0..self.points).map(|_| (next(&mut state), index as u32)));
        }
        self.ring.sort_unstable();
    }
}

impl Balancer for RingHash {
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize> {
        let set = (endpoints.generation(), endpoints.count());
        if self.built_for != Some(set) {
            self.build(endpoints);
            self.built_for = Some(set);
        }
        let (mut weight, mut in_flight) = (0.0, 1.0);
        for view in (0..endpoints.count()).map(|i| endpoints.view(i)).filter(|v| v.available) {
            weight += view.weight;
            in_flight += f64::from(view.in_flight);
        }
        let mut state = pick.hash.unwrap_or(pick.random);
        let place = next(&mut state);
        let start = self.ring.partition_point(|(at, _)| *at < place);
        let mut fallback = None;
        let mut previous = None;
        for step in 0..self.ring.len() {
            let (_, index) = self.ring[(start + step) % self.ring.len()];
            let index = index as usize;
            if previous.replace(index) == Some(index) {
                continue;
            }
            let view = endpoints.view(index);
            if !view.available {
                continue;
            }
            let bound = (self.bounded_load * in_flight * view.weight / weight).ceil();
            if f64::from(view.in_flight) < bound {
                return Some(index);
            }
            fallback.get_or_insert(index);
        }
        fallback
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::View;

    struct Named(Vec<u64>);

    impl Endpoints for Named {
        fn count(&self) -> usize {
            self.0.len()
        }
        fn view(&self, _index: usize) -> View {
            View::default()
        }
        fn key(&self, index: usize) -> u64 {
            self.0[index]
        }
        fn generation(&self) -> u64 {
            self.0.iter().sum()
        }
    }

    fn owners(set: &Named) -> Vec<u64> {
        let mut ring = RingHash::new(160, 1.25);
        (0..2000).map(|hash| set.0[ring.pick(set, Pick { random: 0, hash: Some(hash) }).unwrap()]).collect()
    }

    #[test]
    fn a_new_endpoint_takes_its_share_and_moves_nothing_else() {
        let before = owners(&Named(vec![11, 22, 33, 44]));
        let after = owners(&Named(vec![55, 44, 11, 22, 33]));
        let moved: Vec<_> = before.iter().zip(&after).filter(|(a, b)| a != b).collect();
        assert!(moved.iter().all(|(_, to)| **to == 55));
        assert!((250..600).contains(&moved.len()), "{}", moved.len());
    }

    #[test]
    fn a_loaded_owner_passes_on() {
        let mut ring = RingHash::new(160, 1.25);
        let mut views = [View::default(); 4];
        let pick = Pick { random: 0, hash: Some(5) };
        let owner = ring.pick(&views.as_slice(), pick).unwrap();
        views[owner].in_flight = 10;
        assert_ne!(ring.pick(&views.as_slice(), pick), Some(owner));
    }
}
