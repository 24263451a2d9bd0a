//! The regular grid under irregular times: its step, its phase and its bounds.

use foresail_core::TimeZone;

use crate::clock::offset_micros;
use crate::stamp::{MICROS_PER_DAY, MICROS_PER_SECOND};

/// A regular grid, in microseconds; row `i` covers `[start + i·step, start + (i+1)·step)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Grid {
    pub(crate) start: i64,
    pub(crate) step: i64,
    pub(crate) rows: u64,
}

impl Grid {
    /// The grid of `step` that covers `sorted` times and passes through `phase`.
    pub(crate) fn over(sorted: &[i64], step: i64, phase: i64) -> Self {
        let floor = |t: i64| (t - phase).div_euclid(step) * step + phase;
        match (sorted.first(), sorted.last()) {
            (Some(&first), Some(&last)) => {
                let (start, end) = (floor(first), floor(last));
                Self { start, step, rows: ((end - start) / step) as u64 + 1 }
            }
            _ => Self { start: 0, step, rows: 0 },
        }
    }

    /// The row of a time at or after the start.
    pub(crate) fn row(&self, time: i64) -> u64 {
        ((time - self.start) / self.step).max(0) as u64
    }

    /// Start of a row.
    pub(crate) fn time(&self, row: u64) -> i64 {
        self.start + self.step * row as i64
    }
}

/// The most common difference between successive times, the smaller of two equally common ones. Where no difference
/// makes up half of them, for the times jitter, differences are rounded to whole seconds if that makes one which does.
/// `None` without two different times.
pub(crate) fn common_step(sorted: &[i64]) -> Option<i64> {
    let mut differences: Vec<i64> = sorted.windows(2).map(|w| w[1] - w[0]).filter(|&d| d > 0).collect();
    let (exact, share) = most_common(&mut differences)?;
    if 2 * share >= differences.len() {
        return Some(exact);
    }
    for difference in &mut differences {
        *difference = (*difference + MICROS_PER_SECOND / 2) / MICROS_PER_SECOND * MICROS_PER_SECOND;
    }
    let (rounded, share) = most_common(&mut differences)?;
    Some(if rounded > 0 && 2 * share >= differences.len() { rounded } else { exact })
}

/// The most common value, the smallest of equally common ones, and how often it occurs. Sorts.
fn most_common(values: &mut [i64]) -> Option<(i64, usize)> {
    values.sort_unstable();
    let runs = values.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()));
    runs.reduce(|best, run| if run.1 > best.1 { run } else { best })
}

/// Where in its step the grid begins, if the times themselves say so: the remainder that 99 in 100 of them share; or,
/// where they jitter or follow a local clock, a round time shortly before the part of the step that they keep to,
/// which must be less than half of it.
pub(crate) fn shared_phase(sorted: &[i64], step: i64) -> Option<i64> {
    let mut remainders: Vec<i64> = sorted.iter().map(|t| t.rem_euclid(step)).collect();
    let (common, share) = most_common(&mut remainders)?;
    if 100 * share >= 99 * remainders.len() {
        return Some(common);
    }
    remainders.dedup();
    // The widest arc of the step in which no time falls, and the first remainder after it.
    let wrapped = (remainders[0] + step - remainders[remainders.len() - 1], remainders[0]);
    let arcs = remainders.windows(2).map(|w| (w[1] - w[0], w[1]));
    let (empty, first) = arcs.fold(wrapped, |best, arc| if arc.0 > best.0 { arc } else { best });
    if 2 * empty <= step {
        return None;
    }
    let round = |unit: i64| first / unit * unit;
    let unit = ROUND_UNITS.iter().find(|&&unit| unit >= step - empty && first - round(unit) < empty);
    Some(unit.map_or(first, |&unit| round(unit)))
}

const ROUND_UNITS: [i64; 9] = [
    1_000,
    MICROS_PER_SECOND,
    5 * MICROS_PER_SECOND,
    30 * MICROS_PER_SECOND,
    60 * MICROS_PER_SECOND,
    300 * MICROS_PER_SECOND,
    1_800 * MICROS_PER_SECOND,
    3_600 * MICROS_PER_SECOND,
    MICROS_PER_DAY,
];

/// The phase of a grid that passes through local midnight (of a Monday, if the step is in whole weeks) as the clocks
/// stood at `first`.
pub(crate) fn local_phase(first: i64, step: i64, zone: &TimeZone) -> i64 {
    let monday = if step % (7 * MICROS_PER_DAY) == 0 { 4 * MICROS_PER_DAY } else { 0 };
    (monday - offset_micros(zone, first)).rem_euclid(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = MICROS_PER_SECOND;
    const H: i64 = 3_600 * S;

    fn step_of(seconds: &[i64]) -> Option<i64> {
        common_step(&seconds.iter().map(|s| s * S).collect::<Vec<_>>()).map(|m| m / S)
    }

    #[test]
    fn the_step_is_the_most_common_difference() {
        assert_eq!(step_of(&[0, 60, 120, 300, 360]), Some(60));
        assert_eq!(step_of(&[0, 60, 180]), Some(60), "the smaller of equally common ones");
        assert_eq!(step_of(&[5, 5, 5]), None);
        assert_eq!(step_of(&[]), None);
    }

    #[test]
    fn a_jittering_scrape_has_a_step_of_whole_seconds() {
        let times: Vec<i64> = (0..100).map(|i| i * 15 * S + (i * i * 7919) % 90_000).collect();
        assert_eq!(common_step(&times), Some(15 * S));
    }

    #[test]
    fn the_phase_is_what_the_times_share() {
        let five_minutes: Vec<i64> = (0..50).map(|i| (27 + 5 * i) * 60 * S).collect();
        assert_eq!(shared_phase(&five_minutes, 300 * S), Some(120 * S));
        let minutes: Vec<i64> = (0..50).map(|i| 60 * S * i).collect();
        assert_eq!(shared_phase(&minutes, 300 * S), None, "nothing is shared where steps are joined");
    }

    #[test]
    fn jitter_around_the_boundary_stays_in_one_row_each() {
        let times: Vec<i64> = (1..100).map(|i| i * 60 * S + (i * 7919) % 900_000 - 450_000).collect();
        let phase = shared_phase(&times, 60 * S).expect("they keep to a second");
        let rows: Vec<u64> = times.iter().map(|&t| Grid::over(&times, 60 * S, phase).row(t)).collect();
        assert_eq!(rows, (0..99).collect::<Vec<_>>());
        assert_eq!(phase % S, 0);
    }

    #[test]
    fn local_midnights_across_daylight_saving_are_one_row_a_day() {
        let midnights: Vec<i64> = (0..300).map(|d| d * 24 * H - if d < 120 { H } else { 2 * H }).collect();
        let phase = shared_phase(&midnights, 24 * H).expect("they keep to an hour");
        assert_eq!(phase, 22 * H);
        let grid = Grid::over(&midnights, 24 * H, phase);
        assert!(midnights.iter().enumerate().all(|(d, &t)| grid.row(t) == d as u64));
    }

    #[test]
    fn a_grid_of_days_begins_at_local_midnight_and_one_of_weeks_on_monday() {
        let berlin = TimeZone::named("Europe/Berlin").expect("bundled");
        assert_eq!(local_phase(0, 24 * H, &berlin), 23 * H);
        assert_eq!(local_phase(0, 7 * 24 * H, &TimeZone::utc()), 4 * 24 * H);
        assert_eq!(local_phase(0, H, &berlin), 0);
    }
}
