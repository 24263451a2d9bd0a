//! From a history to a problem: which regressors there are, in which units, and where the search begins.

use std::time::Duration;

use foresail_core::{Frame, Known, TimeZone};

use super::basis::{Basis, CONSTANT, HolidayColumn, Mark, Scaled, TIME, Wave};
use super::options::{Cycle, Growth, Mode, ProphetOptions, Seasonality, Terms, Window};
use super::posterior::Priors;
use super::shape::{Shape, Trend};
use super::wall::{DAY_US, Wall};
use crate::Error;

const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// Deployments that are changepoints at most, the last ones.
const DEPLOYS: usize = 50;
/// Days after the history whose holidays are kept for later rows.
const FORESEEN_DAYS: i64 = 400;
const YEAR: Duration = Duration::from_secs(31_557_600);

/// A history made into a problem.
pub(super) struct Design {
    pub(super) basis: Basis,
    pub(super) shape: Shape,
    pub(super) priors: Priors,
    /// Values are reckoned as (value − floor) / scale.
    pub(super) scale: f64,
    pub(super) floor: f64,
    pub(super) marks: Vec<Mark>,
    /// Observed rows, and their local times.
    pub(super) rows: Vec<usize>,
    pub(super) local_us: Vec<i64>,
}

impl Design {
    pub(super) fn new(options: &ProphetOptions, history: &Frame, known: &Known) -> Result<Self, Error> {
        let rows: Vec<usize> = (0..history.len()).filter(|i| history.target_mask()[*i]).collect();
        let [first, .., last] = rows[..] else {
            return Err(Error::TooShort { needed: 2, got: rows.len() });
        };
        let (start, end) = (history.time(first), history.time(last));
        let mut wall = Wall::new(history.zone());
        let local_us: Vec<i64> = rows.iter().map(|i| wall.local_us(history.time(*i))).collect();

        let mut scales = vec![1.0; CONSTANT + 1];
        let mut shares = vec![false; CONSTANT + 1];
        let mut column = |scale: f64, mode: Mode| {
            scales.push(scale);
            shares.push(mode == Mode::Multiplicative);
        };
        let seasons = seasons(options, end.since(start), history.step());
        for season in &seasons {
            for _ in 0..2 * season.terms {
                let scale = season.prior_scale.unwrap_or(options.seasonality_prior_scale);
                column(scale, season.mode.unwrap_or(options.mode));
            }
        }
        let mut scaled = Vec::new();
        for regressor in &options.regressors {
            scaled.push(scaling(history, &rows, &regressor.column, regressor.standardise)?);
            let scale = regressor.prior_scale.unwrap_or(options.holidays_prior_scale);
            column(scale, regressor.mode.unwrap_or(options.mode));
        }
        let mut basis = Basis {
            start_us: start.as_micros(),
            span_us: end.since(start).as_micros() as f64,
            waves: seasons.iter().map(|s| Wave { cycle: s.cycle, terms: s.terms }).collect(),
            scaled,
            changepoints: Vec::new(),
            holidays: Vec::new(),
            month_days: options.month_days.clone(),
        };
        basis.changepoints = changepoints(options, history, &rows, &basis, known);
        basis.changepoints.iter().for_each(|_| column(1.0, Mode::Additive));
        // Rows to come are to know their holidays too.
        let seen = (local_us[0], local_us[local_us.len() - 1] + FORESEEN_DAYS * DAY_US);
        let announced = announced(options, known, history.zone(), seen);
        let is_seen = |day: i64| {
            let first = local_us.partition_point(|local| local.div_euclid(DAY_US) < day);
            local_us.get(first).is_some_and(|local| local.div_euclid(DAY_US) == day)
        };
        basis.holidays = announced.iter().filter(|(day, _)| is_seen(*day)).map(|(_, column)| column.clone()).collect();
        basis.holidays.sort();
        basis.holidays.dedup();
        let mode = options.holidays_mode.unwrap_or(options.mode);
        for _ in 0..basis.holidays.len() + basis.month_days.len() {
            column(options.holidays_prior_scale, mode);
        }

        let floor = if let Growth::Logistic { floor, .. } = options.growth { floor } else { 0.0 };
        let largest = rows.iter().fold(0.0, |most: f64, i| most.max((history.target()[*i] - floor).abs()));
        let scale = if largest == 0.0 { 1.0 } else { largest.min(f64::MAX) };
        let trend = match options.growth {
            Growth::Linear => Trend::Linear,
            Growth::Logistic { cap, floor } => Trend::Logistic { cap: (cap - floor) / scale },
            Growth::Flat => Trend::Flat,
        };
        if let Trend::Logistic { cap } = trend
            && !(cap > 0.0 && cap.is_finite())
        {
            let range = "of the order of the values";
            return Err(Error::BadParameter { parameter: "cap", value: format!("{:?}", options.growth), range });
        }
        let shape = Shape { trend, changes: basis.changes(), multiplicative: shares };
        let priors = Priors::new(scales, options.changepoint_prior_scale);
        let marks = marks(&basis, &announced);
        Ok(Self { basis, shape, priors, scale, floor, marks, rows, local_us })
    }

