//! The regressors of a row: what time and calendar make of it.

use std::f64::consts::TAU;
use std::ops::Range;

use foresail_core::{TimeZone, Timestamp};
use serde::{Deserialize, Serialize};

use super::options::{Cycle, MonthDay};
use super::wall::DAY_US;

/// Column of the time, and of the constant.
pub(super) const TIME: usize = 0;
pub(super) const CONSTANT: usize = 1;

/// One season's Fourier terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wave {
    pub(super) cycle: Cycle,
    pub(super) terms: usize,
}

/// A column of the history, as the model sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Scaled {
    pub(super) name: String,
    /// Its place among the columns of the history.
    pub(super) column: usize,
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

/// A holiday, or a day so many after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct HolidayColumn {
    pub(super) name: String,
    pub(super) offset: i64,
}

/// A local day (counted from 1970-01-01) and the holiday that falls on it, as an index into the holidays' columns.
pub(super) type Mark = (i64, usize);

/// What the regressors are, and in which order: time, constant, Fourier terms (sine and cosine in turn), columns of the
/// history, changes of the trend, holidays, days of the month. The last two are zero in most rows, changes in many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Basis {
    /// First observed row, and how long after it the last one was: the unit of time.
    pub(super) start_us: i64,
    pub(super) span_us: f64,
    pub(super) waves: Vec<Wave>,
    pub(super) scaled: Vec<Scaled>,
    /// In units of time, ascending.
    pub(super) changepoints: Vec<f64>,
    /// Ascending.
    pub(super) holidays: Vec<HolidayColumn>,
    pub(super) month_days: Vec<MonthDay>,
}

impl Basis {
    /// Regressors of a row.
    pub(super) fn size(&self) -> usize {
        self.month_days_at() + self.month_days.len()
    }

    /// First column of the history's columns.
    pub(super) fn scaled_at(&self) -> usize {
        CONSTANT + 1 + self.waves.iter().map(|wave| 2 * wave.terms).sum::<usize>()
    }

    /// Columns of the trend's changes.
    pub(super) fn changes(&self) -> Range<usize> {
        let start = self.scaled_at() + self.scaled.len();
        start..start + self.changepoints.len()
    }

    /// First column of the holidays.
    pub(super) fn holidays_at(&self) -> usize {
        self.changes().end
    }

    /// First column of the days of the month.
    pub(super) fn month_days_at(&self) -> usize {
        self.holidays_at() + self.holidays.len()
    }

    /// `time` in units of the history: 0 at its first row, 1 at its last.
    pub(super) fn unit_time(&self, time: Timestamp) -> f64 {
        time.as_micros().saturating_sub(self.start_us) as f64 / self.span_us
    }

    /// Writes the regressors of the row that starts at `time`, which is `local_us` on the wall. `scaled` are the values
    /// of the history's columns, already scaled; `marks` are in order.
    pub(super) fn write(&self, time: Timestamp, local_us: i64, scaled: &[f64], marks: &[Mark], row: &mut [f64]) {
        debug_assert_eq!((row.len(), scaled.len()), (self.size(), self.scaled.len()));
        let t = self.unit_time(time);
        row[TIME] = t;
        row[CONSTANT] = 1.0;
        let needs_month = !self.month_days.is_empty() || self.waves.iter().any(|w| w.cycle == Cycle::Month);
        let month = needs_month.then(|| Month::of(local_us));
        let mut rest = &mut row[CONSTANT + 1..];
        for wave in &self.waves {
            let (columns, after) = rest.split_at_mut(2 * wave.terms);
            let share = match wave.cycle {
                Cycle::Period(period) => {
                    let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1);
                    local_us.rem_euclid(period) as f64 / period as f64
                }
                Cycle::Month => month.as_ref().map_or(0.0, |m| m.share),
            };
            harmonics(share, columns);
            rest = after;
        }
        let (columns, rest) = rest.split_at_mut(scaled.len());
        columns.copy_from_slice(scaled);
        let (columns, rest) = rest.split_at_mut(self.changepoints.len());
        for (column, at) in columns.iter_mut().zip(&self.changepoints) {
            *column = (t - at).max(0.0);
        }
        let (columns, rest) = rest.split_at_mut(self.holidays.len());
        columns.fill(0.0);
        let day = local_us.div_euclid(DAY_US);
        let first = marks.partition_point(|(marked, _)| *marked < day);
        for (_, holiday) in marks[first..].iter().take_while(|(marked, _)| *marked == day) {
            columns[*holiday] = 1.0;
        }
        for (column, month_day) in rest.iter_mut().zip(&self.month_days) {
            *column = f64::from(u8::from(month.as_ref().is_some_and(|month| month.is(*month_day))));
        }
    }

    /// Whether restored state can be reckoned with.
    pub(super) fn is_sound(&self) -> bool {
        self.span_us > 0.0
            && self.waves.iter().all(|wave| (1..=1000).contains(&wave.terms))
            && self.scaled.iter().all(|s| s.deviation > 0.0)
    }
}

