//! Which column is the time and which are values, from their names and a sample of their cells.

use crate::cell::{Cell, Number};
use crate::clock::TimeForm;
use crate::stamp::{self, Epoch};
use crate::{Aggregation, At, EpochUnit, Error, Place, ReadOptions};

/// Rows looked at before the columns are chosen.
pub(crate) const SAMPLE_ROWS: usize = 1_000;

/// Names of time columns, the likelier first; compared without regard to case.
const TIME_NAMES: [&str; 16] = [
    "timestamp",
    "@timestamp",
    "time",
    "ts",
    "datetime",
    "date_time",
    "ds",
    "date",
    "_time",
    "event_time",
    "time_stamp",
    "epoch",
    "unix",
    "unix_time",
    "unixtime",
    "period",
];

/// Numeric times are taken for such by themselves, without a telling name, only from 1990 to 2100.
const PLAUSIBLE_SECONDS: std::ops::Range<f64> = 631_152_000.0..4_102_444_800.0;

/// What a sample of a column's cells looks like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    /// Non-empty cells.
    filled: usize,
    /// Of them, typed times.
    typed: usize,
    /// Text that is a time.
    texts: usize,
    /// Numbers, NaN and infinities included.
    numbers: usize,
    /// Numbers that are plausible times in some unit and not before the one above.
    epochs: usize,
    largest: f64,
    previous: f64,
}

impl Profile {
    pub(crate) fn of<'a>(cells: impl IntoIterator<Item = Cell<'a>>) -> Self {
        let mut profile = Self { previous: f64::NEG_INFINITY, ..Self::default() };
        for cell in cells {
            profile.add(cell);
        }
        profile
    }

    fn add(&mut self, cell: Cell<'_>) {
        if cell == Cell::Empty {
            return;
        }
        self.filled += 1;
        match cell.number() {
            Number::Finite(number) => {
                self.numbers += 1;
                self.largest = self.largest.max(number.abs());
                let plausible = [1.0, 1e3, 1e6, 1e9].iter().any(|unit| PLAUSIBLE_SECONDS.contains(&(number / unit)));
                self.epochs += usize::from(plausible && number >= self.previous);
                self.previous = number;
            }
            Number::NonFinite => self.numbers += 1,
            Number::Empty => {}
            Number::Bad => match cell {
                Cell::Text(text) => self.texts += usize::from(stamp::parse(text).is_some()),
                _ => self.typed += 1,
            },
        }
    }

    fn most(&self, count: usize) -> bool {
        self.filled > 0 && 2 * count >= self.filled
    }

    fn is_numeric(&self) -> bool {
        self.most(self.numbers)
    }

    fn can_be_time(&self) -> bool {
        self.most(self.typed + self.texts) || (self.is_numeric() && Epoch::from_f64(self.largest).is_some())
    }

    fn time_form(&self, unit: Option<EpochUnit>) -> TimeForm {
        match unit {
            _ if self.typed + self.texts > self.numbers => TimeForm::Text,
            Some(unit) => TimeForm::Epoch(unit),
            None if self.numbers > 0 => TimeForm::Epoch(EpochUnit::of_magnitude(self.largest)),
            None => TimeForm::Text,
        }
    }
}

/// The columns chosen, by index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schema {
    pub(crate) time: usize,
    pub(crate) form: TimeForm,
    pub(crate) values: Vec<usize>,
}

/// One column that an input offers. A name may be empty.
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) profile: Profile,
}

/// Chooses among `offers`; `at` is where the names stand.
///
/// # Errors
/// A name asked for that is not there, twice there or not usable; no time or no values to be found.
pub(crate) fn choose(file: &str, at: At, offers: &[Offer], options: &ReadOptions) -> Result<Schema, Error> {
    let header = Header { file, at, offers };
    let time = header.time(options)?;
    let values = header.values(options, time)?;
    Ok(Schema { time, form: offers[time].profile.time_form(options.epoch_unit), values })
}

struct Header<'a> {
    file: &'a str,
    at: At,
    offers: &'a [Offer],
}

