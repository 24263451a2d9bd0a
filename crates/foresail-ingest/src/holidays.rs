//! National holidays, by country.
//!
//! The table is made of the library that Prophet takes its holidays from; `data/make_holidays.py` made it. No library in Rust
//! has them in reach: one ends in 2030 and is eight megabytes of code to compile, another asks the network or brings OpenSSL.

use std::io::Read;
use std::ops::RangeInclusive;

use flate2::read::GzDecoder;
use foresail_core::{Holiday, TimeZone, Timestamp};

use crate::Error;

const TABLE: &[u8] = include_bytes!("../data/holidays.txt.gz");

/// The national holidays of `country` (two letters of ISO 3166-1, such as `DE`) in `years`, each at its local midnight in
/// `zone`, in order. A day that is two holidays is there twice; an observed day has a name of its own. Some milliseconds.
///
/// # Errors
/// [`Error::BadOption`] for a country that is not known, naming those there are, and for years beyond the table's.
pub fn holidays(country: &str, years: RangeInclusive<i16>, zone: &TimeZone) -> Result<Vec<Holiday>, Error> {
    let text = table();
    let mut lines = text.lines();
    let known = lines.next().and_then(span).expect("the table begins with its years");
    if years.start() < known.start() || years.end() > known.end() {
        return Err(Error::BadOption {
            option: "years",
            found: format!("{} to {}", years.start(), years.end()),
            expected: format!("years from {} to {}", known.start(), known.end()),
        });
    }
    let Some(lines) = of_country(lines, country) else {
        let expected = format!("one of {}", countries().join(", "));
        return Err(Error::BadOption { option: "country", found: country.to_owned(), expected });
    };
    let mut found = Vec::new();
    for (name, when) in lines.filter_map(|line| line.split_once('\t')) {
        for day in when.split(' ').flat_map(|item| days(item, &years)) {
            let day = Timestamp::parse_in(&day, zone).expect("the table holds dates, and every zone has midnights");
            found.push(Holiday { day, name: name.to_owned() });
        }
    }
    found.sort_by(|a, b| (a.day, &a.name).cmp(&(b.day, &b.name)));
    Ok(found)
}

/// Codes of the countries whose holidays are known.
pub fn countries() -> Vec<String> {
    table().lines().filter(|line| is_country(line)).map(str::to_owned).collect()
}

fn table() -> String {
    let mut text = String::new();
    GzDecoder::new(TABLE).read_to_string(&mut text).expect("the table is whole");
    text
}

fn is_country(line: &str) -> bool {
    line.len() == 2
}

/// The lines of a country's holidays.
fn of_country<'a>(lines: std::str::Lines<'a>, country: &str) -> Option<impl Iterator<Item = &'a str>> {
    let mut lines = lines.skip_while(move |line| !line.eq_ignore_ascii_case(country) || !is_country(line));
    lines.next()?;
    Some(lines.take_while(|line| !is_country(line)))
}

/// `2005-2045`.
fn span(text: &str) -> Option<RangeInclusive<i16>> {
    let (from, to) = text.split_once('-')?;
    Some(from.parse().ok()?..=to.parse().ok()?)
}

/// The days that an item names within `years`, as `YYYY-MM-DD`.
fn days(item: &str, years: &RangeInclusive<i16>) -> Vec<String> {
    let written = |year: i16, date: &str| format!("{year:04}-{}-{}", &date[..2], &date[2..]);
    let within = |span: RangeInclusive<i16>| *span.start().max(years.start())..=*span.end().min(years.end());
    match (item.split_once(':'), item.len()) {
        (Some((run, date)), _) => {
            within(span(run).expect("a run has two years")).map(|year| written(year, date)).collect()
        }
        (None, 4) => years.clone().map(|year| written(year, item)).collect(),
        (None, _) => {
            let year = item[..4].parse().expect("a day begins with its year");
            if years.contains(&year) { vec![written(year, &item[4..])] } else { Vec::new() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(country: &str, year: i16, expected: &[(&str, &str)]) {
        let found = holidays(country, year..=year, &TimeZone::utc()).unwrap();
        let shown: Vec<(String, &str)> =
            found.iter().map(|h| (h.day.to_string()[5..10].to_owned(), h.name.as_str())).collect();
        for (day, name) in expected {
            assert!(shown.iter().any(|(d, n)| d == day && n == name), "{country}: no {name} on {day} in {shown:?}");
        }
        assert!(found.is_sorted_by_key(|h| h.day));
    }

    #[test]
    fn holidays_fixed_and_moving_are_where_they_were() {
        check(
            "US",
            2026,
            &[("01-01", "New Year's Day"), ("11-26", "Thanksgiving Day"), ("07-03", "Independence Day (observed)")],
        );
        check("de", 2024, &[("03-29", "Good Friday"), ("04-01", "Easter Monday"), ("10-03", "German Unity Day")]);
        check("JP", 2025, &[("01-13", "Coming of Age Day"), ("09-15", "Respect for the Aged Day")]);
        check("SA", 2025, &[("09-23", "National Day Holiday")]);
    }

    #[test]
    fn a_day_starts_at_local_midnight() {
        let berlin = TimeZone::named("Europe/Berlin").unwrap();
        let found = holidays("DE", 2026..=2026, &berlin).unwrap();
        let unity = found.iter().find(|h| h.name == "German Unity Day").unwrap();
        assert_eq!(unity.day.to_string(), "2026-10-02T22:00:00Z");
    }

    #[test]
    fn many_countries_are_known_and_the_others_refused() {
        assert!(countries().len() > 150, "{}", countries().len());
        let message = holidays("XX", 2026..=2026, &TimeZone::utc()).unwrap_err().to_string();
        assert!(message.starts_with("option country: \"XX\" is not possible; expected one of AD, AE"), "{message}");
        let message = holidays("DE", 1990..=2026, &TimeZone::utc()).unwrap_err().to_string();
        assert_eq!(message, "option years: \"1990 to 2026\" is not possible; expected years from 2005 to 2045");
    }

    #[test]
    fn every_country_has_holidays_in_every_year() {
        let all = holidays("FR", 2005..=2045, &TimeZone::utc()).unwrap();
        assert!((2005..=2045).all(|y| all.iter().filter(|h| h.day.civil(&TimeZone::utc()).year == y).count() >= 10));
    }
}
