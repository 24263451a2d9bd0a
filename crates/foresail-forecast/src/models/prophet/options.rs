//! The parameters of the model, with Prophet's defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;

/// How the trend runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Growth {
    /// A line whose slope changes at the changepoints.
    #[default]
    Linear,
    /// A logistic curve between `floor` and `cap` whose rate changes at the changepoints.
    Logistic {
        /// The value that saturates it, in the unit of the series; above `floor`.
        cap: f64,
        /// The value it starts from.
        #[serde(default)]
        floor: f64,
    },
    /// A constant.
    Flat,
}

/// How a component joins the trend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Added to it.
    #[default]
    Additive,
    /// As a share of it.
    Multiplicative,
}

/// Whether one of the usual seasons is used, and with how many Fourier terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Terms {
    /// Prophet's rule: with the usual number of terms where the history holds the season twice (two years, two weeks,
    /// two days) at a step shorter than it; else not.
    #[default]
    Auto,
    /// Not used.
    Off,
    /// Used, with so many terms (at least 1).
    Of(usize),
}

/// What a season runs along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cycle {
    /// Local time, with this period.
    Period(Duration),
    /// The calendar month, from its first day to its last, whatever its length.
    Month,
}

/// A season beside the usual ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seasonality {
    /// What it runs along.
    pub cycle: Cycle,
    /// Fourier terms, at least 1.
    pub terms: usize,
    /// Prior scale; the model's `seasonality_prior_scale` unless said.
    #[serde(default)]
    pub prior_scale: Option<f64>,
    /// The model's `mode` unless said.
    #[serde(default)]
    pub mode: Option<Mode>,
}

/// A column of the history beside the target. Its future is a signal of the same name in
/// [`Known`](foresail_core::Known), and where there is none the value last seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regressor {
    /// Its name.
    pub column: String,
    /// Prior scale; the model's `holidays_prior_scale` unless said, as in Prophet.
    #[serde(default)]
    pub prior_scale: Option<f64>,
    /// Whether it is standardised; unless said, where it is not made of zeros and ones alone.
    #[serde(default)]
    pub standardise: Option<bool>,
    /// The model's `mode` unless said.
    #[serde(default)]
    pub mode: Option<Mode>,
}

impl Regressor {
    /// The column of that name, with the priors of the model.
    pub fn of(column: &str) -> Self {
        Self { column: column.to_owned(), prior_scale: None, standardise: None, mode: None }
    }
}

/// Days around a holiday that have effects of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    /// Days before it, at most 31.
    pub before: u32,
    /// Days after it, at most 31.
    pub after: u32,
}

/// A day of every month with an effect of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MonthDay {
    /// Counted from the start, 1 to 31; months that do not reach it are without.
    FromStart(u8),
    /// Counted from the end: 1 is the last day, up to 31.
    FromEnd(u8),
    /// This day, or the month's last where it is shorter, moved to the Friday before where it falls on a weekend: 31 is
    /// the last weekday of the month.
    Payday(u8),
}

/// Parameters of [`Prophet`](super::Prophet). The defaults are those of the original.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProphetOptions {
    /// How the trend runs.
    pub growth: Growth,
    /// Changepoints, spread evenly over the observed rows of the first [`changepoint_range`](Self::changepoint_range);
    /// fewer where the history is short.
    pub changepoints: usize,
    /// Share of the history that may hold changepoints, above 0 and at most 1.
    pub changepoint_range: f64,
    /// Changepoints at these times instead; those outside of the history are left out. Deployments that are known are
    /// changepoints in any case, the last 50 of them.
    pub changepoints_at: Vec<Timestamp>,
    /// Scale of the Laplace prior on changes of the slope (or rate), which is over the whole history, in units of the
    /// largest value.
    pub changepoint_prior_scale: f64,
    /// How seasons, holidays and regressors join the trend unless they say.
    pub mode: Mode,
    /// The same for holidays.
    pub holidays_mode: Option<Mode>,
    /// Scale of the normal prior on Fourier coefficients.
    pub seasonality_prior_scale: f64,
    /// Scale of the normal prior on effects of holidays, days of the month and regressors.
    pub holidays_prior_scale: f64,
    /// The season of 365.25 days; 10 terms.
    pub yearly: Terms,
    /// The season of a week; 3 terms.
    pub weekly: Terms,
    /// The season of a day; 4 terms.
    pub daily: Terms,
    /// Seasons beside these.
    pub seasonalities: Vec<Seasonality>,
    /// Days of the month with effects of their own.
    pub month_days: Vec<MonthDay>,
    /// Days around a holiday with effects of their own.
    pub holiday_window: Window,
    /// The same for some holidays, by name.
    pub holiday_windows: BTreeMap<String, Window>,
    /// Columns that explain the target.
    pub regressors: Vec<Regressor>,
    /// Simulated futures that quantiles are taken from; 0 for point forecasts alone. Prophet simulates 1000.
    pub samples: usize,
}

