//! Rules of recurrence, as far as calendars of events use them.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};

/// Periods gone through at most: 5 centuries of days.
const MOST_PERIODS: i64 = 200_000;
/// What is understood.
const UNDERSTOOD: &str =
    "a rule of FREQ (DAILY, WEEKLY, MONTHLY, YEARLY), INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY and BYMONTH";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// An `RRULE` of RFC 5545.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    frequency: Frequency,
    interval: i64,
    count: Option<usize>,
    /// On the event's wall clock.
    until: Option<DateTime>,
    /// Weekdays, each with its place in the month where one is given (negative from the end).
    by_day: Vec<(i8, Weekday)>,
    by_month_day: Vec<i8>,
    by_month: Vec<i8>,
}

impl Rule {
    /// Reads the rule of an event that starts at `start`.
    ///
    /// # Errors
    /// What is understood, for a rule that has more to it.
    pub(super) fn parse(text: &str, start: DateTime) -> Result<Self, &'static str> {
        let mut rule = Self {
            frequency: Frequency::Daily,
            interval: 1,
            count: None,
            until: None,
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_month: Vec::new(),
        };
        let mut has_frequency = false;
        for part in text.trim().split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or(UNDERSTOOD)?;
            match name.to_ascii_uppercase().as_str() {
                "FREQ" => {
                    has_frequency = true;
                    rule.frequency = match value.to_ascii_uppercase().as_str() {
                        "DAILY" => Frequency::Daily,
                        "WEEKLY" => Frequency::Weekly,
                        "MONTHLY" => Frequency::Monthly,
                        "YEARLY" => Frequency::Yearly,
                        _ => return Err(UNDERSTOOD),
                    };
                }
                "INTERVAL" => {
                    rule.interval = value.parse().ok().filter(|n| (1..=10_000).contains(n)).ok_or(UNDERSTOOD)?;
                }
                "COUNT" => rule.count = Some(value.parse().map_err(|_| UNDERSTOOD)?),
                "UNTIL" => rule.until = Some(until(value)?),
                "BYDAY" => rule.by_day = value.split(',').map(weekday).collect::<Option<_>>().ok_or(UNDERSTOOD)?,
                "BYMONTHDAY" => rule.by_month_day = numbers(value, 31)?,
                "BYMONTH" => rule.by_month = numbers(value, 12)?,
                // Weeks begin on Monday unless said; with one week at a time it makes no difference.
                "WKST" if value.eq_ignore_ascii_case("MO") || !text.to_ascii_uppercase().contains("INTERVAL") => {}
                _ => return Err(UNDERSTOOD),
            }
        }
        let by_month = !rule.by_day.is_empty() || !rule.by_month_day.is_empty();
        let fits = match rule.frequency {
            Frequency::Daily => !by_month && rule.by_month.is_empty(),
            Frequency::Weekly => {
                rule.by_month_day.is_empty() && rule.by_month.is_empty() && rule.by_day.iter().all(|(n, _)| *n == 0)
            }
            Frequency::Monthly => rule.by_month.is_empty() && (rule.by_day.is_empty() || rule.by_month_day.is_empty()),
            Frequency::Yearly => {
                // Counted in the year, weekdays have another meaning than in a month.
                (rule.by_day.is_empty() || rule.by_month_day.is_empty())
                    && (rule.by_day.is_empty() || !rule.by_month.is_empty())
            }
        };
        if rule.frequency == Frequency::Yearly && rule.by_month.is_empty() {
            rule.by_month = vec![start.month()];
        }
        if has_frequency && fits { Ok(rule) } else { Err(UNDERSTOOD) }
    }

    /// The starts of all occurrences from `start` on, until `is_past` says that one need not be known.
    pub(super) fn occurrences(&self, start: DateTime, is_past: impl Fn(DateTime) -> bool) -> Vec<DateTime> {
        let mut found = Vec::new();
        for period in 0..MOST_PERIODS {
            let Some(mut dates) = self.dates(start.date(), period * self.interval) else { return found };
            dates.sort_unstable();
            dates.dedup();
            for date in dates.into_iter().filter(|date| *date >= start.date()) {
                let local = date.to_datetime(start.time());
                let is_over = self.until.is_some_and(|until| local > until);
                if is_over || is_past(local) || self.count.is_some_and(|count| found.len() >= count) {
                    return found;
                }
                found.push(local);
            }
        }
        found
    }

    /// The days that the period so many after the start's has; `None` beyond what a calendar holds.
    fn dates(&self, start: Date, later: i64) -> Option<Vec<Date>> {
        match self.frequency {
            Frequency::Daily => Some(vec![start.checked_add(later.days()).ok()?]),
            Frequency::Weekly => {
                let same_day = start.checked_add(later.weeks()).ok()?;
                if self.by_day.is_empty() {
                    return Some(vec![same_day]);
                }
                let monday = same_day.checked_sub(i64::from(same_day.weekday().to_monday_zero_offset()).days()).ok()?;
                let day =
                    |weekday: &Weekday| monday.checked_add(i64::from(weekday.to_monday_zero_offset()).days()).ok();
                self.by_day.iter().map(|(_, weekday)| day(weekday)).collect()
            }
            Frequency::Monthly => {
                let month = start.first_of_month().checked_add(later.months()).ok()?;
                Some(self.in_month(month, start))
            }
            Frequency::Yearly => {
                let year = i16::try_from(i64::from(start.year()) + later).ok()?;
                let mut dates = Vec::new();
                for month in &self.by_month {
                    dates.extend(self.in_month(Date::new(year, *month, 1).ok()?, start));
                }
                Some(dates)
            }
        }
    }

    /// The rule's days in the month that begins with `first`; months that lack one are without.
    fn in_month(&self, first: Date, start: Date) -> Vec<Date> {
        let nth = |day: i8| {
            let day = if day < 0 { first.days_in_month() + 1 + day } else { day };
            Date::new(first.year(), first.month(), day).ok()
        };
        if !self.by_month_day.is_empty() {
            return self.by_month_day.iter().filter_map(|day| nth(*day)).collect();
        }
        if self.by_day.is_empty() {
            return nth(start.day()).into_iter().collect();
        }
        let each = |(place, weekday): &(i8, Weekday)| -> Vec<Date> {
            let places = if *place == 0 { vec![1, 2, 3, 4, 5] } else { vec![*place] };
            places.into_iter().filter_map(|place| first.nth_weekday_of_month(place, *weekday).ok()).collect()
        };
        self.by_day.iter().flat_map(each).collect()
    }
}

