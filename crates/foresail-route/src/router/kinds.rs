//! Kinds of requests told apart, a bounded number of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cell::Cell;

/// Less than this left of a kind, and its place may be another's.
const FADED: f64 = 0.5;

/// One kind: what is known of it everywhere, and at each service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kind<T> {
    key: u64,
    pub(super) all: Cell,
    pub(super) here: Vec<T>,
}

impl<T> Kind<T> {
    pub(super) fn key(&self) -> u64 {
        self.key
    }
}

/// Kinds by their keys. The first place is for those that found none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kinds<T> {
    places: Vec<Kind<T>>,
    most: usize,
}

impl<T: Default> Kinds<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { places: vec![Kind { key: 0, all: Cell::default(), here: Vec::new() }], most }
    }

    /// The place of a kind, which gets one if there is one; the first if there is none.
    pub(super) fn admit(&mut self, key: u64, now_ms: u64, memory_ms: f64) -> usize {
        if let Some(found) = self.find(key) {
            return found;
        }
        let services = self.places[0].here.len();
        let fresh = Kind { key, all: Cell::default(), here: (0..services).map(|_| T::default()).collect() };
        if self.places.len() < self.most {
            self.places.push(fresh);
            return self.places.len() - 1;
        }
        self.places.iter_mut().for_each(|kind| kind.all.fade(now_ms, memory_ms));
        let gone = (1..self.places.len()).find(|at| self.places[*at].all.tries() < FADED);
        if let Some(at) = gone {
            self.places[at] = fresh;
        }
        gone.unwrap_or(0)
    }

    fn find(&self, key: u64) -> Option<usize> {
        (1..self.places.len()).find(|at| self.places[*at].key == key)
    }

    pub(super) fn places(&self) -> &[Kind<T>] {
        &self.places
    }

    pub(super) fn places_mut(&mut self) -> &mut [Kind<T>] {
        &mut self.places
    }

    /// Keys and their places, for those who look them up often.
    pub(super) fn index(&self) -> BTreeMap<u64, u16> {
        self.places.iter().enumerate().skip(1).map(|(at, kind)| (kind.key, at as u16)).collect()
    }

    pub(super) fn add_service(&mut self) {
        self.places.iter_mut().for_each(|kind| kind.here.push(T::default()));
    }

    pub(super) fn remove_service(&mut self, at: usize) {
        self.places.iter_mut().for_each(|kind| _ = kind.here.remove(at));
    }

    /// Whether a restored one can be reckoned with.
    pub(super) fn is_sound(&self, services: usize, most: usize, now_ms: u64, is_sound: impl Fn(&T) -> bool) -> bool {
        let sound = |kind: &Kind<T>| {
            kind.all.is_sound(now_ms) && kind.here.len() == services && kind.here.iter().all(&is_sound)
        };
        self.most == most && (1..=most).contains(&self.places.len()) && self.places.iter().all(sound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_on_when_their_kind_has_faded() {
        let mut kinds: Kinds<Cell> = Kinds::new(3);
        kinds.add_service();
        let tell = |kinds: &mut Kinds<Cell>, key, now_ms| {
            let at = kinds.admit(key, now_ms, 1000.0);
            kinds.places_mut()[at].all.fade(now_ms, 1000.0);
            kinds.places_mut()[at].all.push(Some((1.0, 1.0)));
            at
        };
        assert_eq!([tell(&mut kinds, 7, 0), tell(&mut kinds, 8, 0), tell(&mut kinds, 9, 0)], [1, 2, 0]);
        assert_eq!(tell(&mut kinds, 8, 600), 2);
        assert_eq!([tell(&mut kinds, 9, 900), tell(&mut kinds, 7, 900), tell(&mut kinds, 8, 900)], [1, 0, 2]);
        assert_eq!(kinds.index().into_iter().collect::<Vec<_>>(), [(8, 2), (9, 1)]);
        let is_sound =
            |kinds: &Kinds<Cell>, services, now_ms| kinds.is_sound(services, 3, now_ms, |cell| cell.is_sound(now_ms));
        assert!(is_sound(&kinds, 1, 900) && !is_sound(&kinds, 2, 900) && !is_sound(&kinds, 1, 899));
    }
}