/// Sines and cosines of `share` of a circle and its multiples, by turning on from one to the next.
fn harmonics(share: f64, columns: &mut [f64]) {
    let (sin_one, cos_one) = (TAU * share).sin_cos();
    let (mut sin, mut cos) = (sin_one, cos_one);
    for pair in columns.chunks_exact_mut(2) {
        (pair[0], pair[1]) = (sin, cos);
        (sin, cos) = (sin * cos_one + cos * sin_one, cos * cos_one - sin * sin_one);
    }
}

/// Where a local time stands in its month.
struct Month {
    /// Share of the month that has passed.
    share: f64,
    day: i64,
    days: i64,
    /// Monday is 0.
    weekday: i64,
}

impl Month {
    fn of(local_us: i64) -> Self {
        // The wall's clock read as if it were UTC gives the wall's calendar.
        let date = Timestamp::from_micros(local_us).civil(&TimeZone::utc());
        let (day, days) = (i64::from(date.day_of_month), i64::from(date.days_in_month));
        let passed = (day - 1) as f64 + local_us.rem_euclid(DAY_US) as f64 / DAY_US as f64;
        Self { share: passed / days as f64, day, days, weekday: i64::from(date.weekday) }
    }

    fn is(&self, which: MonthDay) -> bool {
        match which {
            MonthDay::FromStart(day) => self.day == i64::from(day),
            MonthDay::FromEnd(day) => self.days + 1 - self.day == i64::from(day),
            MonthDay::Payday(day) => {
                let nominal = i64::from(day).min(self.days);
                let weekday = (self.weekday + nominal - self.day).rem_euclid(7);
                self.day == nominal - (weekday - 4).max(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn local(text: &str) -> i64 {
        Timestamp::parse(text).unwrap().as_micros()
    }

    #[test]
    fn harmonics_are_those_of_the_formula() {
        let mut columns = [0.0; 40];
        for share in [0.0, 0.1, 0.77] {
            harmonics(share, &mut columns);
            for (k, pair) in (1..).map(f64::from).zip(columns.chunks_exact(2)) {
                let (sin, cos) = (TAU * k * share).sin_cos();
                assert!((pair[0] - sin).abs() < 1e-13 && (pair[1] - cos).abs() < 1e-13, "{share} × {k}");
            }
        }
    }

    #[test]
    fn paydays_move_to_the_friday_before() {
        // 2026-01-31 is a Saturday, 2026-02-28 too, 2026-03-31 a Tuesday; 2026-11-15 is a Sunday.
        let is = |text: &str, day: u8| Month::of(local(text)).is(MonthDay::Payday(day));
        for (text, day, expected) in [
            ("2026-01-30 12:00:00", 31, true),
            ("2026-01-31 12:00:00", 31, false),
            ("2026-02-27", 31, true),
            ("2026-02-26", 31, false),
            ("2026-03-31", 31, true),
            ("2026-03-30", 31, false),
            ("2026-11-13", 15, true),
            ("2026-11-14", 15, false),
            ("2026-11-15", 15, false),
        ] {
            assert_eq!(is(text, day), expected, "{text}, payday {day}");
        }
        // A payday of the first on a weekend would be in the month before: that month's own payday rules it.
        assert!((1..=30).all(|d| !is(&format!("2026-11-{d:02}"), 1)));
    }

    #[test]
    fn days_are_counted_from_both_ends() {
        let month = Month::of(local("2024-02-28 06:00:00"));
        assert!(month.is(MonthDay::FromStart(28)) && month.is(MonthDay::FromEnd(2)));
        assert!(!month.is(MonthDay::FromEnd(1)));
        assert!((month.share - 27.25 / 29.0).abs() < 1e-12);
    }

    #[test]
    fn a_row_has_its_columns_in_order() {
        let basis = Basis {
            start_us: 0,
            span_us: 10.0 * DAY_US as f64,
            waves: vec![Wave { cycle: Cycle::Period(Duration::from_secs(4 * 86_400)), terms: 1 }],
            scaled: vec![Scaled { name: "x".into(), column: 1, mean: 0.0, deviation: 1.0 }],
            changepoints: vec![0.2, 0.8],
            holidays: vec![
                HolidayColumn { name: "a".into(), offset: 0 },
                HolidayColumn { name: "a".into(), offset: 1 },
            ],
            month_days: vec![MonthDay::FromStart(6)],
        };
        let mut row = vec![9.0; basis.size()];
        let time = Timestamp::from_micros(5 * DAY_US);
        basis.write(time, 5 * DAY_US, &[7.0], &[(4, 0), (5, 1)], &mut row);
        let expected = [0.5, 1.0, 1.0, 0.0, 7.0, 0.3, 0.0, 0.0, 1.0, 1.0];
        assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{row:?}");
        assert_eq!((basis.changes(), basis.holidays_at(), basis.month_days_at()), (5..7, 7, 9));
    }
}
