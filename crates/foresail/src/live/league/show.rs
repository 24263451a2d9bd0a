//! What is shown of the league.

use foresail_forecast::Forecast;
use foresail_server::api::plane::{ForecastView, ModelView};

use super::player::Player;

/// Levels that are shown.
const LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// What is shown of a forecast, its intervals `wider` times as wide; none reaches below 0 that did not before.
pub(super) fn forecast(forecast: &Forecast, model: &str, wider: f64) -> ForecastView {
    let medians = forecast.quantile(0.5);
    let widened = |level: f64| {
        let of = forecast.quantile(level).into_iter().zip(&medians);
        of.map(|(value, median)| (median + wider * (value - median)).max(value.min(0.0))).collect()
    };
    ForecastView {
        start: forecast.start,
        step: forecast.step,
        model: model.to_owned(),
        mean: forecast.mean.clone(),
        levels: LEVELS.to_vec(),
        quantiles: LEVELS.iter().map(|level| widened(*level)).collect(),
    }
}

/// Every model, best first.
pub(super) fn models(players: &[Player], champion: usize, naive: &str) -> Vec<ModelView> {
    let naive = players.iter().find(|p| p.name == naive).map(|p| p.mae);
    let view = |(index, p): (usize, &Player)| ModelView {
        name: p.name.to_owned(),
        is_champion: index == champion,
        weight: None,
        mae: (p.scored > 0).then_some(p.mae),
        skill: naive.filter(|n| *n > 0.0 && p.scored > 0).map(|n| p.mae / n),
        coverage: (p.scored > 0).then_some(p.coverage),
        scored: p.scored,
        fit_s: p.fit_s,
        fitted: p.fitted_at,
        errors: p.errors.iter().copied().collect(),
        coverages: p.coverages.iter().copied().collect(),
    };
    let mut models: Vec<ModelView> = players.iter().enumerate().map(view).collect();
    let error = |m: &ModelView| m.mae.unwrap_or(f64::INFINITY);
    models.sort_by(|a, b| error(a).total_cmp(&error(b)));
    models
}
