//! Counters, which only count up, as rates per second.
//!
//! The rule for resets is that of Prometheus' `rate()`: a decrease means that the counter began again at zero.

use crate::grid::Grid;
use crate::stamp::MICROS_PER_SECOND;

/// An increase over more than this many steps says too little of each of them.
const MAX_STEPS: i64 = 5;

/// Rates as samples: times that rise, a rate each.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rates {
    pub(crate) times: Vec<i64>,
    pub(crate) rates: Vec<f64>,
    pub(crate) resets: u64,
    /// Counts below zero, which are no counts.
    pub(crate) negative: u64,
}

/// Turns counts (NaN is a gap) at `sorted` times into rates. A rate holds from one count to the next: it is stamped at
/// the former, and at the start of every further row of the grid before the latter.
pub(crate) fn rates(sorted: &[i64], counts: &[f64], grid: &Grid) -> Rates {
    let mut out = Rates::default();
    let mut before: Option<(i64, f64)> = None;
    for (&time, &count) in sorted.iter().zip(counts).filter(|(_, c)| !c.is_nan()) {
        if count < 0.0 {
            out.negative += 1;
            continue;
        }
        if let Some((since, base)) = before {
            let reset = count < base;
            out.resets += u64::from(reset);
            let elapsed = time - since;
            if elapsed > 0 && elapsed <= MAX_STEPS * grid.step {
                let increase = if reset { count } else { count - base };
                let rate = increase / (elapsed as f64 / MICROS_PER_SECOND as f64);
                let further = (grid.row(since) + 1..).map(|row| grid.time(row)).take_while(|&t| t < time);
                for stamp in std::iter::once(since).chain(further) {
                    out.times.push(stamp);
                    out.rates.push(rate);
                }
            }
        }
        before = Some((time, count));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(samples: &[(i64, f64)], expected: &[(i64, f64)], resets: u64) {
        let sorted: Vec<i64> = samples.iter().map(|s| s.0 * MICROS_PER_SECOND).collect();
        let counts: Vec<f64> = samples.iter().map(|s| s.1).collect();
        let grid = Grid::over(&sorted, 10 * MICROS_PER_SECOND, 0);
        let got = rates(&sorted, &counts, &grid);
        let pairs: Vec<(i64, f64)> = got.times.iter().map(|t| t / MICROS_PER_SECOND).zip(got.rates).collect();
        assert_eq!(pairs, expected);
        assert_eq!(got.resets, resets);
    }

    #[test]
    fn an_increase_over_its_time_is_the_rate() {
        check(&[(0, 5.0), (10, 25.0), (20, 25.0)], &[(0, 2.0), (10, 0.0)], 0);
    }

    #[test]
    fn a_decrease_is_a_reset() {
        check(&[(0, 100.0), (10, 30.0), (20, 40.0)], &[(0, 3.0), (10, 1.0)], 1);
    }

    #[test]
    fn a_missed_sample_is_bridged_and_a_long_silence_is_not() {
        check(&[(0, 0.0), (30, 60.0)], &[(0, 2.0), (10, 2.0), (20, 2.0)], 0);
        check(&[(0, 0.0), (60, 60.0), (70, 70.0)], &[(60, 1.0)], 0);
    }

    #[test]
    fn gaps_and_negative_counts_are_passed_over() {
        check(&[(0, 1.0), (10, f64::NAN), (20, 21.0)], &[(0, 1.0), (10, 1.0)], 0);
        check(&[(0, 1.0), (10, -4.0), (20, 21.0)], &[(0, 1.0), (10, 1.0)], 0);
    }
}
