//! Local time of rows, with everything remembered that stays the same from one row to the next.

use std::f64::consts::TAU;

use crate::{Civil, Holiday, TimeZone, Timestamp};

const DAY_S: i64 = 86_400;
/// Weeks in a mean Gregorian year.
const WEEKS_IN_YEAR: f64 = 52.1775;
/// Distances from holidays are cut here, minutes.
const FAR_M: f64 = 10_080.0;

/// Gives the temporal features of instants. A cache, not state: what it answers depends on the instant alone. Looking up
/// a zone's rules and a date's fields costs more than all other features together, so the offset is kept until the
/// zone's next change and the date's part until midnight.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    zone: TimeZone,
    /// Local day numbers (since 1970-01-01) of the holidays, ascending.
    holidays: Box<[i64]>,
    offset_s: i64,
    /// Where `offset_s` holds, microseconds; empty at first.
    offset_from: i64,
    offset_until: i64,
    day: Day,
}

/// What all rows of a local day share.
#[derive(Clone, Copy, Debug)]
struct Day {
    number: i64,
    weekday: i64,
    /// Day of week, day of month, week of year (sine and cosine each), weekend, holiday.
    fields: [f32; 8],
    next_holiday: Option<i64>,
    last_holiday: Option<i64>,
}

impl Calendar {
    pub(super) fn new(zone: &TimeZone, holidays: &[Holiday]) -> Self {
        let day = Day { number: i64::MIN, weekday: 0, fields: [0.0; 8], next_holiday: None, last_holiday: None };
        let mut calendar = Self {
            zone: zone.clone(),
            holidays: Box::default(),
            offset_s: 0,
            offset_from: i64::MAX,
            offset_until: i64::MIN,
            day,
        };
        let mut days: Vec<i64> = holidays.iter().map(|h| calendar.local_s(h.day).div_euclid(DAY_S)).collect();
        days.sort_unstable();
        days.dedup();
        calendar.holidays = days.into();
        calendar
    }

    /// Local seconds since 1970-01-01T00:00 on the wall clock.
    #[inline]
    fn local_s(&mut self, time: Timestamp) -> i64 {
        let micros = time.as_micros();
        if micros < self.offset_from || micros >= self.offset_until {
            let (offset_s, until) = self.zone.offset_at(time);
            self.offset_s = i64::from(offset_s);
            (self.offset_from, self.offset_until) = (micros, until.map_or(i64::MAX, Timestamp::as_micros));
        }
        micros.div_euclid(1_000_000) + self.offset_s
    }

    /// Moves to `time` and gives the second of its local day, 0 to 86,399.
    #[inline]
    pub(super) fn go_to(&mut self, time: Timestamp) -> i64 {
        let local = self.local_s(time);
        let number = local.div_euclid(DAY_S);
        if number != self.day.number {
            self.day = self.read_day(number, &time.civil(&self.zone));
        }
        local - number * DAY_S
    }

    fn read_day(&self, number: i64, date: &Civil) -> Day {
        let weekday = i64::from(date.weekday);
        let circle = |position: f64| (TAU * position).sin_cos();
        let (weekday_sin, weekday_cos) = circle(weekday as f64 / 7.0);
        let (month_sin, month_cos) = circle(f64::from(date.day_of_month - 1) / f64::from(date.days_in_month));
        let (week_sin, week_cos) = circle(f64::from(iso_week(date) - 1) / WEEKS_IN_YEAR);
        let after = self.holidays.partition_point(|&d| d < number);
        let is_holiday = self.holidays.get(after) == Some(&number);
        let flags = [f64::from(u8::from(date.is_weekend())), f64::from(u8::from(is_holiday))];
        Day {
            number,
            weekday,
            fields: [weekday_sin, weekday_cos, month_sin, month_cos, week_sin, week_cos, flags[0], flags[1]]
                .map(|v| v as f32),
            next_holiday: self.holidays.get(after).copied(),
            last_holiday: if is_holiday {
                Some(number)
            } else {
                after.checked_sub(1).and_then(|i| self.holidays.get(i)).copied()
            },
        }
    }

