//! Samples on a regular grid.

use std::time::Duration;

use foresail_core::{Column, Frame, Metric, Sample, TimeZone, Timestamp};

use crate::Error;
use crate::state::word;

/// Most cells of a grid.
const MOST_CELLS: u64 = 50_000_000;

/// A series of `metrics`, one column each, over `[from, to)` in rows of `step`: what a model is fitted on after a
/// restart. Columns are named as metrics are in files (`request_rate`); the first is the target.
///
/// A row is the mean of the samples that cover it, by how much of it each covers, and a gap unless they cover at least
/// half of it. A queue's length, which holds for an instant, is the last one of a row. Samples that `is_usable` refuses
/// (a saturated one says how much was served, not what was asked for) count as not taken.
///
/// # Errors
/// [`Error::Frame`] for a step of nothing, or no or repeated metrics; [`Error::TooLong`] beyond 50 million cells.
pub fn frame(
    samples: &[Sample],
    metrics: &[Metric],
    from: Timestamp,
    to: Timestamp,
    step: Duration,
    is_usable: impl Fn(&Sample) -> bool,
) -> Result<Frame, Error> {
    let refused = |source| Error::Frame { source };
    let micros = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
    let rows = to.since(from).as_micros() as u64 / micros as u64;
    if rows.saturating_mul(metrics.len() as u64) > MOST_CELLS {
        return Err(Error::TooLong { rows, most: MOST_CELLS / metrics.len().max(1) as u64 });
    }
    let grid = Grid { from: from.as_micros(), step: micros, rows: rows as usize };
    let column = |metric: &Metric| {
        let taken = samples.iter().filter(|s| s.metric == *metric && is_usable(s));
        let values = if *metric == Metric::QueueLength { grid.last(taken) } else { grid.mean(taken) };
        Column::new(word(metric), values)
    };
    Frame::new(from, step, TimeZone::utc(), metrics.iter().map(column).collect()).map_err(refused)
}

struct Grid {
    from: i64,
    step: i64,
    rows: usize,
}

impl Grid {
    /// The mean over each row, weighted by cover.
    fn mean<'a>(&self, samples: impl Iterator<Item = &'a Sample>) -> Vec<Option<f64>> {
        let mut sums = vec![(0.0, 0_i64); self.rows];
        let end = self.from + self.step * self.rows as i64;
        for sample in samples {
            let until = sample.time.as_micros().min(end);
            let since = (sample.time - sample.interval).as_micros().max(self.from);
            if since >= until {
                continue;
            }
            let (first, last) = ((since - self.from) / self.step, (until - 1 - self.from) / self.step);
            for row in first..=last {
                let starts = self.from + row * self.step;
                let cover = until.min(starts + self.step) - since.max(starts);
                let (sum, covered) = &mut sums[row as usize];
                *sum += sample.value * cover as f64;
                *covered += cover;
            }
        }
        let row = |(sum, covered): (f64, i64)| (2 * covered >= self.step).then(|| sum / covered as f64);
        sums.into_iter().map(row).collect()
    }

    /// The last value in each row.
    fn last<'a>(&self, samples: impl Iterator<Item = &'a Sample>) -> Vec<Option<f64>> {
        let mut newest: Vec<Option<(i64, f64)>> = vec![None; self.rows];
        for sample in samples {
            let time = sample.time.as_micros();
            let row = (time - 1 - self.from).div_euclid(self.step);
            if let Some(cell) = usize::try_from(row).ok().and_then(|row| newest.get_mut(row))
                && cell.is_none_or(|(before, _)| before <= time)
            {
                *cell = Some((time, sample.value));
            }
        }
        newest.into_iter().map(|cell| cell.map(|(_, value)| value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::Quality;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn check(metric: Metric, samples: &[(i64, u64, f64, Quality)], expected: &[Option<f64>]) {
        let samples: Vec<Sample> = samples
            .iter()
            .map(|&(time, interval, value, quality)| {
                let (time, interval) = (Timestamp::from_secs(time), Duration::from_secs(interval));
                Sample { metric, time, interval, value, quality }
            })
            .collect();
        let to = Timestamp::EPOCH + MINUTE * expected.len() as u32;
        let good = |s: &Sample| s.quality == Quality::Good;
        let frame = frame(&samples, &[metric], Timestamp::EPOCH, to, MINUTE, good).unwrap();
        let got: Vec<Option<f64>> = (0..frame.len()).map(|i| frame.target_column().get(i)).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn rows_are_means_by_cover_and_gaps_where_less_than_half_is_covered() {
        use Quality::{Good, Saturated};
        let rate = Metric::RequestRate;
        check(rate, &[(60, 60, 1.0, Good), (120, 60, 2.0, Good)], &[Some(1.0), Some(2.0)]);
        check(rate, &[(15, 15, 1.0, Good), (30, 15, 2.0, Good), (90, 15, 3.0, Good)], &[Some(1.5), None]);
        check(rate, &[(120, 120, 4.0, Good)], &[Some(4.0), Some(4.0)]);
        check(rate, &[(45, 45, 1.0, Good), (60, 15, 5.0, Good)], &[Some(2.0)]);
        check(rate, &[(60, 60, 1.0, Saturated), (999, 60, 1.0, Good), (-5, 60, 1.0, Good)], &[None]);
        check(rate, &[(60, 0, 1.0, Good)], &[None]);
        check(rate, &[(60, u64::MAX / 2, 1.0, Good)], &[Some(1.0)]);
    }

    #[test]
    fn a_queue_is_as_long_as_it_last_was() {
        let queue = [(60, 15, 3.0, Quality::Good), (45, 15, 9.0, Quality::Good), (61, 15, 1.0, Quality::Good)];
        check(Metric::QueueLength, &queue, &[Some(3.0), Some(1.0), None]);
    }

    #[test]
    fn grids_that_cannot_be_are_refused() {
        let far = Timestamp::from_micros(i64::MAX);
        let metrics = [Metric::RequestRate];
        assert!(frame(&[], &metrics, Timestamp::EPOCH, far, Duration::from_micros(1), |_| true).is_err());
        assert!(frame(&[], &metrics, Timestamp::EPOCH, far, Duration::ZERO, |_| true).is_err());
        assert!(frame(&[], &[], Timestamp::EPOCH, Timestamp::EPOCH, MINUTE, |_| true).is_err());
        assert!(frame(&[], &metrics, far, Timestamp::EPOCH, MINUTE, |_| true).unwrap().is_empty());
    }
}
