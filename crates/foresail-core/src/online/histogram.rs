//! A histogram of 256 logarithmic buckets that answers quantiles.

use serde::{Deserialize, Serialize};

use super::admit;
use super::fenwick::{BUCKETS, Fenwick};
use crate::Error;

/// Buckets in a doubling of the value; log-linear, so none is wider than an eighth of its lower edge.
const PER_OCTAVE_BITS: u32 = 3;
const KEY_SHIFT: u32 = 52 - PER_OCTAVE_BITS;

/// Counts of values in 256 log-linear buckets (as in HdrHistogram: the bucket is read off the bits of the float, so no
/// logarithm is taken and every platform agrees), kept as a Fenwick tree: adding and asking take 8 steps.
///
/// The covered range follows the data: buckets are centred on the median magnitude and moved when that wanders off.
/// Smaller magnitudes count as 0, larger ones as the outermost bucket. When the total reaches its limit all counts are
/// halved, so that the old weighs ever less. 512 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct LogHistogram {
    /// Counts of the buckets, which are ordered by value.
    counts: Fenwick,
    /// The bucket of 0: 128 where values have either sign, 0 where they are never negative.
    zero: usize,
    /// Key of the magnitudes that fall into the zero bucket at most; `None` before the first value other than 0.
    base: Option<i32>,
    total: u32,
    limit: u32,
    pushes: u64,
    /// Since the last look: values other than 0, how many of them lay outside all buckets, and the key of the newest.
    recent: u32,
    outside: u32,
    outside_key: i32,
}

impl LogHistogram {
    /// For values of either sign: 127 buckets a side span a factor of 60,000. Counts are halved at `limit` values, which
    /// is clamped to 16..=60,000.
    pub fn signed(limit: u32) -> Self {
        Self::with_zero(BUCKETS / 2, limit)
    }

    /// For values that are never negative (a negative one counts as 0): 255 buckets span a factor of 4·10⁹.
    pub fn unsigned(limit: u32) -> Self {
        Self::with_zero(0, limit)
    }

    fn with_zero(zero: usize, limit: u32) -> Self {
        let limit = limit.clamp(16, 60_000);
        let counts = Fenwick::new();
        Self { counts, zero, base: None, total: 0, limit, pushes: 0, recent: 0, outside: 0, outside_key: 0 }
    }

    /// Counts one value; a gap changes nothing.
    #[inline]
    pub fn push(&mut self, value: Option<f64>) {
        let Some(value) = admit(value) else { return };
        let base = match self.base {
            Some(base) => base,
            None if value == 0.0 => 0,
            None => {
                let base = self.base_around(key(value));
                *self.base.insert(base)
            }
        };
        let bucket = self.bucket(value, base);
        if value != 0.0 {
            self.recent += 1;
            if !(1..=self.span() as i32).contains(&(key(value) - base)) {
                self.outside += 1;
                self.outside_key = key(value);
            }
        }
        self.counts.add(bucket, 1);
        self.total += 1;
        self.pushes += 1;
        if self.total >= self.limit {
            self.set(&self.counts.counts().map(|c| c / 2));
        }
        // Often while young, when the first value may have been an odd one; then every 256 values.
        if self.pushes.is_multiple_of(256) || self.pushes.is_power_of_two() {
            self.recentre();
        }
    }

    /// Weight of the values counted; halves now and then.
    #[inline]
    pub fn total(&self) -> u32 {
        self.total
    }

