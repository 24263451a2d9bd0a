//! A metric on a regular grid: the means of one-minute or one-hour steps, whatever the length of the ticks.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{Frame, Sample, Timestamp};

/// Means over steps aligned to the epoch, oldest first; a step of which nothing was seen is `None`.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    step: Duration,
    capacity: usize,
    /// Start of the oldest closed step; of the open one if none is closed.
    start: Timestamp,
    closed: VecDeque<Option<f64>>,
    /// End of what was seen.
    seen_to: Option<Timestamp>,
    /// Of the open step: integral of the value, and seconds seen.
    sum: f64,
    seconds: f64,
}

impl Grid {
    /// An empty grid that keeps `capacity` closed steps.
    pub(super) fn new(step: Duration, capacity: usize) -> Self {
        let closed = VecDeque::new();
        Self { step, capacity, start: Timestamp::EPOCH, closed, seen_to: None, sum: 0.0, seconds: 0.0 }
    }

    /// Takes in a sample (one that is older than what was seen, or not finite, changes nothing) and says how many steps it
    /// closed. After a gap longer than the capacity the grid starts anew, with one unseen step.
    pub(super) fn push(&mut self, sample: Option<&Sample>) -> usize {
        let Some(sample) = sample.filter(|s| s.value.is_finite()) else { return 0 };
        let longest = self.step.saturating_mul(self.capacity as u32);
        let mut from = sample.time - sample.interval.min(longest);
        let mut closed = 0;
        match self.seen_to {
            Some(seen_to) if sample.time <= seen_to => return 0,
            Some(seen_to) if from > seen_to + longest => {
                self.start = from.floor_to(self.step) - self.step;
                self.closed = VecDeque::from([None]);
                (self.sum, self.seconds) = (0.0, 0.0);
                closed = 1;
            }
            Some(seen_to) => {
                from = from.max(seen_to);
                while self.end() + self.step <= from {
                    self.close();
                    closed += 1;
                }
            }
            None => self.start = from.floor_to(self.step),
        }
        self.seen_to = Some(sample.time);
        while from < sample.time {
            let boundary = self.end() + self.step;
            let to = boundary.min(sample.time);
            let seconds = to.since(from).as_secs_f64();
            self.sum += sample.value * seconds;
            self.seconds += seconds;
            from = to;
            if to == boundary {
                self.close();
                closed += 1;
            }
        }
        closed
    }

    /// Closed steps, oldest first.
    pub(super) fn closed(&self) -> &VecDeque<Option<f64>> {
        &self.closed
    }

    /// The last `count` closed steps, oldest first; fewer where there are fewer.
    pub(super) fn last(&self, count: usize) -> impl DoubleEndedIterator<Item = Option<f64>> + '_ {
        self.closed.range(self.closed.len().saturating_sub(count)..).copied()
    }

    /// End of the newest closed step: the start of the open one.
    pub(super) fn end(&self) -> Timestamp {
        self.time(self.closed.len())
    }

    /// Start of closed step `index`.
    pub(super) fn time(&self, index: usize) -> Timestamp {
        Timestamp::from_micros(self.start.as_micros() + self.step.as_micros() as i64 * index as i64)
    }

    /// The closed steps as a series called `name`.
    pub(super) fn frame(&self, name: &str) -> Frame {
        Frame::univariate(self.start, self.step, name, self.closed.iter().copied()).expect("the step is whole seconds")
    }

    fn close(&mut self) {
        self.closed.push_back((self.seconds > 0.0).then(|| self.sum / self.seconds));
        (self.sum, self.seconds) = (0.0, 0.0);
        if self.closed.len() > self.capacity {
            self.closed.pop_front();
            self.start = self.start + self.step;
        }
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::{Metric, Quality};

    use super::*;

    fn push(grid: &mut Grid, end: i64, interval: u64, value: f64) -> usize {
        grid.push(Some(&Sample {
            metric: Metric::RequestRate,
            time: Timestamp::from_secs(end),
            interval: Duration::from_secs(interval),
            value,
            quality: Quality::Good,
        }))
    }

    #[test]
    fn short_ticks_are_averaged_and_long_ones_shared_out() {
        let mut grid = Grid::new(Duration::from_secs(60), 10);
        let closed: Vec<usize> = (1..=4).map(|i| push(&mut grid, 15 * i, 15, i as f64)).collect();
        assert_eq!(closed, [0, 0, 0, 1]);
        assert_eq!(push(&mut grid, 210, 150, 8.0), 2);
        assert_eq!(*grid.closed(), [Some(2.5), Some(8.0), Some(8.0)]);
        assert_eq!(grid.end(), Timestamp::from_secs(180));
    }

    #[test]
    fn gaps_are_unseen_and_very_long_ones_start_anew() {
        let mut grid = Grid::new(Duration::from_secs(60), 3);
        push(&mut grid, 60, 60, 1.0);
        assert_eq!(push(&mut grid, 200, 10, 4.0), 2);
        assert_eq!(push(&mut grid, 240, 40, 2.0), 1);
        assert_eq!(*grid.closed(), [None, None, Some(2.4)]);
        assert_eq!(grid.end(), Timestamp::from_secs(240));
        assert_eq!(push(&mut grid, 100, 10, 9.0), 0);
        assert_eq!(push(&mut grid, 6_000, 60, 5.0), 2);
        assert_eq!(*grid.closed(), [None, Some(5.0)]);
        assert_eq!(grid.last(1).collect::<Vec<_>>(), [Some(5.0)]);
        assert_eq!(push(&mut grid, i64::MAX / 1_000_000, u64::MAX, 5.0), 4);
    }
}
