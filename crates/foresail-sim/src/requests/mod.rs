//! Requests of six types of work, in mixes that change while the total rate may stay as it is.
//!
//! ```
//! use foresail_core::{SeededRng, Timestamp};
//! use foresail_sim::requests::{Mix, WorkloadType};
//! use std::time::Duration;
//!
//! let mut rng = SeededRng::seed_from_u64(7);
//! let mix = Mix::dominated_by(WorkloadType::Search, &mut rng);
//! let interval = mix.interval(Timestamp::EPOCH, Duration::from_secs(10), 100.0, &mut rng);
//! assert!((800..1_200).contains(&interval.requests.len()));
//! assert_eq!(mix.dominant(), WorkloadType::Search);
//! ```

mod catalogue;
mod schedule;

use std::time::Duration;

use foresail_core::{SeededRng, Timestamp};

pub use catalogue::{PARAMETERS, WorkloadType};
pub use schedule::{Episode, ScheduleOptions, schedule};

/// Names of the metrics of the application that come with an interval.
pub const METRICS: [&str; 3] = ["cache_hit_ratio", "queue_depth", "pool_use"];

/// A request that is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeneratedRequest {
    /// When it arrived.
    pub time: Timestamp,
    /// The type of work it belongs to.
    pub workload: WorkloadType,
    /// Key of its method and path pattern.
    pub pattern: u64,
    /// How long it took, milliseconds.
    pub latency_ms: f64,
    /// Whether it failed.
    pub is_error: bool,
    /// CPU time, milliseconds.
    pub cost_ms: f64,
    /// Its parameters, named by [`PARAMETERS`].
    pub parameters: [f64; 2],
}

/// What came in one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratedInterval {
    /// Its start.
    pub start: Timestamp,
    /// The requests, in order of arrival.
    pub requests: Vec<GeneratedRequest>,
    /// Metrics of the application, named by [`METRICS`].
    pub metrics: [f64; 3],
    /// Cores in use, in the mean.
    pub cores: f64,
}

/// Shares of the six types of work, which sum to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix([f64; 6]);

impl Mix {
    /// In proportion to `weights`, which are not negative, in the order of [`WorkloadType::ALL`]; even if they are all 0.
    pub fn new(weights: [f64; 6]) -> Self {
        let weights = weights.map(|w| if w.is_finite() { w.max(0.0) } else { 0.0 });
        let sum: f64 = weights.iter().sum();
        Self(if sum > 0.0 { weights.map(|w| w / sum) } else { [1.0 / 6.0; 6] })
    }

    /// 60 to 80 % of one type, the rest at random shares.
    pub fn dominated_by(workload: WorkloadType, rng: &mut SeededRng) -> Self {
        let mut weights = [0.0; 6].map(|_: f64| rng.exponential());
        weights[workload as usize] = 0.0;
        let others: f64 = weights.iter().sum();
        let share = 0.6 + 0.2 * rng.uniform();
        weights.iter_mut().for_each(|w| *w *= (1.0 - share) / others);
        weights[workload as usize] = share;
        Self::new(weights)
    }

    /// Between this and `other`: 0 is this, 1 the other.
    pub fn towards(&self, other: &Self, share: f64) -> Self {
        let mut weights = self.0;
        weights.iter_mut().zip(other.0).for_each(|(a, b)| *a += share.clamp(0.0, 1.0) * (b - *a));
        Self::new(weights)
    }

    /// The shares, in the order of [`WorkloadType::ALL`].
    pub fn shares(&self) -> [f64; 6] {
        self.0
    }

    /// The type with the largest share.
    pub fn dominant(&self) -> WorkloadType {
        let largest = (0..6).max_by(|a, b| self.0[*a].total_cmp(&self.0[*b])).unwrap_or(0);
        WorkloadType::ALL[largest]
    }

    /// The requests of an interval: Poisson arrivals at `rate_rps` (0 or more) in the mean, each of a type drawn from the shares.
    pub fn interval(&self, start: Timestamp, span: Duration, rate_rps: f64, rng: &mut SeededRng) -> GeneratedInterval {
        let (seconds, rate_rps) = (span.as_secs_f64(), rate_rps.max(0.0));
        let mut requests = Vec::with_capacity((rate_rps * seconds * 1.2) as usize);
        let mut at = rng.exponential() / rate_rps;
        while at < seconds {
            let mut draw = rng.uniform();
            let place = self.0.iter().position(|share| {
                draw -= share;
                draw < 0.0
            });
            let workload = WorkloadType::ALL[place.unwrap_or(0)];
            requests.push(workload.request(start + Duration::from_secs_f64(at), rng));
            at += rng.exponential() / rate_rps;
        }
        let count = requests.len().max(1) as f64;
        let cpu: f64 = requests.iter().map(|r| r.cost_ms).sum::<f64>() / 1e3 / seconds;
        let cores = cpu * (1.0 + 0.03 * rng.normal());
        let hits: f64 = requests.iter().map(|r| r.workload.hit_ratio()).sum::<f64>() / count;
        let waiting: f64 = requests.iter().map(|r| r.latency_ms).sum::<f64>() / 1e3 / seconds;
        let cache_hit_ratio = (hits + 0.01 * rng.normal()).clamp(0.0, 1.0);
        let queue_depth = (0.2 * waiting * (1.0 + 0.2 * rng.normal())).max(0.0);
        let pool_use = (cpu / 8.0 * (1.0 + 0.05 * rng.normal())).clamp(0.0, 1.0);
        GeneratedInterval { start, requests, metrics: [cache_hit_ratio, queue_depth, pool_use], cores }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A mix is a distribution, and so is whatever lies between two.
        #[test]
        fn shares_sum_to_one(weights in prop::array::uniform6(-1.0..9.0_f64), share in -1.0..2.0_f64, seed in 0..99_u64) {
            let mut rng = SeededRng::seed_from_u64(seed);
            let other = Mix::dominated_by(WorkloadType::ALL[seed as usize % 6], &mut rng);
            for mix in [Mix::new(weights), other, Mix::new(weights).towards(&other, share)] {
                prop_assert!((mix.shares().iter().sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert!(mix.shares().iter().all(|s| *s >= 0.0));
            }
            prop_assert!(other.shares()[seed as usize % 6] >= 0.6);
        }
    }

    #[test]
    fn one_seed_gives_one_interval_and_shares_are_met() {
        let mix = Mix::new([3.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        let draw =
            |seed| mix.interval(Timestamp::EPOCH, Duration::from_secs(100), 100.0, &mut SeededRng::seed_from_u64(seed));
        let interval = draw(1);
        assert_eq!(interval, draw(1));
        assert_ne!(interval, draw(2));
        let browse = interval.requests.iter().filter(|r| r.workload == WorkloadType::Browse).count() as f64;
        assert!((browse / interval.requests.len() as f64 - 0.75).abs() < 0.03);
        assert!(interval.requests.is_sorted_by_key(|r| r.time));
        // 75 a second at about 1.6 ms and 25 at about 22 ms.
        assert!((0.4..1.2).contains(&interval.cores), "{}", interval.cores);
    }
}
