//! What is learned of each endpoint, kept by its key through changes of the set.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Endpoints;

/// Endpoints that left are remembered, up to this many: they may come back.
const MOST_GONE: usize = 256;

/// One `T` an endpoint, at the endpoint's own index.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arms<T> {
    present: Vec<(u64, T)>,
    place_of: BTreeMap<u64, usize>,
    gone: VecDeque<(u64, T)>,
    generation: Option<u64>,
}

impl<T> Arms<T> {
    pub(super) fn new() -> Self {
        Self { present: Vec::new(), place_of: BTreeMap::new(), gone: VecDeque::new(), generation: None }
    }

    /// Follows the set. `fresh` makes the state of an endpoint never seen, given those known and how many there will be.
    /// Tells whether the set has changed; costs a comparison if not.
    pub(super) fn align(&mut self, endpoints: &dyn Endpoints, fresh: impl Fn(&[&T], usize) -> T) -> bool {
        let count = endpoints.count();
        if self.generation == Some(endpoints.generation()) && self.present.len() == count {
            return false;
        }
        self.generation = Some(endpoints.generation());
        self.gone.extend(self.present.drain(..));
        let mut found = Vec::with_capacity(count);
        for index in 0..count {
            let key = endpoints.key(index);
            found.push(self.gone.iter().rposition(|(k, _)| *k == key).and_then(|at| self.gone.remove(at)));
        }
        let known: Vec<&T> = found.iter().flatten().map(|(_, arm)| arm).collect();
        let unknown = count - known.len();
        let mut made: Vec<T> = (0..unknown).map(|_| fresh(&known, count)).collect();
        self.present = found
            .into_iter()
            .enumerate()
            .filter_map(|(index, arm)| arm.or_else(|| made.pop().map(|arm| (endpoints.key(index), arm))))
            .collect();
        self.place_of = self.present.iter().enumerate().map(|(index, (key, _))| (*key, index)).collect();
        while self.gone.len() > MOST_GONE {
            self.gone.pop_front();
        }
        true
    }

    /// The state of the endpoint at `index`; the set must have been followed.
    pub(super) fn at(&self, index: usize) -> &T {
        &self.present[index].1
    }

    /// The state of the endpoint of that key, there or remembered.
    pub(super) fn of_key(&mut self, key: u64) -> Option<&mut T> {
        match self.place_of.get(&key) {
            Some(&place) => Some(&mut self.present[place].1),
            None => self.gone.iter_mut().find(|(k, _)| *k == key).map(|(_, arm)| arm),
        }
    }

    /// Those there, with their keys.
    pub(super) fn present(&self) -> &[(u64, T)] {
        &self.present
    }

    /// Those there.
    pub(super) fn present_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.present.iter_mut().map(|(_, arm)| arm)
    }

    /// Those there and those remembered.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.present.iter_mut().chain(&mut self.gone).map(|(_, arm)| arm)
    }
}

impl<T: Clone> Arms<T> {
    pub(super) fn save(&self) -> Vec<(u64, T)> {
        self.gone.iter().chain(&self.present).cloned().collect()
    }
}

impl<T> Arms<T> {
    /// They count as remembered until the next [`align`](Self::align) finds them in the set.
    pub(super) fn restore(saved: Vec<(u64, T)>) -> Self {
        Self { gone: saved.into(), ..Self::new() }
    }
}

/// Forgets in steps of a hundredth of the memory, so that most feedback costs no pass over the arms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Forgetting {
    since_ms: Option<u64>,
}

impl Forgetting {
    /// The share to keep of all that was learned, if it is time for a step.
    pub(super) fn keep(&mut self, at_ms: u64, memory: Duration) -> Option<f64> {
        let since = *self.since_ms.get_or_insert(at_ms);
        let passed = at_ms.saturating_sub(since) as f64 / 1000.0;
        if passed * 100.0 < memory.as_secs_f64() {
            return None;
        }
        self.since_ms = Some(at_ms);
        Some((-passed / memory.as_secs_f64().max(1e-3)).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(Vec<u64>, u64);

    impl Endpoints for Named {
        fn count(&self) -> usize {
            self.0.len()
        }
        fn view(&self, _index: usize) -> crate::View {
            crate::View::default()
        }
        fn key(&self, index: usize) -> u64 {
            self.0[index]
        }
        fn generation(&self) -> u64 {
            self.1
        }
    }

    #[test]
    fn what_was_learned_follows_the_key() {
        let mut arms = Arms::<u32>::new();
        arms.align(&Named(vec![10, 20], 1), |_, _| 0);
        *arms.of_key(20).unwrap() = 7;
        arms.align(&Named(vec![20, 30, 10], 2), |others, _| others.len() as u32 + 100);
        assert_eq!(arms.present(), [(20, 7), (30, 102), (10, 0)]);
        arms.align(&Named(vec![10], 3), |_, _| 0);
        *arms.of_key(20).unwrap() += 1;
        let mut again = Arms::restore(arms.save());
        again.align(&Named(vec![20, 10], 9), |_, _| 55);
        assert_eq!(again.present(), [(20, 8), (10, 0)]);
        assert_eq!(again.of_key(99), None);
    }

    #[test]
    fn forgetting_steps_and_ignores_a_clock_that_goes_back() {
        let mut forgetting = Forgetting::default();
        let memory = Duration::from_secs(10);
        assert_eq!(forgetting.keep(1000, memory), None);
        assert_eq!(forgetting.keep(500, memory), None);
        assert_eq!(forgetting.keep(1099, memory), None);
        assert!((forgetting.keep(11_000, memory).unwrap() - (-1.0_f64).exp()).abs() < 1e-12);
    }
}