impl Header<'_> {
    fn place(&self, column: Option<&str>) -> Place {
        Place { file: self.file.to_owned(), at: self.at, column: column.map(str::to_owned) }
    }

    fn available(&self) -> String {
        names_listed(self.offers.iter().map(|o| o.name.as_str()))
    }

    fn find(&self, name: &str) -> Result<usize, Error> {
        let mut found = self.offers.iter().enumerate().filter(|(_, o)| o.name == name).map(|(i, _)| i);
        let index = found
            .next()
            .ok_or_else(|| Error::NoSuchColumn { place: self.place(Some(name)), available: self.available() })?;
        match found.next() {
            Some(_) => Err(Error::DuplicateColumn { place: self.place(Some(name)) }),
            None => Ok(index),
        }
    }

    fn time(&self, options: &ReadOptions) -> Result<usize, Error> {
        if let Some(name) = &options.time {
            return self.find(name);
        }
        let offers = || self.offers.iter().enumerate().filter(|(_, o)| !options.values.contains(&o.name));
        let named = || TIME_NAMES.iter().flat_map(|n| offers().filter(|(_, o)| o.name.eq_ignore_ascii_case(n)));
        let by_name = named().find(|(_, o)| o.profile.can_be_time());
        let by_text = || offers().find(|(_, o)| o.profile.most(o.profile.typed + o.profile.texts));
        let by_number = || offers().find(|(_, o)| o.profile.most(o.profile.epochs));
        // For the sake of an error that says more: a name without times in its cells, whose first will be refused, and
        // times that were asked for as values.
        let misnamed = || named().next().map(|(i, _)| i);
        let misused = || self.offers.iter().position(|o| o.profile.most(o.profile.typed + o.profile.texts));
        let chosen = by_name.or_else(by_text).or_else(by_number).map(|(i, _)| i);
        chosen
            .or_else(misnamed)
            .or_else(misused)
            .ok_or_else(|| Error::NoTimeColumn { place: self.place(None), available: self.available() })
    }

    fn values(&self, options: &ReadOptions, time: usize) -> Result<Vec<usize>, Error> {
        let mut chosen = Vec::new();
        for name in &options.values {
            let index = self.find(name)?;
            if index == time || self.offers[index].profile.typed > 0 {
                let place = self.place(Some(name));
                return Err(Error::UnusableColumn { place, found: "the time", expected: "numbers" });
            }
            if chosen.contains(&index) {
                return Err(Error::DuplicateColumn { place: self.place(Some(name)) });
            }
            chosen.push(index);
        }
        for (index, offer) in self.offers.iter().enumerate() {
            let wanted = if options.values.is_empty() {
                !offer.name.is_empty()
            } else {
                options.optional.iter().any(|pattern| matches(pattern, &offer.name))
            };
            if wanted && index != time && !chosen.contains(&index) && offer.profile.is_numeric() {
                self.find(&offer.name)?;
                chosen.push(index);
            }
        }
        if chosen.is_empty() && options.aggregation != Aggregation::Count {
            return Err(Error::NoValueColumn { place: self.place(None), available: self.available() });
        }
        Ok(chosen)
    }
}

/// Whether `name` is `pattern`, or begins as it does up to a trailing `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

/// At most this many names are listed in an error.
const MAX_LISTED: usize = 20;

/// Names as an error lists them.
pub(crate) fn names_listed<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    let count = names.clone().count();
    let listed: Vec<String> = names.take(MAX_LISTED).map(|n| crate::error::shown(n.as_bytes())).collect();
    match count {
        0 => "none".to_owned(),
        n if n > MAX_LISTED => format!("{} and {} more", listed.join(", "), n - MAX_LISTED),
        _ => listed.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose_from(columns: &[(&str, &[&str])], options: &ReadOptions) -> Result<Schema, Error> {
        let offers: Vec<Offer> = columns
            .iter()
            .map(|(name, cells)| Offer {
                name: (*name).to_owned(),
                profile: Profile::of(cells.iter().map(|c| Cell::text(c.as_bytes()))),
            })
            .collect();
        choose("f.csv", At::Line(1), &offers, options)
    }

    #[test]
    fn the_time_is_found_by_name_then_by_content() {
        let day = ["2026-03-01", "2026-03-02"];
        let epoch = ["1772366400000", "1772366460000"];
        let numbers = ["5", "7"];
        let text = ["a", "b"];
        for (columns, time, form) in [
            ([("v", &numbers), ("Date", &day)], 1, TimeForm::Text),
            ([("v", &numbers), ("ts", &numbers)], 1, TimeForm::Epoch(EpochUnit::Seconds)),
            ([("when", &day), ("v", &numbers)], 0, TimeForm::Text),
            ([("v", &numbers), ("when", &epoch)], 1, TimeForm::Epoch(EpochUnit::Millis)),
            ([("", &day), ("time", &text)], 0, TimeForm::Text),
        ] {
            let options = ReadOptions { aggregation: Aggregation::Count, ..ReadOptions::default() };
            let columns: Vec<(&str, &[&str])> = columns.iter().map(|(n, c)| (*n, &c[..])).collect();
            let schema = choose_from(&columns, &options).unwrap();
            assert_eq!((schema.time, schema.form), (time, form), "{columns:?}");
        }
    }

    #[test]
    fn a_value_asked_for_is_never_the_time() {
        let options = ReadOptions { values: vec!["time".into()], ..ReadOptions::default() };
        let schema = choose_from(&[("time", &["3", "4"]), ("at", &["2026-03-01", "2026-03-02"])], &options).unwrap();
        assert_eq!((schema.time, schema.values), (1, vec![0]));
    }

    #[test]
    fn values_are_the_numeric_columns_with_a_name() {
        let columns: &[(&str, &[&str])] = &[
            ("", &["0", "1"]),
            ("ds", &["2026-03-01", "2026-03-02"]),
            ("y", &["5", "x"]),
            ("host", &["a", "b"]),
            ("z", &["", "1"]),
            ("never", &["", ""]),
        ];
        assert_eq!(choose_from(columns, &ReadOptions::default()).unwrap().values, [2, 4]);
    }

    #[test]
    fn optional_columns_are_taken_where_present() {
        let options = ReadOptions {
            values: vec!["y".into()],
            optional: vec!["cpu*".into(), "gone".into()],
            ..ReadOptions::default()
        };
        let columns: &[(&str, &[&str])] =
            &[("cpu_a", &["1"]), ("x", &["2"]), ("y", &["3"]), ("ds", &["2026-03-01"]), ("cpu_name", &["xeon"])];
        assert_eq!(choose_from(columns, &options).unwrap().values, [2, 0]);
    }
}
