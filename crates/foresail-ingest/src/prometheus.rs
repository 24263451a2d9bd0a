//! The JSON answer of Prometheus' `query_range`: a matrix of series, each a list of `[epoch seconds, "value"]`.
//!
//! Format: <https://prometheus.io/docs/prometheus/latest/querying/api/>, "Range vectors".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

use crate::cell::{Cell, Number};
use crate::clock::{Clock, TimeForm};
use crate::error::shown;
use crate::read::Input;
use crate::schema::names_listed;
use crate::table::{Samples, Table};
use crate::{At, EpochUnit, Error};

/// Reads a whole answer; each series becomes a column named by the labels that tell it from the others.
///
/// # Errors
/// See [`Error`]; positions are lines and characters.
pub(crate) fn read(input: &Input<'_>, bytes: Box<dyn Read>) -> Result<Table, Error> {
    let text = input.read_all(bytes)?;
    table(input, &lines(input, &text)?)
}

/// The series of a whole answer.
pub(crate) fn lines(input: &Input<'_>, text: &[u8]) -> Result<Vec<Line>, Error> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    check_head(input, text)?;
    if input.options.lenient { parse::<true>(input, text) } else { parse::<false>(input, text) }
}

/// The columns asked for of some series.
pub(crate) fn table(input: &Input<'_>, series: &[Line]) -> Result<Table, Error> {
    let names = column_names(series);
    let chosen = choose(input, series, &names)?;
    tabulate(input, series, chosen)
}

/// The envelope, read first so that an answer of another kind is told by its kind and not by its first odd character.
#[derive(Deserialize)]
struct Head {
    status: String,
    error: Option<String>,
    data: Option<HeadData>,
}

#[derive(Deserialize)]
struct HeadData {
    #[serde(rename = "resultType")]
    result_type: String,
}

fn check_head(input: &Input<'_>, text: &[u8]) -> Result<(), Error> {
    let refuse = |found| {
        let place = input.place(At::Whole, None);
        Err(Error::BadFormat { place, found, expected: EXPECTED })
    };
    match text.trim_ascii_start().first() {
        Some(b'{') => {}
        Some(_) => return refuse(format!("the input begins {:?}", shown(&text[..text.len().min(20)]))),
        None => return refuse("the input is empty".to_owned()),
    }
    let head: Head = serde_json::from_slice(text).map_err(|e| bad_json(input, &e))?;
    match head {
        Head { status, error, .. } if status != "success" => {
            let cause = error.map(|e| format!(", {:?}", shown(e.as_bytes()))).unwrap_or_default();
            refuse(format!("the answer's status is {:?}{cause}", shown(status.as_bytes())))
        }
        Head { data: None, .. } => refuse("the answer has no data".to_owned()),
        Head { data: Some(data), .. } if data.result_type != "matrix" => {
            refuse(format!("the result is a {:?}", shown(data.result_type.as_bytes())))
        }
        _ => Ok(()),
    }
}

const EXPECTED: &str = "a successful query_range answer of result type \"matrix\"";

pub(crate) fn bad_json(input: &Input<'_>, error: &serde_json::Error) -> Error {
    let at = At::Character { line: error.line() as u64, character: error.column() as u64 };
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = error.to_string();
    let found = message.strip_suffix(&position).unwrap_or(&message).to_owned();
    Error::BadFormat { place: input.place(at, None), found, expected: EXPECTED }
}

#[derive(Deserialize)]
#[serde(bound = "")]
struct Answer<const LENIENT: bool> {
    data: Data<LENIENT>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
struct Data<const LENIENT: bool> {
    result: Vec<Series<LENIENT>>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
struct Series<const LENIENT: bool> {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<Reading<LENIENT>>,
}

/// One sample. Cells are understood in this type, rather than checked afterwards, so that the parser's own position is
/// the error's.
#[derive(Deserialize)]
#[serde(bound = "", expecting = "a pair of epoch seconds and a number in quotes")]
pub(crate) struct Reading<const LENIENT: bool>(Time<LENIENT>, Value<LENIENT>);

impl<const LENIENT: bool> Reading<LENIENT> {
    /// Microseconds since the epoch (`None` is a bad time, skipped) and the number.
    pub(crate) fn parts(&self) -> (Option<i64>, Number) {
        (self.0.0, self.1.0)
    }
}

/// Microseconds since the epoch; `None` is a bad time, skipped.
struct Time<const LENIENT: bool>(Option<i64>);

impl<'de, const LENIENT: bool> Deserialize<'de> for Time<LENIENT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let mut clock = Clock::new(TimeForm::Epoch(EpochUnit::Seconds), &foresail_core::TimeZone::utc());
        match clock.read(Cell::Float(seconds)) {
            Ok(stamp) => Ok(Self(Some(stamp))),
            Err(_) if LENIENT => Ok(Self(None)),
            Err(expected) => Err(D::Error::custom(format_args!("{seconds} is not a usable time (of {expected})"))),
        }
    }
}