impl Default for ProphetOptions {
    fn default() -> Self {
        Self {
            growth: Growth::Linear,
            changepoints: 25,
            changepoint_range: 0.8,
            changepoints_at: Vec::new(),
            changepoint_prior_scale: 0.05,
            mode: Mode::Additive,
            holidays_mode: None,
            seasonality_prior_scale: 10.0,
            holidays_prior_scale: 10.0,
            yearly: Terms::Auto,
            weekly: Terms::Auto,
            daily: Terms::Auto,
            seasonalities: Vec::new(),
            month_days: Vec::new(),
            holiday_window: Window::default(),
            holiday_windows: BTreeMap::new(),
            regressors: Vec::new(),
            samples: 1000,
        }
    }
}

/// Most of anything that makes a column.
const MOST: usize = 200;

impl ProphetOptions {
    /// # Errors
    /// [`Error::BadParameter`].
    pub(super) fn check(&self) -> Result<(), Error> {
        let above_zero = |v: f64| v > 0.0 && v.is_finite();
        let number = |parameter, value: f64, accepted: bool, range| {
            if accepted { Ok(()) } else { Err(Error::BadParameter { parameter, value: value.to_string(), range }) }
        };
        let scale = |parameter, value: f64| number(parameter, value, above_zero(value), "above zero");
        let count = |parameter, value: usize, least: usize| {
            number(parameter, value as f64, (least..=MOST).contains(&value), "a small number, at most 200")
        };
        scale("changepoint_prior_scale", self.changepoint_prior_scale)?;
        scale("seasonality_prior_scale", self.seasonality_prior_scale)?;
        scale("holidays_prior_scale", self.holidays_prior_scale)?;
        let range = self.changepoint_range;
        number("changepoint_range", range, range > 0.0 && range <= 1.0, "above 0 and at most 1")?;
        count("changepoints", self.changepoints.max(self.changepoints_at.len()), 0)?;
        for terms in [self.yearly, self.weekly, self.daily] {
            count("terms of a season", if let Terms::Of(terms) = terms { terms } else { 1 }, 1)?;
        }
        for season in &self.seasonalities {
            count("terms of a season", season.terms, 1)?;
            scale("prior_scale of a season", season.prior_scale.unwrap_or(1.0))?;
            if let Cycle::Period(period) = season.cycle {
                number("period of a season", period.as_secs_f64(), period.as_micros() > 0, "above zero")?;
            }
        }
        for regressor in &self.regressors {
            scale("prior_scale of a regressor", regressor.prior_scale.unwrap_or(1.0))?;
        }
        for window in [&self.holiday_window].into_iter().chain(self.holiday_windows.values()) {
            let widest = window.before.max(window.after);
            number("window of a holiday", f64::from(widest), widest <= 31, "at most 31 days on either side")?;
        }
        for day in &self.month_days {
            let (MonthDay::FromStart(day) | MonthDay::FromEnd(day) | MonthDay::Payday(day)) = day;
            number("day of the month", f64::from(*day), (1..=31).contains(day), "1 to 31")?;
        }
        if let Growth::Logistic { cap, floor } = self.growth {
            number("cap", cap, cap.is_finite() && floor.is_finite() && cap > floor, "a number above the floor")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: &ProphetOptions, expected: &str) {
        assert_eq!(options.check().unwrap_err().to_string(), expected);
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        let usual = ProphetOptions::default;
        assert_eq!(usual().check(), Ok(()));
        check(
            &ProphetOptions { changepoint_prior_scale: 0.0, ..usual() },
            "changepoint_prior_scale is 0, accepted is above zero",
        );
        check(
            &ProphetOptions { changepoint_range: 1.5, ..usual() },
            "changepoint_range is 1.5, accepted is above 0 and at most 1",
        );
        check(
            &ProphetOptions { weekly: Terms::Of(0), ..usual() },
            "terms of a season is 0, accepted is a small number, at most 200",
        );
        check(
            &ProphetOptions { growth: Growth::Logistic { cap: 1.0, floor: 2.0 }, ..usual() },
            "cap is 1, accepted is a number above the floor",
        );
        check(
            &ProphetOptions { month_days: vec![MonthDay::Payday(0)], ..usual() },
            "day of the month is 0, accepted is 1 to 31",
        );
    }

    #[test]
    fn options_are_read_from_text_with_the_rest_as_usual() {
        let text = r#"{"growth": {"logistic": {"cap": 8.0}}, "mode": "multiplicative", "weekly": {"of": 5},
            "seasonalities": [{"cycle": "month", "terms": 4}], "month_days": [{"from_end": 1}, {"payday": 25}]}"#;
        let read: ProphetOptions = serde_json::from_str(text).unwrap();
        let expected = ProphetOptions {
            growth: Growth::Logistic { cap: 8.0, floor: 0.0 },
            mode: Mode::Multiplicative,
            weekly: Terms::Of(5),
            seasonalities: vec![Seasonality { cycle: Cycle::Month, terms: 4, prior_scale: None, mode: None }],
            month_days: vec![MonthDay::FromEnd(1), MonthDay::Payday(25)],
            ..ProphetOptions::default()
        };
        assert_eq!(read, expected);
        assert!(serde_json::from_str::<ProphetOptions>(r#"{"weekley": "off"}"#).is_err());
    }
}