    /// The value below which a share `q` (0 to 1) of the values lies, interpolated within its bucket; `None` if empty.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = q.clamp(0.0, 1.0) * f64::from(self.total);
        let whole = (rank as u32).min(self.total.checked_sub(1)?);
        let (bucket, below) = self.counts.find(whole);
        let (lower, upper) = self.edges(bucket);
        let count = f64::from(self.counts.count(bucket));
        Some(lower + (upper - lower) * ((rank - f64::from(below)) / count.max(1.0)).clamp(0.0, 1.0))
    }

    /// Share of the values at or below `value`, interpolated within its bucket; 0 if empty.
    pub fn share_below(&self, value: f64) -> f64 {
        let bucket = self.bucket(value, self.base.unwrap_or(0));
        let (lower, upper) = self.edges(bucket);
        let within = if upper > lower {
            ((value - lower) / (upper - lower)).clamp(0.0, 1.0)
        } else if value < 0.0 {
            0.0
        } else {
            1.0
        };
        let below = f64::from(self.counts.before(bucket)) + within * f64::from(self.counts.count(bucket));
        if self.total == 0 { 0.0 } else { below / f64::from(self.total) }
    }

    /// Median and median absolute deviation from it; `None` if empty. The deviation lies between the distances of the
    /// quartiles from the median, where it is found by bisection.
    pub fn median_and_mad(&self) -> Option<(f64, f64)> {
        let (low, median, high) = (self.quantile(0.25)?, self.quantile(0.5)?, self.quantile(0.75)?);
        let (a, b) = (median - low, high - median);
        let (mut least, mut most) = (a.min(b), a.max(b));
        for _ in 0..8 {
            let middle = 0.5 * (least + most);
            if self.share_below(median + middle) - self.share_below(median - middle) < 0.5 {
                least = middle;
            } else {
                most = middle;
            }
        }
        Some((median, 0.5 * (least + most)))
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.counts.heap_bytes()
    }

    /// Buckets on the positive side.
    #[inline]
    fn span(&self) -> usize {
        BUCKETS - 1 - self.zero
    }

    fn base_around(&self, key: i32) -> i32 {
        let half = if self.zero == 0 { BUCKETS / 2 } else { BUCKETS / 4 };
        (key - half as i32).max(0)
    }

    #[inline]
    fn bucket(&self, value: f64, base: i32) -> usize {
        let magnitude = (key(value) - base).max(0) as usize;
        if value > 0.0 { (self.zero + magnitude).min(BUCKETS - 1) } else { self.zero.saturating_sub(magnitude) }
    }

    fn edges(&self, bucket: usize) -> (f64, f64) {
        let base = self.base.unwrap_or(0);
        let edge = |distance: usize| f64::from_bits(((i64::from(base) + distance as i64) as u64) << KEY_SHIFT);
        match bucket.cmp(&self.zero) {
            std::cmp::Ordering::Equal => (0.0, 0.0),
            std::cmp::Ordering::Greater => (edge(bucket - self.zero), edge(bucket - self.zero + 1)),
            std::cmp::Ordering::Less => (-edge(self.zero - bucket + 1), -edge(self.zero - bucket)),
        }
    }

    fn set(&mut self, counts: &[u16; BUCKETS]) {
        self.counts.set(counts);
        self.total = counts.iter().map(|&count| u32::from(count)).sum();
    }

    /// Moves the buckets when most of the recent values lay outside them, or the median magnitude of all has left their
    /// middle half.
    fn recentre(&mut self) {
        let Some(base) = self.base else { return };
        let span = self.span();
        let counts = self.counts.counts();
        let at = |distance: usize| {
            let below = self.zero.checked_sub(distance).map_or(0, |bucket| counts[bucket]);
            u32::from(counts[self.zero + distance]) + u32::from(below)
        };
        let nonzero: u32 = (1..=span).map(at).sum();
        let mut seen = 0;
        let middle = (1..=span).find(|&distance| {
            seen += at(distance);
            2 * seen >= nonzero
        });
        let wanted = if 2 * self.outside > self.recent {
            self.base_around(self.outside_key)
        } else {
            match middle {
                Some(middle) if nonzero > 0 && !(span / 4..=span - span / 4).contains(&middle) => {
                    self.base_around(base + middle as i32)
                }
                _ => base,
            }
        };
        (self.recent, self.outside) = (0, 0);
        if wanted == base {
            return;
        }
        let mut moved = [0; BUCKETS];
        for (bucket, count) in counts.into_iter().enumerate() {
            let distance = (bucket.abs_diff(self.zero) as i32 - (wanted - base)).max(0) as usize;
            let to = match bucket.cmp(&self.zero) {
                std::cmp::Ordering::Equal => self.zero,
                std::cmp::Ordering::Greater => (self.zero + distance).min(BUCKETS - 1),
                std::cmp::Ordering::Less => self.zero.saturating_sub(distance),
            };
            moved[to] += count;
        }
        self.base = Some(wanted);
        self.set(&moved);
    }
}

/// Exponent and leading bits of the mantissa: grows by 8 with every doubling.
#[inline]
fn key(value: f64) -> i32 {
    (value.abs().to_bits() >> KEY_SHIFT) as i32
}

#[derive(Deserialize)]
struct Saved {
    counts: Fenwick,
    zero: usize,
    base: Option<i32>,
    total: u32,
    limit: u32,
    pushes: u64,
    recent: u32,
    outside: u32,
    outside_key: i32,
}