    /// The 14 temporal features at `second` of the current day.
    #[inline]
    pub(super) fn features(&self, second: i64) -> [f64; 14] {
        let (minute_sin, minute_cos) = (TAU * (second % 3600) as f64 / 3600.0).sin_cos();
        let (hour_sin, hour_cos) = (TAU * second as f64 / DAY_S as f64).sin_cos();
        let [weekday_sin, weekday_cos, month_sin, month_cos, week_sin, week_cos, weekend, holiday] =
            self.day.fields.map(f64::from);
        let minute = second as f64 / 60.0;
        let day_m = |from: i64, to: i64| (to - from) as f64 * 1440.0;
        let until = |day: i64| (day_m(self.day.number, day) - minute).clamp(0.0, FAR_M);
        let since = |day: i64| (day_m(day + 1, self.day.number) + minute).clamp(0.0, FAR_M);
        [
            minute_sin,
            minute_cos,
            hour_sin,
            hour_cos,
            weekday_sin,
            weekday_cos,
            month_sin,
            month_cos,
            week_sin,
            week_cos,
            weekend,
            holiday,
            self.day.next_holiday.map_or(FAR_M, until),
            if holiday > 0.0 { 0.0 } else { self.day.last_holiday.map_or(FAR_M, since) },
        ]
    }

    /// Slot of `second` of the current day when the day is cut into `daily` slots and the week into `weekly`.
    #[inline]
    pub(super) fn slots(&self, second: i64, (daily, weekly): (usize, usize)) -> (usize, usize) {
        let of_week = self.day.weekday * DAY_S + second;
        ((second * daily as i64 / DAY_S) as usize, (of_week * weekly as i64 / (7 * DAY_S)) as usize)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val::<[i64]>(&self.holidays)
    }
}

/// Week of ISO 8601, 1 to 53: week 1 holds the year's first Thursday.
fn iso_week(date: &Civil) -> i32 {
    let (year, day, weekday) = (i32::from(date.year), i32::from(date.day_of_year), i32::from(date.weekday) + 1);
    let week = (day - weekday + 10) / 7;
    if week < 1 {
        weeks_in(year - 1)
    } else if week > weeks_in(year) {
        1
    } else {
        week
    }
}

fn weeks_in(year: i32) -> i32 {
    let last_weekday = |y: i32| (y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400)).rem_euclid(7);
    if last_weekday(year) == 4 || last_weekday(year - 1) == 3 { 53 } else { 52 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn iso_weeks_of_known_dates() {
        let utc = TimeZone::utc();
        for (date, week) in [
            ("2021-01-03", 53), // a Sunday
            ("2021-01-04", 1),
            ("2024-12-30", 1),
            ("2020-12-31", 53),
            ("2026-12-31", 53),
            ("2016-01-01", 53),
            ("2017-01-01", 52),
            ("2024-06-15", 24),
        ] {
            assert_eq!(iso_week(&Timestamp::parse(date).unwrap().civil(&utc)), week, "{date}");
        }
    }

    /// The cached offset must agree with a look-up for every row, through both changes of the clocks.
    #[test]
    fn local_time_follows_the_clocks() {
        for name in ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"] {
            let zone = TimeZone::named(name).unwrap();
            let mut calendar = Calendar::new(&zone, &[]);
            let mut time = Timestamp::parse("2025-12-25T00:00:00Z").unwrap();
            for _ in 0..366 * 96 {
                let (second, civil) = (calendar.go_to(time), time.civil(&zone));
                let expected = i64::from(civil.hour) * 3600 + i64::from(civil.minute) * 60 + i64::from(civil.second);
                assert_eq!((second, calendar.day.weekday), (expected, i64::from(civil.weekday)), "{name} {time}");
                time = time + Duration::from_secs(900);
            }
            // And backwards, where the remembered range does not hold.
            let early = Timestamp::parse("2025-06-01T12:00:00Z").unwrap();
            assert_eq!(calendar.go_to(early), (early.civil(&zone).minute_of_day() * 60.0) as i64, "{name}");
        }
    }

    #[test]
    fn holidays_are_counted_on_the_wall_clock() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let day = |text: &str| Holiday { day: Timestamp::parse_in(text, &berlin).unwrap(), name: String::new() };
        let mut calendar = Calendar::new(&berlin, &[day("2026-05-01"), day("2026-04-06"), day("2026-04-03")]);
        let mut at = |text: &str| {
            let second = calendar.go_to(Timestamp::parse_in(text, &berlin).unwrap());
            let features = calendar.features(second);
            (features[11], features[12], features[13])
        };
        assert_eq!(at("2026-04-02 23:30:00"), (0.0, 30.0, 10_080.0));
        assert_eq!(at("2026-04-03 12:00:00"), (1.0, 0.0, 0.0));
        assert_eq!(at("2026-04-04 01:00:00"), (0.0, 2.0 * 1440.0 - 60.0, 60.0));
        assert_eq!(at("2026-04-20 00:00:00"), (0.0, 10_080.0, 10_080.0));
        assert_eq!(at("2026-05-02 00:00:00"), (0.0, 10_080.0, 0.0));
    }
}
