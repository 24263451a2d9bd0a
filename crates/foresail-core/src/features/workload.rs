//! A fixed amount of feature work, for whoever holds a clock.

use std::time::Duration;

use super::config::{Columns, FeatureConfig};
use super::set::FeatureSet;
use crate::{Row, SeededRng, Timestamp};

/// What [`throughput`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Rows pushed.
    pub rows: usize,
    /// Mix of the bits of all features: the same for the same arguments.
    pub checksum: u64,
}

/// Pushes `rows` two-minute rows with all columns (one load in fifty is a gap) through a fresh [`FeatureSet`] and looks
/// at all 72 features of each. Beside that, it draws a day of inputs and repeats them, which costs next to nothing.
pub fn throughput(rows: usize, seed: u64) -> Workload {
    let step = Duration::from_secs(120);
    let columns = Columns {
        logged: 0,
        processed: Some(1),
        unprocessed: Some(2),
        queued: Some(3),
        duration_ms: Some(4),
        capacity: Some(5),
        mix_entropy: Some(6),
        latency_ratio: Some(7),
    };
    let config = FeatureConfig::new(step).with_columns(columns);
    let mut features = FeatureSet::new(config).expect("two minutes divide a day");
    let mut day = day_of_rows(seed);
    let length = day.len();
    let mut time = Timestamp::from_secs(1_704_067_200);
    let mut checksum = 0_u64;
    for index in 0..rows {
        let row = &mut day[index % length];
        row.time = time;
        // Four sums that do not wait for one another.
        let mut sums = [0_u32; 4];
        for four in features.push(row).chunks_exact(4) {
            for (sum, value) in sums.iter_mut().zip(four) {
                *sum = sum.wrapping_add(value.to_bits());
            }
        }
        checksum = sums.iter().fold(checksum.rotate_left(5), |mix, &sum| mix.wrapping_add(u64::from(sum)));
        time = time + step;
    }
    Workload { rows, checksum }
}

fn day_of_rows(seed: u64) -> Vec<Row> {
    let mut rng = SeededRng::seed_from_u64(seed);
    let mut backlog = 0.0_f64;
    let row = |tick: usize| {
        let phase = std::f64::consts::TAU * tick as f64 / 720.0;
        let load = (1000.0 - 400.0 * phase.cos() + 40.0 * rng.normal()).max(0.0);
        let processed = (load + backlog).min(1150.0 + 20.0 * rng.normal());
        backlog = (backlog + load - processed).max(0.0);
        let values = [
            (rng.below(50) > 0).then_some(load),
            Some(processed),
            Some(backlog),
            Some(backlog * 0.2),
            Some(80.0 + 0.05 * backlog + rng.normal()),
            Some(12.0),
            Some(2.5 + 0.1 * rng.normal()),
            Some(4.0 + rng.uniform()),
        ];
        Row { time: Timestamp::EPOCH, values: values.to_vec(), target: 0 }
    };
    (0..720).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_the_same_every_time() {
        assert_eq!(throughput(1500, 7), throughput(1500, 7));
        assert_ne!(throughput(1500, 7).checksum, throughput(1500, 8).checksum);
        assert_eq!(throughput(0, 7).checksum, 0);
    }
}