    /// The `i`-th observed value, in the units of the model.
    pub(super) fn value(&self, history: &Frame, i: usize) -> f64 {
        (history.target()[self.rows[i]] - self.floor) / self.scale
    }

    /// Whether the values are one but for rounding, and nothing but the trend is to say so.
    pub(super) fn is_constant(&self, history: &Frame) -> bool {
        let first = self.value(history, 0);
        let same = (0..self.rows.len()).all(|i| (self.value(history, i) - first).abs() <= 1e-9);
        same && !matches!(self.shape.trend, Trend::Logistic { .. })
    }

    /// Parameters that put the trend through the first and the last value, as Prophet starts.
    pub(super) fn start(&self, history: &Frame) -> Vec<f64> {
        let mut theta = vec![0.0; self.basis.size()];
        let (first, last) = (self.value(history, 0), self.value(history, self.rows.len() - 1));
        match self.shape.trend {
            Trend::Linear => (theta[TIME], theta[CONSTANT]) = (last - first, first),
            Trend::Logistic { cap } => {
                let logit = |value: f64| (cap / value.clamp(0.01 * cap, 0.99 * cap) - 1.0).ln();
                let ratio = |value: f64| cap / value.clamp(0.01 * cap, 0.99 * cap);
                let (from, to) = if (ratio(first) - ratio(last)).abs() <= 0.01 {
                    ((1.05 * ratio(first) - 1.0).ln(), logit(last))
                } else {
                    (logit(first), logit(last))
                };
                (theta[TIME], theta[CONSTANT]) = (from - to, from / (from - to));
            }
            Trend::Flat => {
                let mean = |i: usize| self.value(history, i) / self.rows.len() as f64;
                theta[CONSTANT] = (0..self.rows.len()).map(mean).sum();
            }
        }
        theta
    }
}

/// The seasons used, by Prophet's rules.
fn seasons(options: &ProphetOptions, span: Duration, step: Duration) -> Vec<Seasonality> {
    let mut seasons = options.seasonalities.clone();
    let usual =
        [(options.yearly, YEAR, 10, 730 * DAY), (options.weekly, WEEK, 3, 2 * WEEK), (options.daily, DAY, 4, 2 * DAY)];
    for (wanted, period, terms, needed) in usual {
        let cycle = Cycle::Period(period);
        let is_told = options.seasonalities.iter().any(|season| season.cycle == cycle);
        // A year needs no finer step: nothing coarser is kept.
        let can_show = span >= needed && (step < period || period == YEAR);
        let terms = match wanted {
            Terms::Auto if can_show && !is_told => terms,
            Terms::Of(terms) => terms,
            Terms::Auto | Terms::Off => continue,
        };
        seasons.push(Seasonality { cycle, terms, prior_scale: None, mode: None });
    }
    seasons
}

