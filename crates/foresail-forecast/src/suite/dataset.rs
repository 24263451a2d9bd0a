//! A data set: series that are forecast alike, and where.

use std::ops::Range;
use std::time::Duration;

use foresail_core::{Column, Frame};

use crate::Error;
use crate::registry::ModelOptions;

/// Share of a series that is forecast: one tenth.
const TESTED: usize = 10;
/// Windows of a series, at most.
const MOST_WINDOWS: usize = 20;

/// Series of one step that are forecast with one horizon.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    name: String,
    horizon: usize,
    season: usize,
    windows: usize,
    series: Vec<(String, Frame)>,
}

impl Dataset {
    /// Named series, each the history and what is forecast of it, with the target as what counts. `horizon` and `season`
    /// (that of the scaled error) are in rows. A tenth of the shortest series, rounded up to whole horizons, is forecast,
    /// in at most twenty windows.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if there is no series, or horizon or season are 0; [`Error::TooShort`] if a series has no
    /// row before its first window.
    pub fn new(
        name: impl Into<String>,
        series: Vec<(String, Frame)>,
        horizon: usize,
        season: usize,
    ) -> Result<Self, Error> {
        for (parameter, value) in [("series", series.len()), ("horizon", horizon), ("season", season)] {
            if value == 0 {
                return Err(Error::BadParameter { parameter, value: "0".into(), range: "1 or more" });
            }
        }
        let shortest = series.iter().map(|(_, frame)| frame.len()).min().unwrap_or(0);
        let windows = shortest.div_ceil(TESTED * horizon).clamp(1, MOST_WINDOWS);
        Self { name: name.into(), horizon, season, windows, series }.checked()
    }

    /// The columns of one frame, each as a series of its own.
    ///
    /// # Errors
    /// As [`Dataset::new`].
    pub fn of_columns(name: impl Into<String>, frame: &Frame, horizon: usize, season: usize) -> Result<Self, Error> {
        let alone = |column: &Column| {
            let frame = Frame::new(frame.start(), frame.step(), frame.zone().clone(), vec![column.clone()])
                .expect("a column of a frame is a frame");
            (column.name().to_owned(), frame)
        };
        Self::new(name, frame.columns().iter().map(alone).collect(), horizon, season)
    }

    /// The same set with another number of windows.
    ///
    /// # Errors
    /// As [`Dataset::new`].
    pub fn with_windows(mut self, windows: usize) -> Result<Self, Error> {
        self.windows = windows.max(1);
        self.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        let needed = self.windows * self.horizon + 1;
        match self.series.iter().map(|(_, frame)| frame.len()).find(|rows| *rows < needed) {
            Some(got) => Err(Error::TooShort { needed, got }),
            None => Ok(self),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Steps of a window.
    pub fn horizon(&self) -> usize {
        self.horizon
    }

    /// Rows of the season by which errors are scaled.
    pub fn season(&self) -> usize {
        self.season
    }

    /// Windows of each series.
    pub fn windows(&self) -> usize {
        self.windows
    }

    /// The series and their names.
    pub fn series(&self) -> &[(String, Frame)] {
        &self.series
    }

    /// Every window as `(series, window)`: by series, then the oldest first.
    pub fn places(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.series.len()).flat_map(|series| (0..self.windows).map(move |window| (series, window)))
    }

    /// The rows of a window; what precedes them is its history.
    pub fn rows(&self, series: usize, window: usize) -> Range<usize> {
        let start = self.series[series].1.len() - (self.windows - window) * self.horizon;
        start..start + self.horizon
    }

    /// What a model is told: the season of the set and, where they are others, a day and a week; and the horizon.
    pub fn model_options(&self) -> ModelOptions {
        let step = self.series[0].1.step();
        let day = Duration::from_secs(86_400);
        let mut seasons = vec![step * u32::try_from(self.season).unwrap_or(u32::MAX), day, 7 * day];
        seasons.retain(|season| *season > step);
        seasons.sort();
        seasons.dedup();
        ModelOptions { seasons, horizon: self.horizon, ..ModelOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rows: &[usize], horizon: usize) -> Result<Dataset, Error> {
        let frame = |rows: &usize| ("s".to_owned(), Frame::from_values((0..*rows).map(|i| i as f64)));
        Dataset::new("set", rows.iter().map(frame).collect(), horizon, 24)
    }

    #[test]
    fn windows_are_those_of_gift_eval() {
        // Rows of the shortest series and the horizon: 17,420 hours, 8,834 and 31,968 rows, 2,664 hours.
        for (rows, horizon, expected) in
            [(17_420, 48, 20), (8_834, 60, 15), (31_968, 48, 20), (2_664, 48, 6), (50, 48, 1)]
        {
            assert_eq!(set(&[rows, rows + 7], horizon).unwrap().windows(), expected, "{rows}");
        }
    }

    #[test]
    fn windows_end_with_each_series_and_do_not_overlap() {
        let set = set(&[200, 230], 10).unwrap();
        assert_eq!(set.rows(0, 0), 180..190);
        assert_eq!(set.rows(0, 1), 190..200);
        assert_eq!(set.rows(1, 1), 220..230);
        assert_eq!(set.places().collect::<Vec<_>>(), [(0, 0), (0, 1), (1, 0), (1, 1)]);
        assert_eq!(set.with_windows(1).unwrap().rows(0, 0), 190..200);
    }

    #[test]
    fn what_cannot_be_tested_is_refused() {
        assert_eq!(set(&[48], 48), Err(Error::TooShort { needed: 49, got: 48 }));
        assert!(set(&[], 48).is_err() && set(&[100], 0).is_err());
        assert!(set(&[100], 10).unwrap().with_windows(10).is_err());
    }

    #[test]
    fn a_model_is_told_each_season_once() {
        let seconds: Vec<u64> =
            set(&[100], 10).unwrap().model_options().seasons.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [24 * 60, 86_400, 604_800]);
    }
}
