//! A model on a data set.

use foresail_core::{Frame, Known, SeededRng};
use rayon::prelude::*;

use super::{Dataset, LEVELS, Predictions, Quantiles};
use crate::backtest::label;
use crate::guard::dependable;
use crate::models::GlobalForecaster;
use crate::{Error, Fitted, Forecast, Forecaster};

/// Forecasts every window of `dataset` with the model that `build` gives, guarded and calibrated as it would run. On each
/// series it is fitted on what precedes the first window, forecasts, takes in the rows of the window one by one, and is
/// fitted anew on all that precedes the next; so it may learn between windows from how its forecasts did, and never sees a
/// row of a window before it has been forecast. Series run in parallel; the result does not depend on threads. `progress`
/// is called after each window.
///
/// # Errors
/// What `build` refuses.
pub fn run(
    dataset: &Dataset,
    build: &(dyn Fn() -> Result<Box<dyn Forecaster>, Error> + Sync),
    seed: u64,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Predictions, Error> {
    let walks: Vec<usize> = (0..dataset.series().len()).collect();
    let predictions: Result<Vec<Predictions>, Error> = walks
        .into_par_iter()
        .map(|series| {
            let model = build()?;
            let rng = SeededRng::seed_from_u64(seed).fork(label(model.name())).fork(series as u64);
            Ok(walk(dataset, series, model, &rng, progress))
        })
        .collect();
    Ok(predictions?.into_iter().flatten().collect())
}

/// Forecasts every window of `dataset` with one model for all its series, as [`GlobalForecaster`] is: learned once, on what
/// precedes the first window of each, it then takes in the rows of a window after it has been forecast. Its quantiles are
/// its own. `progress` is called after each window.
///
/// # Errors
/// What [`GlobalForecaster::fit`] refuses.
pub fn run_global(dataset: &Dataset, seed: u64, progress: &dyn Fn(usize)) -> Result<Predictions, Error> {
    let known = Known::none();
    let before = |series: usize| dataset.series()[series].1.slice(0..dataset.rows(series, 0).start);
    let histories: Vec<Frame> = (0..dataset.series().len()).map(before).collect();
    let forecaster = GlobalForecaster::new(&dataset.model_options().seasons, dataset.horizon());
    let model = forecaster.fit(&histories, &mut SeededRng::seed_from_u64(seed))?;
    let mut predictions = Predictions::new();
    for (series, history) in histories.iter().enumerate() {
        let mut fitted = model.fitted(history)?;
        for window in 0..dataset.windows() {
            if window > 0 {
                take_in(fitted.as_mut(), &dataset.series()[series].1, dataset, series, window - 1);
            }
            predictions.push(deciles(&fitted.predict(dataset.horizon(), &known)));
            progress(1);
        }
    }
    Ok(predictions)
}

fn walk(
    dataset: &Dataset,
    series: usize,
    model: Box<dyn Forecaster>,
    rng: &SeededRng,
    progress: &(dyn Fn(usize) + Sync),
) -> Predictions {
    let frame = &dataset.series()[series].1;
    let known = Known::none();
    let model = dependable(model, dataset.horizon());
    let history = |window: usize| frame.slice(0..dataset.rows(series, window).start);
    let mut fitted =
        model.fit(&history(0), &known, &mut rng.fork(0)).expect("a guarded model answers whatever the history");
    let mut predictions = vec![deciles(&fitted.predict(dataset.horizon(), &known))];
    progress(1);
    for window in 1..dataset.windows() {
        take_in(fitted.as_mut(), frame, dataset, series, window - 1);
        let history = history(window);
        // A refusal leaves the model as it was, which has kept up row by row.
        let _ = model.refit(&mut fitted, &history, history.len(), &known, &mut rng.fork(window as u64));
        predictions.push(deciles(&fitted.predict(dataset.horizon(), &known)));
        progress(1);
    }
    predictions
}

fn take_in(fitted: &mut dyn Fitted, frame: &Frame, dataset: &Dataset, series: usize, window: usize) {
    dataset.rows(series, window).for_each(|row| fitted.update(&frame.row(row)));
}

fn deciles(forecast: &Forecast) -> Vec<Quantiles> {
    let by_level = LEVELS.map(|level| forecast.quantile(level));
    (0..forecast.horizon()).map(|step| std::array::from_fn(|level| by_level[level][step])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::build;

    fn set(rows: usize) -> Dataset {
        let wave = |phase: usize| {
            let mut rng = SeededRng::seed_from_u64(phase as u64);
            Frame::from_values((0..rows).map(move |i| 50.0 + ((i + phase) % 24) as f64 + rng.normal()))
        };
        let series = (0..3).map(|i| (format!("s{i}"), wave(7 * i))).collect();
        Dataset::new("waves", series, 8, 24).unwrap().with_windows(3).unwrap()
    }

    fn ensemble(set: &Dataset) -> Predictions {
        run(set, &|| build("ensemble", &set.model_options()), 5, &|_| {}).unwrap()
    }

    #[test]
    fn threads_change_nothing() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| ensemble(&set(300)))
        };
        assert_eq!(on(1), on(3));
    }

    /// The forecast of the first window must not move with the rows from the second on, nor that of the second.
    fn sees_nothing_ahead(forecast: impl Fn(&Dataset) -> Predictions) {
        let honest = set(300);
        let cut = honest.rows(0, 1).start;
        let spoil = |(name, frame): &(String, Frame)| {
            let values = frame.target().iter().enumerate().map(|(i, y)| if i < cut { *y } else { 1e4 });
            (name.clone(), Frame::from_values(values))
        };
        let spoilt = Dataset::new("waves", honest.series().iter().map(spoil).collect(), 8, 24).unwrap();
        let spoilt = spoilt.with_windows(3).unwrap();
        let (before, after) = (forecast(&honest), forecast(&spoilt));
        for ((_, window), (a, b)) in honest.places().zip(before.iter().zip(&after)) {
            assert_eq!(a == b, window < 2, "window {window}");
        }
    }

    #[test]
    fn nothing_is_seen_before_it_is_forecast() {
        sees_nothing_ahead(ensemble);
        sees_nothing_ahead(|set| run_global(set, 5, &|_| {}).unwrap());
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        let set = set(100);
        assert!(matches!(
            run(&set, &|| build("oracle", &set.model_options()), 0, &|_| {}),
            Err(Error::NoSuchModel { .. })
        ));
    }
}