/// A number, in quotes as Prometheus writes it or without.
struct Value<const LENIENT: bool>(Number);

impl<'de, const LENIENT: bool> Deserialize<'de> for Value<LENIENT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor::<LENIENT>).map(Self)
    }
}

struct ValueVisitor<const LENIENT: bool>;

impl<const LENIENT: bool> Visitor<'_> for ValueVisitor<LENIENT> {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number in quotes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
        match Cell::text(text.as_bytes()).number() {
            Number::Bad if !LENIENT => {
                Err(E::custom(format_args!("{:?} is not a number in quotes", shown(text.as_bytes()))))
            }
            number => Ok(number),
        }
    }

    fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
        Ok(Cell::Float(number).number())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
        Ok(Cell::Float(number as f64).number())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
        Ok(Cell::Float(number as f64).number())
    }

    fn visit_unit<E>(self) -> Result<Number, E> {
        Ok(Number::Empty)
    }
}

/// One series, whichever way it was read.
pub(crate) struct Line {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) readings: Vec<(Option<i64>, Number)>,
}

fn parse<const LENIENT: bool>(input: &Input<'_>, text: &[u8]) -> Result<Vec<Line>, Error> {
    let answer: Answer<LENIENT> = serde_json::from_slice(text).map_err(|e| bad_json(input, &e))?;
    let line = |series: Series<LENIENT>| Line {
        labels: series.metric,
        readings: series.values.iter().map(Reading::parts).collect(),
    };
    Ok(answer.data.result.into_iter().map(line).collect())
}

/// `name{label=value,…}` with only what differs between the series; a single series is `value`.
fn column_names(series: &[Line]) -> Vec<String> {
    let labels: BTreeSet<&str> = series.iter().flat_map(|s| s.labels.keys().map(String::as_str)).collect();
    let distinguishing = |label: &&str| {
        let mut values = series.iter().map(|s| s.labels.get(*label));
        let first = values.next();
        values.any(|v| Some(v) != first)
    };
    let labels: Vec<&str> = labels.into_iter().filter(distinguishing).collect();
    let name = |series: &Line| {
        let pairs: Vec<String> = labels
            .iter()
            .filter(|l| **l != METRIC_NAME)
            .filter_map(|l| series.labels.get(*l).map(|v| format!("{l}={v}")))
            .collect();
        let metric = labels.contains(&METRIC_NAME).then(|| series.labels.get(METRIC_NAME)).flatten();
        match (metric, pairs.is_empty()) {
            (None, true) => "value".to_owned(),
            (None, false) => pairs.join(","),
            (Some(metric), true) => metric.clone(),
            (Some(metric), false) => format!("{metric}{{{}}}", pairs.join(",")),
        }
    };
    series.iter().map(name).collect()
}

/// The label that holds a metric's name.
const METRIC_NAME: &str = "__name__";

