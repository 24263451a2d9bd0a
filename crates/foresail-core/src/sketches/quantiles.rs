//! Quantiles with a bounded relative error.

use serde::{Deserialize, Serialize};

use super::{straight_exp2, straight_log2};
use crate::Error;

/// Most buckets kept; the smallest values share one beyond.
const MOST: usize = 2_048;
/// Smaller values count as 0.
const LEAST: f64 = 1e-9;
const LARGEST: f64 = 1e100;

/// DDSketch (Masson, Rim and Lee, VLDB 2019): counts in buckets of equal relative width, so that any quantile is within
/// `accuracy` of a value of that rank, as long as no more than 2,048 buckets are in use (at 1 %, a factor of 10¹² between the
/// largest and the smallest); beyond, the lowest collapse into one. The bucket is read off the bits of the float (their
/// linearly interpolated mapping). Two sketches of one accuracy merge without loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct QuantileSketch {
    accuracy: f64,
    /// Buckets in a doubling.
    per_octave: f64,
    /// Number of the first bucket.
    first: i32,
    counts: Vec<u64>,
    /// Values below 10⁻⁹, negative ones included.
    zeros: u64,
    total: u64,
    sum: f64,
}

impl QuantileSketch {
    /// With a relative `accuracy`, clamped to 0.001 to 0.25.
    pub fn new(accuracy: f64) -> Self {
        let accuracy = if accuracy.is_finite() { accuracy.clamp(0.001, 0.25) } else { 0.01 };
        // A straight line is flattest at the lower end of a doubling, where it must still be fine enough.
        let per_octave = ((1.0 + accuracy) / (1.0 - accuracy)).ln().recip();
        Self { accuracy, per_octave, first: 0, counts: Vec::new(), zeros: 0, total: 0, sum: 0.0 }
    }

    /// Counts a value; negative ones count as 0, what is not finite is left out.
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.add_many(value, 1);
    }

    /// Counts a value `count` times.
    #[inline]
    pub fn add_many(&mut self, value: f64, count: u64) {
        if !value.is_finite() || count == 0 {
            return;
        }
        let value = value.clamp(0.0, LARGEST);
        self.total += count;
        self.sum += value * count as f64;
        if value < LEAST {
            self.zeros += count;
            return;
        }
        let bucket = (straight_log2(value) * self.per_octave).floor() as i32;
        let place = self.place(bucket);
        self.counts[place] += count;
    }

    /// Where `bucket` is counted, after making room for it.
    #[inline]
    fn place(&mut self, bucket: i32) -> usize {
        let offset = i64::from(bucket) - i64::from(self.first);
        if (0..self.counts.len() as i64).contains(&offset) { offset as usize } else { self.make_room(bucket) }
    }

    #[cold]
    fn make_room(&mut self, bucket: i32) -> usize {
        if self.counts.is_empty() {
            (self.first, self.counts) = (bucket, vec![0]);
            return 0;
        }
        let last = self.first + self.counts.len() as i32 - 1;
        let (low, high) = (self.first.min(bucket), last.max(bucket));
        let low = low.max(high - MOST as i32 + 1);
        let mut counts = vec![0; (high - low + 1) as usize];
        for (i, count) in self.counts.iter().enumerate() {
            counts[(self.first + i as i32 - low).max(0) as usize] += count;
        }
        (self.first, self.counts) = (low, counts);
        (bucket - low).max(0) as usize
    }

    /// Values counted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Mean of the values; `None` if there are none.
    pub fn mean(&self) -> Option<f64> {
        (self.total > 0).then(|| self.sum / self.total as f64)
    }

    /// A value within the accuracy of the one of rank `q`·(count − 1), `q` in 0 to 1; `None` if empty.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = (q.clamp(0.0, 1.0) * self.total.checked_sub(1)? as f64) as u64;
        let mut seen = self.zeros;
        if rank < seen {
            return Some(0.0);
        }
        for (bucket, count) in (self.first..).zip(&self.counts) {
            seen += count;
            if rank < seen {
                let edge = |bucket: i32| straight_exp2(f64::from(bucket) / self.per_octave);
                let (low, high) = (edge(bucket), edge(bucket + 1));
                return Some(2.0 * low * high / (low + high));
            }
        }
        None
    }

    /// Takes in what `other` has counted.
    ///
    /// # Errors
    /// [`Error::BadSnapshot`] if it has another accuracy.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.per_octave != other.per_octave {
            return Err(Error::BadSnapshot(format!(
                "sketch of accuracy {} joined to {}",
                other.accuracy, self.accuracy
            )));
        }
        // The highest first: what room is made for then stays.
        for (i, count) in other.counts.iter().enumerate().rev().filter(|(_, count)| **count > 0) {
            let place = self.place(other.first + i as i32);
            self.counts[place] += count;
        }
        self.zeros += other.zeros;
        self.total += other.total;
        self.sum += other.sum;
        Ok(())
    }

    /// Forgets all values, keeping the room.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.zeros, self.total, self.sum) = (0, 0, 0.0);
    }
}

