//! Signals from outside: any series that can be read, as steps.

use foresail_core::Signal;

use crate::{Error, ReadOptions, Source, read};

/// Reads signals as [`read`] does a series: a time column and a signal a column, by the same rules and with the same
/// errors. Values that are missing leave the one before them in force; times ahead of now are announcements.
///
/// # Errors
/// As [`read`].
pub fn read_signals(source: impl Into<Source>, options: &ReadOptions) -> Result<Vec<Signal>, Error> {
    let frame = read(source, options)?.frame;
    let signal = |column: &foresail_core::Column| {
        let values = (0..frame.len()).filter_map(|i| Some((frame.time(i), column.get(i)?)));
        // A value that says nothing new says it for nothing.
        let mut points: Vec<(_, f64)> = values.collect();
        points.dedup_by(|next, before| next.1.to_bits() == before.1.to_bits());
        Signal::new(column.name(), points)
    };
    Ok(frame.columns().iter().map(signal).collect())
}

#[cfg(test)]
mod tests {
    use foresail_core::Timestamp;

    use super::*;

    #[test]
    fn columns_become_signals_that_hold() {
        let text =
            "time,degrees,visits\n2026-03-01T00:00:00Z,5,\n2026-03-01T01:00:00Z,5,70\n2026-03-01T02:00:00Z,7,80\n";
        let signals = read_signals(Source::bytes("weather.csv", text), &ReadOptions::default()).unwrap();
        let at = |i: usize, time: &str| signals[i].at(Timestamp::parse(time).unwrap());
        assert_eq!((signals[0].name(), signals[0].points().len(), signals[1].points().len()), ("degrees", 2, 2));
        assert_eq!(at(0, "2026-02-28"), None);
        assert_eq!(at(0, "2026-03-01T01:30:00Z"), Some(5.0));
        assert_eq!(at(0, "2026-03-04"), Some(7.0));
        assert_eq!(at(1, "2026-03-01T00:30:00Z"), None);
        let broken = read_signals(
            Source::bytes("w.csv", "time,degrees\n2026-03-01,warm\n"),
            &ReadOptions { values: vec!["degrees".into()], ..ReadOptions::default() },
        );
        let message = broken.unwrap_err().to_string();
        assert!(message.starts_with("w.csv, line 2, column \"degrees\": \"warm\" is not a number"), "{message}");
    }
}
