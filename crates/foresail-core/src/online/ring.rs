//! The last so many ticks of a series.

use serde::{Deserialize, Serialize};

use super::admit;
use crate::Error;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// How a [`Ring`] stores a value: `f64`, or `f32` where a long history must be small.
pub trait Real: Copy + sealed::Sealed {
    /// Stands for a tick that was not observed.
    const GAP: Self;
    /// The nearest stored value.
    fn narrow(value: f64) -> Self;
    /// The stored value; NaN for a gap.
    fn widen(self) -> f64;
}

impl Real for f64 {
    const GAP: Self = f64::NAN;
    #[inline]
    fn narrow(value: f64) -> Self {
        value
    }
    #[inline]
    fn widen(self) -> f64 {
        self
    }
}

impl Real for f32 {
    const GAP: Self = f32::NAN;
    #[inline]
    fn narrow(value: f64) -> Self {
        value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
    }
    #[inline]
    fn widen(self) -> f64 {
        f64::from(self)
    }
}

/// A ring buffer over the last [`Ring::capacity`] ticks, gaps included.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
#[serde(bound(serialize = "T: Real", deserialize = "T: Real"))]
pub struct Ring<T> {
    slots: Box<[T]>,
    next: usize,
}

impl<T: Real> Ring<T> {
    /// A ring of `capacity` ticks (at least 1), all of them gaps.
    pub fn new(capacity: usize) -> Self {
        Self { slots: vec![T::GAP; capacity.max(1)].into(), next: 0 }
    }

    /// Takes in one tick; the oldest falls out.
    #[inline]
    pub fn push(&mut self, value: Option<f64>) {
        self.slots[self.next] = admit(value).map_or(T::GAP, T::narrow);
        self.next = if self.next + 1 == self.slots.len() { 0 } else { self.next + 1 };
    }

    /// The value `age` ticks ago, 0 being the newest; `None` for a gap and for what has fallen out.
    #[inline]
    pub fn lag(&self, age: usize) -> Option<f64> {
        let value = self.at(age);
        (!value.is_nan()).then_some(value)
    }

    /// Like [`Ring::lag`], with NaN for `None`.
    #[inline]
    pub(crate) fn at(&self, age: usize) -> f64 {
        if age >= self.slots.len() {
            return f64::NAN;
        }
        let index = if age < self.next { self.next - 1 - age } else { self.next + self.slots.len() - 1 - age };
        self.slots[index].widen()
    }

    /// How many ticks it holds.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        size_of_val::<[T]>(&self.slots)
    }
}

/// A gap is saved as null, since JSON knows no NaN; `f32` is saved as the `f64` that equals it, which reads back exactly.
#[derive(Serialize, Deserialize)]
struct Saved {
    slots: Vec<Option<f64>>,
    next: usize,
}

impl<T: Real> From<Ring<T>> for Saved {
    fn from(ring: Ring<T>) -> Self {
        let slots = ring.slots.iter().map(|v| Some(v.widen()).filter(|v| !v.is_nan())).collect();
        Self { slots, next: ring.next }
    }
}

impl<T: Real> TryFrom<Saved> for Ring<T> {
    type Error = Error;
    fn try_from(saved: Saved) -> Result<Self, Error> {
        if saved.next >= saved.slots.len() {
            return Err(Error::BadSnapshot(format!("ring of {} slots stands at {}", saved.slots.len(), saved.next)));
        }
        let slots = saved.slots.into_iter().map(|v| admit(v).map_or(T::GAP, T::narrow)).collect();
        Ok(Self { slots, next: saved.next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_tick_falls_out_and_gaps_keep_their_place() {
        let mut ring = Ring::<f64>::new(3);
        assert_eq!(ring.lag(0), None);
        for value in [Some(1.0), Some(2.0), None, Some(4.0), Some(f64::INFINITY)] {
            ring.push(value);
        }
        assert_eq!([ring.lag(0), ring.lag(1), ring.lag(2), ring.lag(3)], [None, Some(4.0), None, None]);
        ring.push(Some(1e300));
        assert_eq!(ring.lag(0), Some(super::super::LARGEST));
    }

    #[test]
    fn a_saved_ring_reads_back_to_the_bit_and_a_broken_one_is_refused() {
        let mut ring = Ring::<f32>::new(4);
        for value in [Some(0.1), None, Some(-0.0), Some(1e-40), Some(3.3e38), Some(1e90)] {
            ring.push(value);
        }
        let text = serde_json::to_string(&ring).unwrap();
        let back: Ring<f32> = serde_json::from_str(&text).unwrap();
        let bits = |r: &Ring<f32>| r.slots.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!((bits(&back), back.next), (bits(&ring), ring.next));
        assert!(serde_json::from_str::<Ring<f32>>(r#"{"slots":[1.0],"next":1}"#).is_err());
        assert!(serde_json::from_str::<Ring<f32>>(r#"{"slots":[],"next":0}"#).is_err());
    }
}