#[derive(Deserialize)]
struct Saved {
    accuracy: f64,
    per_octave: f64,
    first: i32,
    counts: Vec<u64>,
    zeros: u64,
    total: u64,
    sum: f64,
}

impl TryFrom<Saved> for QuantileSketch {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self, Error> {
        let Saved { accuracy, per_octave, first, counts, zeros, total, sum } = saved;
        let sound = Self::new(accuracy);
        let added = counts.iter().try_fold(zeros, |sum: u64, count| sum.checked_add(*count));
        let is_sound = sound.per_octave == per_octave
            && counts.len() <= MOST
            && first.unsigned_abs() < 1 << 24
            && added == Some(total)
            && sum.is_finite();
        if is_sound {
            Ok(Self { accuracy, per_octave, first, counts, zeros, total, sum })
        } else {
            Err(Error::BadSnapshot("quantile sketch whose counts do not add up".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(sketch: &QuantileSketch, values: &[f64]) {
        let mut sorted: Vec<f64> = values.iter().map(|v| v.max(0.0)).collect();
        sorted.sort_by(f64::total_cmp);
        for q in [0.0, 0.1, 0.5, 0.9, 0.99, 1.0] {
            let exact = sorted[(q * (sorted.len() - 1) as f64) as usize];
            let got = sketch.quantile(q).unwrap();
            assert!((got - exact).abs() <= 0.010_001 * exact + LEAST, "{q}: {got}, not {exact}");
        }
    }

    proptest! {
        /// Every quantile of any stream is within the accuracy, and of two streams as of one.
        #[test]
        fn quantiles_are_within_the_accuracy(
            logs in prop::collection::vec(-8.0..10.0_f64, 1..200),
            cut in 0..200_usize,
        ) {
            let values: Vec<f64> = logs.iter().map(|v| 10.0_f64.powf(*v / 2.0)).chain([0.0, -1.0]).collect();
            let mut whole = QuantileSketch::new(0.01);
            values.iter().for_each(|v| whole.add(*v));
            check(&whole, &values);
            let (left, right) = values.split_at(cut.min(values.len()));
            let (mut one, mut other) = (QuantileSketch::new(0.01), QuantileSketch::new(0.01));
            left.iter().for_each(|v| one.add(*v));
            right.iter().for_each(|v| other.add(*v));
            one.merge(&other).unwrap();
            check(&one, &values);
            prop_assert_eq!(one.count(), whole.count());
        }
    }

    #[test]
    fn the_lowest_collapse_and_the_highest_stay_right() {
        let mut sketch = QuantileSketch::new(0.01);
        let values: Vec<f64> = (-8..60).map(|power| 10.0_f64.powi(power)).collect();
        values.iter().for_each(|v| sketch.add(*v));
        assert!(sketch.counts.len() <= MOST);
        assert!((sketch.quantile(1.0).unwrap() / 1e59 - 1.0).abs() < 0.0101);
        assert_eq!(sketch.count(), values.len() as u64);
        let text = serde_json::to_string(&sketch).unwrap();
        assert_eq!(serde_json::from_str::<QuantileSketch>(&text).unwrap(), sketch);
        assert!(serde_json::from_str::<QuantileSketch>(&text.replace("\"total\":68", "\"total\":67")).is_err());
    }

    #[test]
    fn what_is_no_number_is_left_out_and_accuracies_do_not_mix() {
        let mut sketch = QuantileSketch::new(0.01);
        [f64::NAN, f64::INFINITY].into_iter().for_each(|v| sketch.add(v));
        assert_eq!((sketch.count(), sketch.quantile(0.5), sketch.mean()), (0, None, None));
        assert!(sketch.merge(&QuantileSketch::new(0.02)).is_err());
    }
}