impl TryFrom<Saved> for LogHistogram {
    type Error = Error;
    fn try_from(saved: Saved) -> Result<Self, Error> {
        let Saved { counts, zero, base, total, limit, pushes, recent, outside, outside_key } = saved;
        let found = Self { counts, zero, base, total, limit, pushes, recent, outside, outside_key };
        let keys = 0..=key(f64::MAX) - BUCKETS as i32;
        let is_sound = found.counts.is_sound(total)
            && (zero == 0 || zero == BUCKETS / 2)
            && base.is_none_or(|base| keys.contains(&base))
            && keys.contains(&outside_key)
            && recent.max(outside) <= 256
            && (16..=60_000).contains(&limit)
            && total < limit;
        if is_sound { Ok(found) } else { Err(Error::BadSnapshot("histogram whose counts do not add up".to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRng;

    fn check(histogram: &LogHistogram, values: &mut [f64], tolerance: f64) {
        values.sort_by(f64::total_cmp);
        for q in [0.05, 0.25, 0.5, 0.75, 0.95, 0.99] {
            let exact = values[((values.len() - 1) as f64 * q) as usize];
            let found = histogram.quantile(q).unwrap();
            assert!((found - exact).abs() <= tolerance * exact.abs().max(0.02), "{q}: {found} {exact}");
            assert!((histogram.share_below(found) - q).abs() < 0.02);
        }
    }

    #[test]
    fn quantiles_are_within_a_bucket() {
        let mut rng = SeededRng::seed_from_u64(5);
        let mut lognormal: Vec<f64> = (0..5000).map(|_| (rng.normal() * 1.5 + 9.0).exp()).collect();
        let mut unsigned = LogHistogram::unsigned(60_000);
        lognormal.iter().for_each(|&v| unsigned.push(Some(v)));
        check(&unsigned, &mut lognormal, 0.13);

        let mut normal: Vec<f64> = (0..5000).map(|_| rng.normal() * 3.0).collect();
        let mut signed = LogHistogram::signed(60_000);
        normal.iter().for_each(|&v| signed.push(Some(v)));
        check(&signed, &mut normal, 0.13);
        let (median, mad) = signed.median_and_mad().unwrap();
        assert!(median.abs() < 0.15 && (mad / (0.674_49 * 3.0) - 1.0).abs() < 0.06, "{median} {mad}");
    }

    #[test]
    fn the_range_follows_the_data_and_odd_first_values_do_no_harm() {
        for first in [1e12, 1e-12] {
            let mut histogram = LogHistogram::signed(60_000);
            histogram.push(Some(first));
            let mut rng = SeededRng::seed_from_u64(8);
            for _ in 0..2000 {
                histogram.push(Some(rng.normal() * 40.0));
                histogram.push(Some(0.0));
            }
            let high = histogram.quantile(0.95).unwrap();
            assert!((high / (1.28 * 40.0) - 1.0).abs() < 0.15, "{first}: {high}");
        }
        // The unit changes by a factor of a million; once the old has been halved away, the new is resolved.
        let mut histogram = LogHistogram::unsigned(64);
        (1..=500).for_each(|v| histogram.push(Some(f64::from(v))));
        (1..=500).for_each(|v| histogram.push(Some(f64::from(v) * 1e-7)));
        let median = histogram.quantile(0.5).unwrap();
        assert!(median > 2e-5 && median < 6e-5, "{median}");
    }

    #[test]
    fn totals_stay_below_the_limit_and_state_survives() {
        let mut histogram = LogHistogram::signed(100);
        assert_eq!(histogram.quantile(0.5), None);
        for v in 0..1000 {
            histogram.push(Some(f64::from(v % 17) - 8.0));
            histogram.push(None);
            assert!(histogram.total() < 100);
        }
        let text = serde_json::to_string(&histogram).unwrap();
        assert_eq!(serde_json::from_str::<LogHistogram>(&text).unwrap(), histogram);
        assert!(serde_json::from_str::<LogHistogram>(&text.replace("\"zero\":128", "\"zero\":3")).is_err());
        let total = format!("\"total\":{}", histogram.total());
        assert!(serde_json::from_str::<LogHistogram>(&text.replace(&total, "\"total\":1")).is_err());
    }

    #[test]
    fn only_zeros_have_a_median_of_zero() {
        let mut histogram = LogHistogram::signed(100);
        (0..50).for_each(|_| histogram.push(Some(0.0)));
        assert_eq!(histogram.median_and_mad(), Some((0.0, 0.0)));
    }
}
