//! From a measured series to the load of a scenario: a step function cut into ticks.

use std::time::Duration;

use foresail_core::Frame;
use foresail_forecast::metrics::percentile;

/// A load on ticks, with what was assumed on the way.
#[derive(Clone, Debug)]
pub(crate) struct TickLoad {
    /// Requests a second in each tick.
    pub(crate) rps: Vec<f64>,
    /// What the values were multiplied with.
    pub(crate) factor: f64,
    /// Rows of the series that were gaps and hold the value before.
    pub(crate) held_rows: usize,
}

/// How the values of a series become requests a second.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scale {
    /// Multiplied with a factor.
    Factor(f64),
    /// Multiplied so that the 99.9th percentile of the observed rows is this rate.
    Peak(f64),
}

/// The target of `frame` as requests a second on ticks of `tick`. A value counts `per` seconds' worth; a row holds from its
/// start to the next, a gap holds the value before. Ticks shorter than a row repeat it, longer ones take the mean over
/// time; a tick that the series does not cover to its end is left out, so that a longer series never changes it.
///
/// # Errors
/// A negative value, or a peak of 0 that cannot be scaled.
pub(crate) fn load_on_ticks(frame: &Frame, tick: Duration, per: Duration, scale: Scale) -> anyhow::Result<TickLoad> {
    let column = frame.target_column();
    if let Some(row) = column.values().iter().position(|v| *v < 0.0) {
        anyhow::bail!(
            "column {:?} is {} at {}; a load is at least 0 (--negative gap or zero says what to make of it)",
            column.name(),
            column.values()[row],
            frame.time(row)
        );
    }
    let per_second = 1.0 / per.as_secs_f64();
    let factor = match scale {
        Scale::Factor(factor) => factor,
        Scale::Peak(peak) => {
            let seen: Vec<f64> = (0..frame.len()).filter_map(|row| column.get(row)).collect();
            let now = percentile(&seen, 0.999).unwrap_or(0.0) * per_second;
            anyhow::ensure!(
                now > 0.0,
                "the 99.9th percentile of column {:?} is 0; --scale-peak needs one above 0",
                column.name()
            );
            peak / now
        }
    };
    let rps = step_means(column.values(), frame.step(), tick).into_iter().map(|v| v * per_second * factor).collect();
    Ok(TickLoad { rps, factor, held_rows: column.valid().iter().filter(|seen| !**seen).count() })
}

/// The target of `frame` at a longer step: means over time, in UTC from the same start. A step without any observed row is
/// a gap.
///
/// # Errors
/// If `step` is zero.
pub(crate) fn resampled(frame: &Frame, step: Duration) -> anyhow::Result<Frame> {
    let column = frame.target_column();
    let means = step_means(column.values(), frame.step(), step);
    let seen: Vec<f64> = column.valid().iter().map(|seen| f64::from(u8::from(*seen))).collect();
    let values =
        means.into_iter().zip(step_means(&seen, frame.step(), step)).map(|(mean, seen)| (seen > 0.0).then_some(mean));
    Ok(Frame::univariate(frame.start(), step, column.name(), values)?)
}

/// Means over time of the step function `values` (one value a `row`) in each whole `tick`.
fn step_means(values: &[f64], row: Duration, tick: Duration) -> Vec<f64> {
    let (row, tick) = (row.as_micros(), tick.as_micros());
    let ticks = (values.len() as u128 * row / tick) as usize;
    (0..ticks)
        .map(|index| {
            let (from, to) = (index as u128 * tick, (index as u128 + 1) * tick);
            let (first, last) = ((from / row) as usize, ((to - 1) / row) as usize);
            if first == last {
                return values[first];
            }
            let overlap = |i: usize| (to.min((i as u128 + 1) * row) - from.max(i as u128 * row)) as f64;
            (first..=last).map(|i| values[i] * overlap(i)).sum::<f64>() / tick as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn coarse_rows_are_repeated_and_fine_ones_averaged() {
        assert_eq!(step_means(&[60.0, 120.0], secs(60), secs(30)), [60.0, 60.0, 120.0, 120.0]);
        assert_eq!(step_means(&[1.0, 3.0, 5.0], secs(5), secs(10)), [2.0]); // the half tick at the end is left out
        assert_eq!(step_means(&[1.0, 2.0, 3.0], secs(20), secs(30)), [(20.0 + 20.0) / 30.0, (20.0 + 60.0) / 30.0]);
        assert!(step_means(&[1.0], secs(5), secs(10)).is_empty());
    }

    #[test]
    fn counts_become_rates_and_peaks_are_scaled_once() {
        let frame = Frame::from_values([60.0, f64::NAN, 120.0]);
        let load = load_on_ticks(&frame, secs(60), secs(60), Scale::Factor(2.0)).expect("a load");
        assert_eq!((load.rps.as_slice(), load.held_rows), ([2.0, 2.0, 4.0].as_slice(), 1));
        let frame = Frame::from_values((0..=1000).map(f64::from));
        let load = load_on_ticks(&frame, secs(60), secs(60), Scale::Peak(5_000.0)).expect("a load");
        assert!((load.factor - 5_000.0 / (999.0 / 60.0)).abs() < 1e-9, "{}", load.factor);
        assert!(load_on_ticks(&Frame::from_values([0.0, 0.0]), secs(60), secs(60), Scale::Peak(1.0)).is_err());
        assert!(load_on_ticks(&Frame::from_values([1.0, -1.0]), secs(60), secs(60), Scale::Factor(1.0)).is_err());
    }

    #[test]
    fn a_longer_series_never_changes_an_earlier_tick() {
        let values: Vec<f64> = (0..97).map(|i| f64::from(i * i % 31)).collect();
        let whole = step_means(&values, secs(7), secs(15));
        for cut in 1..values.len() {
            let part = step_means(&values[..cut], secs(7), secs(15));
            assert_eq!(part, whole[..part.len()]);
        }
    }
}
