//! Passes over a window: forward for the forecasts, backward for the gradient.

use super::form::{Seasonal, Trend, Weights};
use super::recursion::{Gradient, Moving, Step, advance, seasonal, specialised};

/// What a window holds, row by row.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) values: &'a [f64],
    /// 1 where a row was observed, 0 where it was not.
    pub(super) seen: &'a [f64],
}

/// The recursion to follow.
#[derive(Clone, Copy)]
pub(super) struct Law<'a> {
    pub(super) trend: Trend,
    pub(super) seasonal: Seasonal,
    pub(super) weights: &'a Weights,
}

/// Goes over all rows from `moving` and `season` (the first row is at its place 0), which become those after the last row;
/// writes the forecast of each row into `fitted` and the steps into `steps`. All of one length.
pub(super) fn forward(
    law: Law<'_>,
    rows: Rows<'_>,
    moving: &mut Moving,
    season: &mut [f64],
    fitted: &mut [f64],
    steps: &mut [Step],
) {
    specialised!(law.trend, law.seasonal, run(law.weights, rows, moving, season, fitted, steps));
}

fn run<const T: u8, const S: u8>(
    weights: &Weights,
    rows: Rows<'_>,
    moving: &mut Moving,
    season: &mut [f64],
    fitted: &mut [f64],
    steps: &mut [Step],
) {
    let all = rows.values.iter().zip(rows.seen).zip(fitted.iter_mut().zip(steps.iter_mut()));
    let mut now = *moving;
    if S == seasonal::NONE {
        let mut none = 0.0;
        for ((value, seen), (fitted, step)) in all {
            (*fitted, *step) = advance::<T, S>(weights, &mut now, &mut none, *value, *seen);
        }
    } else {
        let length = season.len().max(1);
        let cycles = rows.values.chunks(length).zip(rows.seen.chunks(length));
        for ((values, seen), (fitted, steps)) in cycles.zip(fitted.chunks_mut(length).zip(steps.chunks_mut(length))) {
            let both = values.iter().zip(seen).zip(season.iter_mut());
            for (((value, seen), effect), (fitted, step)) in both.zip(fitted.iter_mut().zip(steps)) {
                (*fitted, *step) = advance::<T, S>(weights, &mut now, effect, *value, *seen);
            }
        }
    }
    *moving = now;
}

/// Goes back over the steps of a [`forward`] pass. `on_fitted` says how an objective changes with each row's forecast; given
/// back and put into `on_season` is how it changes with the weights and with where the pass began.
pub(super) fn backward(
    law: Law<'_>,
    seen: &[f64],
    steps: &[Step],
    on_fitted: &[f64],
    on_season: &mut [f64],
) -> Gradient {
    specialised!(law.trend, law.seasonal, rerun(law.weights, seen, steps, on_fitted, on_season))
}

fn rerun<const T: u8, const S: u8>(
    weights: &Weights,
    seen: &[f64],
    steps: &[Step],
    on_fitted: &[f64],
    on_season: &mut [f64],
) -> Gradient {
    let mut gradient = Gradient::default();
    if S == seasonal::NONE {
        let mut none = 0.0;
        for ((step, seen), on_forecast) in steps.iter().zip(seen).zip(on_fitted).rev() {
            gradient.back::<T, S>(weights, step, *seen, *on_forecast, &mut none);
        }
        return gradient;
    }
    on_season.fill(0.0);
    let length = on_season.len().max(1);
    for ((steps, seen), on_fitted) in steps.chunks(length).zip(seen.chunks(length)).zip(on_fitted.chunks(length)).rev()
    {
        let all = steps.iter().zip(seen).zip(on_fitted.iter().zip(on_season.iter_mut()));
        for ((step, seen), (on_forecast, on_effect)) in all.rev() {
            gradient.back::<T, S>(weights, step, *seen, *on_forecast, on_effect);
        }
    }
    gradient
}
