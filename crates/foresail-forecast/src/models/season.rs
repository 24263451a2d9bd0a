//! Seasons as a model counts them: in rows.

use std::time::Duration;

use foresail_core::Frame;

/// A season that the history holds at least twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Season {
    /// Its length in time.
    pub(crate) period: Duration,
    /// Its length in rows, rounded; at least 2.
    pub(crate) rows: usize,
}

/// Those of `seasons` that fit at least twice into `history`, shortest first; the rest are left out, for a season seen
/// once cannot be told from what just happened.
pub(crate) fn fitting(seasons: &[Duration], history: &Frame) -> Vec<Season> {
    let step = history.step().as_micros();
    let mut fitting: Vec<Season> = seasons
        .iter()
        .map(|period| {
            let rows = (period.as_micros() + step / 2) / step;
            Season { period: *period, rows: usize::try_from(rows).unwrap_or(usize::MAX) }
        })
        .filter(|season| season.rows >= 2 && season.rows <= history.len() / 2)
        .collect();
    fitting.sort_by_key(|season| season.rows);
    fitting.dedup_by_key(|season| season.rows);
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seasons_secs: &[u64], minutes: usize, expected: &[usize]) {
        let seasons: Vec<Duration> = seasons_secs.iter().map(|s| Duration::from_secs(*s)).collect();
        let history = Frame::from_values(vec![0.0; minutes]);
        let rows: Vec<usize> = fitting(&seasons, &history).iter().map(|s| s.rows).collect();
        assert_eq!(rows, expected, "{seasons_secs:?} in {minutes} minutes");
    }

    #[test]
    fn seasons_that_fit_twice_are_kept_shortest_first() {
        check(&[86_400, 3600], 2880, &[60, 1440]);
        check(&[86_400, 3600], 2879, &[60]);
        check(&[60, 0, 90], 100, &[2]);
        check(&[3600, 3601], 1000, &[60]);
        check(&[u64::MAX], 1000, &[]);
        check(&[3600], 0, &[]);
    }
}
