//! Against statsforecast 2.1.1: `tests/golden/ets.py` wrote the values.

use foresail_core::{Frame, Known, SeededRng};
use serde::Deserialize;

use super::super::smoothing::{Moving, Smoothing, Start, deviance_at};
use super::spread::variances;
use super::*;

#[derive(Deserialize)]
struct Golden {
    replay: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    name: String,
    season_rows: usize,
    values: Vec<f64>,
    forms: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    form: String,
    /// Weights of level, slope, season and the damping, then level, slope and effects, the latest first.
    par: Vec<Option<f64>>,
    log_likelihood: f64,
    aicc: f64,
    sigma2: f64,
    mean: Vec<f64>,
    /// Half the width of the 95 % interval, where theirs is in closed form.
    half: Option<Vec<f64>>,
}

impl Reference {
    fn form(&self) -> Form {
        Pattern::read(&self.form).unwrap().forms()[0]
    }

    fn weights(&self) -> Weights {
        let at = |i: usize, none: f64| self.par[i].unwrap_or(none);
        let form = self.form();
        let phi = if form.trend.is_damped() { at(3, 1.0) } else { 1.0 };
        Weights { alpha: at(0, 0.5), beta: at(1, 0.0), gamma: at(2, 0.0), phi }
    }

    fn start(&self) -> Start {
        let mut states = self.par[4..].iter().map(|state| state.unwrap());
        let level = states.next().unwrap();
        let slope = if self.form().trend == Trend::None { 0.0 } else { states.next().unwrap() };
        let mut season: Vec<f64> = states.collect();
        season.reverse();
        Start { moving: Moving { level, slope }, season }
    }
}

fn golden() -> Vec<Series> {
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/golden/ets.json")).unwrap();
    golden.replay
}

/// Theirs with a damped trend adds `φ` twice to what the slope comes to (as `forecast::ets` does), so that every forecast but
/// the first is off by a share of the slope: `l + (φ + φ + φ² + … ) b`. Ours taken to that.
fn as_theirs(smoothing: &Smoothing, ahead: usize, slot: usize) -> f64 {
    let phi = smoothing.weights.phi;
    let sum: f64 = phi + (1..=ahead as i32).map(|i| phi.powi(i)).sum::<f64>();
    let level = match smoothing.form.trend {
        Trend::MultiplicativeDamped => smoothing.level * smoothing.slope.powf(sum),
        _ => smoothing.level + sum * smoothing.slope,
    };
    let effect = smoothing.season.get((slot + ahead) % smoothing.season_rows()).copied().unwrap_or(0.0);
    match smoothing.form.seasonal {
        Seasonal::None => level,
        Seasonal::Additive => level + effect,
        Seasonal::Multiplicative => level * effect,
    }
}

#[test]
fn their_parameters_give_their_likelihood_forecasts_and_intervals() {
    for series in golden() {
        let mask = vec![true; series.values.len()];
        for reference in &series.forms {
            let label = format!("{} {}", series.name, reference.form);
            let form = reference.form();
            let end_slot = series.values.len() % series.season_rows;
            let window = Window::over(series.values.clone(), &mask, 1.0, series.season_rows, end_slot);
            let (deviance, smoothing) =
                deviance_at(&window, form, &reference.weights(), &reference.start(), &mut Workspace::default());
            let off = (-0.5 * deviance - reference.log_likelihood).abs();
            assert!(off < 1e-6 * reference.log_likelihood.abs(), "{label}: {deviance} {}", reference.log_likelihood);

            let mean = smoothing.ahead(end_slot, reference.mean.len());
            for (ahead, (got, expected)) in mean.iter().zip(&reference.mean).enumerate() {
                let got = if form.trend.is_damped() { as_theirs(&smoothing, ahead, end_slot) } else { *got };
                assert!((got / expected - 1.0).abs() < 1e-6, "{label} {ahead}: {got} {expected}");
            }

            let Some(half) = &reference.half else { continue };
            // Their closed form takes the forecast that their damping gives: only the first is ours too.
            let compared = if form.noise == Noise::Multiplicative && form.trend.is_damped() { 1 } else { half.len() };
            let variances = variances(&smoothing, reference.sigma2, &mean, end_slot).unwrap();
            for (ahead, (variance, half)) in variances.iter().zip(half).take(compared).enumerate() {
                let got = normal_quantile(0.975) * variance.sqrt();
                assert!((got / half - 1.0).abs() < 1e-4, "{label} {ahead}: {got} {half}");
            }
        }
    }
}

/// From the series to the forecast, each side with its own search: ours never ends at a smaller likelihood.
#[test]
fn our_search_ends_no_lower_than_theirs() {
    for series in golden() {
        let history = Frame::from_values(series.values.iter().copied());
        let seasons = [Duration::from_secs(60 * series.season_rows as u64)];
        for reference in &series.forms {
            let label = format!("{} {}", series.name, reference.form);
            let model = Ets::of(&reference.form, &seasons).unwrap();
            let found = &model.compare(&history).unwrap()[0];
            let short = reference.log_likelihood - found.log_likelihood;
            assert!(short < 1e-3 * reference.log_likelihood.abs(), "{label}: {found:?} {}", reference.log_likelihood);
            let penalties = |aicc: f64, likelihood: f64| aicc + 2.0 * likelihood;
            let ours = penalties(found.aicc, found.log_likelihood);
            assert!((ours - penalties(reference.aicc, reference.log_likelihood)).abs() < 1e-6, "{label}: {found:?}");
            if short.abs() < 1e-2 && !reference.form().trend.is_damped() {
                let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
                let mean = fitted.predict(reference.mean.len(), &Known::none()).mean;
                for (got, expected) in mean.iter().zip(&reference.mean) {
                    assert!((got / expected - 1.0).abs() < 0.01, "{label}: {got} {expected}");
                }
            }
        }
    }
}