/// The series asked for, in that order, with the names of their columns. A single series also answers to its metric's
/// name.
fn choose(input: &Input<'_>, series: &[Line], names: &[String]) -> Result<Vec<(String, usize)>, Error> {
    let at = At::Character { line: 1, character: 1 };
    if series.iter().all(|s| s.readings.is_empty()) {
        let found = match series.len() {
            0 => "the result holds no series".to_owned(),
            n => format!("the result holds {n} series without values"),
        };
        return Err(Error::BadFormat { place: input.place(At::Whole, None), found, expected: "at least one series" });
    }
    let place = |name: &str| input.place(at, Some(name));
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            return Err(Error::DuplicateColumn { place: place(name) });
        }
    }
    if input.options.values.is_empty() {
        return Ok(names.iter().cloned().zip(0..).collect());
    }
    let alias = |name: &String| match series {
        [only] if only.labels.get(METRIC_NAME) == Some(name) => Some(0),
        _ => None,
    };
    let find = |name: &String| {
        let index = names.iter().position(|n| n == name).or_else(|| alias(name)).ok_or_else(|| {
            Error::NoSuchColumn { place: place(name), available: names_listed(names.iter().map(String::as_str)) }
        })?;
        Ok((name.clone(), index))
    };
    let chosen: Vec<(String, usize)> = input.options.values.iter().map(find).collect::<Result<_, Error>>()?;
    for (i, (name, index)) in chosen.iter().enumerate() {
        if chosen[..i].iter().any(|(_, other)| other == index) {
            return Err(Error::DuplicateColumn { place: place(name) });
        }
    }
    Ok(chosen)
}

fn tabulate(input: &Input<'_>, series: &[Line], chosen: Vec<(String, usize)>) -> Result<Table, Error> {
    let mut table = Table {
        time_column: "time".to_owned(),
        time_form: TimeForm::Epoch(EpochUnit::Seconds).name(),
        ..Table::default()
    };
    // A row for each time, and for each repetition of it within a series.
    let mut rows: Vec<(i64, u32)> = Vec::new();
    let mut columns = Vec::new();
    for (name, index) in chosen {
        let readings = &series[index].readings;
        let mut readings: Vec<(i64, Number)> = readings.iter().filter_map(|&(t, value)| Some((t?, value))).collect();
        table.bad_times += (series[index].readings.len() - readings.len()) as u64;
        table.disordered += readings.windows(2).filter(|w| w[1].0 < w[0].0).count() as u64;
        readings.sort_by_key(|r| r.0);
        let mut previous: Option<(i64, u32)> = None;
        let keyed: Vec<((i64, u32), Number)> = readings
            .into_iter()
            .map(|(time, value)| {
                let key = previous.filter(|p| p.0 == time).map_or((time, 0), |p| (time, p.1 + 1));
                previous = Some(key);
                (key, value)
            })
            .collect();
        rows.extend(keyed.iter().map(|k| k.0));
        columns.push((name, keyed));
    }
    rows.sort_unstable();
    rows.dedup();
    let max_cells = input.options.max_cells;
    if rows.len().saturating_mul(columns.len()) > max_cells {
        return Err(Error::TooManyCells { place: input.place(At::Whole, None), max_cells });
    }
    for &(stamp, _) in &rows {
        table.push_stamp(stamp, At::Whole);
    }
    for (name, keyed) in columns {
        let mut column = Samples { values: vec![f64::NAN; rows.len()], ..Samples::named(name) };
        let mut row = 0;
        for (key, value) in keyed {
            // Both are sorted, and every key is a row.
            row += rows[row..].iter().take_while(|r| **r < key).count();
            match value {
                Number::Finite(number) => column.values[row] = number,
                Number::NonFinite => column.non_finite += 1,
                Number::Empty => column.empty += 1,
                Number::Bad => column.bad += 1,
            }
        }
        table.columns.push(column);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(metrics: &[&[(&str, &str)]]) -> Vec<String> {
        let line = |labels: &&[(&str, &str)]| Line {
            labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            readings: Vec::new(),
        };
        column_names(&metrics.iter().map(line).collect::<Vec<_>>())
    }

    #[test]
    fn columns_are_named_by_what_tells_them_apart() {
        assert_eq!(names(&[&[("__name__", "up"), ("job", "web")]]), ["value"]);
        let two_pods: [&[_]; 2] = [&[("job", "web"), ("pod", "a")], &[("job", "web"), ("pod", "b")]];
        assert_eq!(names(&two_pods), ["pod=a", "pod=b"]);
        let two_metrics: [&[_]; 2] = [&[("__name__", "hits"), ("pod", "a")], &[("__name__", "misses")]];
        assert_eq!(names(&two_metrics), ["hits{pod=a}", "misses"]);
    }
}