/// `20261231`, with a time and `Z` or not: the wall clock's reading is near enough, occurrences are days apart.
fn until(text: &str) -> Result<DateTime, &'static str> {
    let digits = text.trim_end_matches('Z');
    if !digits.is_ascii() || digits.len() < 8 {
        return Err(UNDERSTOOD);
    }
    let time = match digits.len() {
        15 => format!("{}:{}:{}", &digits[9..11], &digits[11..13], &digits[13..15]),
        _ => "23:59:59".to_owned(),
    };
    format!("{}-{}-{}T{time}", &digits[..4], &digits[4..6], &digits[6..8]).parse().map_err(|_| UNDERSTOOD)
}

/// `TU`, `2TU`, `-1FR`.
fn weekday(text: &str) -> Option<(i8, Weekday)> {
    let (place, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let weekday = match day.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    };
    let place = if place.is_empty() { 0 } else { place.parse().ok().filter(|n: &i8| *n != 0 && n.abs() <= 5)? };
    Some((place, weekday))
}

fn numbers(text: &str, most: i8) -> Result<Vec<i8>, &'static str> {
    let number = |text: &str| text.parse().ok().filter(|n: &i8| *n != 0 && n.unsigned_abs() <= most.unsigned_abs());
    text.split(',').map(number).collect::<Option<_>>().ok_or(UNDERSTOOD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(start: &str, rule: &str, expected: &[&str]) {
        let start: DateTime = start.parse().unwrap();
        let found = Rule::parse(rule, start).unwrap().occurrences(start, |local| local.year() > 2027);
        let shown: Vec<String> = found.iter().take(expected.len()).map(|d| d.date().to_string()).collect();
        assert_eq!(shown, expected, "{rule}");
        assert!(found.iter().all(|local| local.time() == start.time()));
    }

    #[test]
    fn occurrences_are_those_of_the_rule() {
        check("2026-11-20T18:00:00", "FREQ=DAILY;INTERVAL=2;COUNT=3", &["2026-11-20", "2026-11-22", "2026-11-24"]);
        check("2026-11-20T09:00:00", "FREQ=WEEKLY;BYDAY=MO,FR", &["2026-11-20", "2026-11-23", "2026-11-27"]);
        check("2026-01-31T00:00:00", "FREQ=MONTHLY", &["2026-01-31", "2026-03-31", "2026-05-31"]);
        check("2026-01-31T00:00:00", "FREQ=MONTHLY;BYMONTHDAY=-1", &["2026-01-31", "2026-02-28", "2026-03-31"]);
        check("2026-01-30T00:00:00", "FREQ=MONTHLY;BYDAY=-1FR", &["2026-01-30", "2026-02-27", "2026-03-27"]);
        check("2025-11-27T00:00:00", "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", &["2025-11-27", "2026-11-26", "2027-11-25"]);
        check("2024-02-29T00:00:00", "FREQ=YEARLY", &["2024-02-29"]);
        let start = "2026-11-20T09:00:00".parse().unwrap();
        let rule = Rule::parse("FREQ=DAILY;UNTIL=20261122T090000Z", start).unwrap();
        assert_eq!(rule.occurrences(start, |_| false).len(), 3);
    }

    #[test]
    fn rules_beyond_what_is_understood_are_refused() {
        let start = "2026-11-20T09:00:00".parse().unwrap();
        for rule in [
            "FREQ=HOURLY",
            "FREQ=DAILY;BYSETPOS=1",
            "INTERVAL=2",
            "FREQ=YEARLY;BYDAY=20MO",
            "FREQ=WEEKLY;BYDAY=XX",
            "FREQ=DAILY;INTERVAL=0",
        ] {
            assert_eq!(Rule::parse(rule, start), Err(UNDERSTOOD), "{rule}");
        }
    }
}