fn scaling(history: &Frame, rows: &[usize], name: &str, standardise: Option<bool>) -> Result<Scaled, Error> {
    let column = history.columns().iter().position(|c| c.name() == name).filter(|at| *at != history.target_index());
    let column = column.ok_or_else(|| Error::BadParameter {
        parameter: "regressor",
        value: format!("{name:?}"),
        range: "a column of the history beside the target",
    })?;
    let values = history.columns()[column].values();
    let count = rows.len() as f64;
    let mean = rows.iter().map(|i| values[*i] / count).sum::<f64>();
    let deviation = rows.iter().map(|i| (values[*i] - mean).powi(2) / (count - 1.0)).sum::<f64>().sqrt();
    let is_flag = rows.iter().all(|i| values[*i] == 0.0 || values[*i] == 1.0);
    let scaled = standardise.unwrap_or(!is_flag) && deviation > 0.0 && deviation.is_finite() && mean.is_finite();
    let (mean, deviation) = if scaled { (mean, deviation) } else { (0.0, 1.0) };
    Ok(Scaled { name: name.to_owned(), column, mean, deviation })
}

/// Where the trend may change, in units of time.
fn changepoints(options: &ProphetOptions, history: &Frame, rows: &[usize], basis: &Basis, known: &Known) -> Vec<f64> {
    if options.growth == Growth::Flat {
        return Vec::new();
    }
    let mut times: Vec<f64> = if options.changepoints_at.is_empty() {
        let eligible = (rows.len() as f64 * options.changepoint_range).floor() as usize;
        let count = options.changepoints.min(eligible.saturating_sub(1));
        // numpy's linspace and its rounding of halves to even.
        let gap = eligible.saturating_sub(1) as f64 / count.max(1) as f64;
        (1..=count)
            .map(|i| (gap * i as f64).round_ties_even() as usize)
            .map(|place| basis.unit_time(history.time(rows[place.min(rows.len() - 1)])))
            .collect()
    } else {
        options.changepoints_at.iter().map(|time| basis.unit_time(*time)).collect()
    };
    // After the last eligible row too little is seen of a new slope.
    let mut deploys: Vec<f64> = known.deploys.iter().map(|deploy| basis.unit_time(deploy.at)).collect();
    deploys.retain(|t| (0.0..=options.changepoint_range).contains(t));
    deploys.sort_by(f64::total_cmp);
    times.extend(&deploys[deploys.len().saturating_sub(DEPLOYS)..]);
    times.retain(|t| (0.0..=1.0).contains(t));
    times.sort_by(f64::total_cmp);
    times.dedup();
    times
}

/// Days near `seen` (local microseconds) on which a holiday's column holds.
pub(super) fn announced(
    options: &ProphetOptions,
    known: &Known,
    zone: &TimeZone,
    seen: (i64, i64),
) -> Vec<(i64, HolidayColumn)> {
    let near = |window: Window, day: i64| {
        day + i64::from(window.after) >= seen.0.div_euclid(DAY_US)
            && day - i64::from(window.before) <= seen.1.div_euclid(DAY_US)
    };
    let mut days = Vec::new();
    let mut wall = Wall::new(zone);
    for holiday in &known.holidays {
        let window = *options.holiday_windows.get(&holiday.name).unwrap_or(&options.holiday_window);
        let day = wall.local_us(holiday.day).div_euclid(DAY_US);
        if near(window, day) {
            for offset in -i64::from(window.before)..=i64::from(window.after) {
                days.push((day + offset, HolidayColumn { name: holiday.name.clone(), offset }));
            }
        }
    }
    days
}

/// The places of `announced` days among the columns of `basis`, in order; those without one are left out.
pub(super) fn marks(basis: &Basis, announced: &[(i64, HolidayColumn)]) -> Vec<Mark> {
    let place = |(day, column): &(i64, HolidayColumn)| Some((*day, basis.holidays.binary_search(column).ok()?));
    let mut marks: Vec<Mark> = announced.iter().filter_map(place).collect();
    marks.sort_unstable();
    marks
}

/// The row's values of the model's columns, in its units; where there is none, what was `held`.
pub(super) fn scaled_values(basis: &Basis, held: &mut [f64], value: impl Fn(&Scaled) -> Option<f64>) {
    for (held, scaled) in held.iter_mut().zip(&basis.scaled) {
        if let Some(value) = value(scaled) {
            *held = (value - scaled.mean) / scaled.deviation;
        }
    }
}
