//! How far actuals may lie from a forecast: in closed form where there is one, else by simulation (Hyndman, Koehler, Ord &
//! Snyder, *Forecasting with Exponential Smoothing: the State Space Approach*, 2008, chapter 6).

use foresail_core::SeededRng;

use super::super::smoothing::{Form, Noise, Seasonal, Smoothing, Trend};

/// Paths simulated where there is no closed form.
const PATHS: usize = 2000;

/// Variance of the forecasts `mean`, the first at `slot` of the season; `variance` is that of one-step errors (of relative
/// ones if noise is multiplicative). None where there is no closed form: with additive noise beside factors, and where the
/// level grows by one.
///
/// Exact but for a season of factors beyond its first round, where what an error does to level and season at once is taken
/// to first order, as if they were added.
pub(super) fn variances(smoothing: &Smoothing, variance: f64, mean: &[f64], slot: usize) -> Option<Vec<f64>> {
    let Form { noise, trend, seasonal } = smoothing.form;
    let factors = seasonal == Seasonal::Multiplicative;
    if trend.is_multiplicative() || (noise == Noise::Additive && factors) {
        return None;
    }
    let shares = shares(smoothing, mean.len());
    if noise == Noise::Additive {
        // What an error adds to later rows stays of its size: v_h = σ² (1 + Σ_{j<h} c_j²).
        let mut sum = 1.0;
        return Some(
            (0..mean.len())
                .map(|ahead| {
                    sum += if ahead > 0 { shares[ahead - 1] * shares[ahead - 1] } else { 0.0 };
                    variance * sum
                })
                .collect(),
        );
    }
    let rows = smoothing.season_rows();
    let factor = |ahead: usize| if factors { smoothing.season[(slot + ahead) % rows] } else { 1.0 };
    // θ_h = μ_h² + σ² Σ_{j<h} c_j² θ_{h-j} and v_h = (1 + σ²) θ_h - μ_h², of the forecast without its factor.
    let mut second: Vec<f64> = Vec::with_capacity(mean.len());
    let mut result = Vec::with_capacity(mean.len());
    for (ahead, mean) in mean.iter().enumerate() {
        let bare = mean / factor(ahead);
        let carried: f64 = shares[..ahead].iter().zip(second.iter().rev()).map(|(c, theta)| c * c * theta).sum();
        let theta = bare * bare + variance * carried;
        second.push(theta);
        let around = theta * (1.0 + variance) - bare * bare;
        result.push(around * factor(ahead).powi(2));
    }
    Some(result)
}

/// What share of an error is in the forecast `j` rows later, for `j` from 1: `α + β (φ + … + φ^j)`, and `γ` more at
/// whole seasons.
fn shares(smoothing: &Smoothing, horizon: usize) -> Vec<f64> {
    let weights = smoothing.weights;
    let rows = smoothing.season_rows();
    let (mut power, mut sum) = (1.0, 0.0);
    (1..=horizon)
        .map(|j| {
            if smoothing.form.trend != Trend::None {
                power *= weights.phi;
                sum += power;
            }
            let is_round = smoothing.form.seasonal != Seasonal::None && j % rows == 0;
            weights.alpha + weights.beta * sum + if is_round { weights.gamma } else { 0.0 }
        })
        .collect()
}

/// Quantiles of simulated paths: `horizon × levels`, in the unit of the state. Errors are normal with `variance`.
pub(super) fn simulated(
    smoothing: &Smoothing,
    variance: f64,
    slot: usize,
    horizon: usize,
    levels: &[f64],
    rng: &mut SeededRng,
) -> Vec<Vec<f64>> {
    let rows = smoothing.season_rows();
    let deviation = variance.sqrt();
    let mut values = vec![Vec::with_capacity(PATHS); horizon];
    let mut path = smoothing.clone();
    for _ in 0..PATHS {
        path.clone_from(smoothing);
        for (ahead, values) in values.iter_mut().enumerate() {
            let place = (slot + ahead) % rows;
            let expected = path.ahead(place, 1)[0];
            let error = deviation * rng.normal();
            let value = match smoothing.form.noise {
                Noise::Additive => expected + error,
                Noise::Multiplicative => expected * (1.0 + error),
            };
            path.step(place, Some(value));
            values.push(if value.is_finite() { value } else { expected });
        }
    }
    values
        .into_iter()
        .map(|mut values| {
            values.sort_by(f64::total_cmp);
            levels.iter().map(|level| at(&values, *level)).collect()
        })
        .collect()
}

/// The quantile of sorted values.
fn at(sorted: &[f64], level: f64) -> f64 {
    let place = level * (sorted.len() - 1) as f64;
    let below = place as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::super::super::smoothing::Weights;
    use super::*;

    /// Closed forms are what simulation comes to, for every form that has one, over two rounds of the season.
    #[test]
    fn closed_forms_are_what_simulation_comes_to() {
        for form in Form::all() {
            let season = match form.seasonal {
                Seasonal::None => vec![],
                Seasonal::Additive => vec![2.0, -1.0, -1.0],
                Seasonal::Multiplicative => vec![1.2, 0.9, 0.9],
            };
            let weights = Weights {
                alpha: 0.4,
                beta: if form.trend == Trend::None { 0.0 } else { 0.1 },
                gamma: if season.is_empty() { 0.0 } else { 0.3 },
                phi: if form.trend.is_damped() { 0.9 } else { 1.0 },
            };
            let slope = if form.trend == Trend::None { 0.0 } else { 0.5 };
            let smoothing = Smoothing { form, weights, level: 20.0, slope, season };
            let variance = if form.noise == Noise::Additive { 1.0 } else { 0.0025 };
            let mean = smoothing.ahead(1, 6);
            let Some(variances) = variances(&smoothing, variance, &mean, 1) else {
                assert!(form.trend.is_multiplicative() || form.is_unstable(), "{form}");
                continue;
            };
            let mut rng = SeededRng::seed_from_u64(3);
            let (low, high) = (0.158_655_253_931_457_05, 0.841_344_746_068_543);
            let paths = simulated(&smoothing, variance, 1, 6, &[low, high], &mut rng);
            for (ahead, (closed, path)) in variances.iter().zip(&paths).enumerate() {
                let deviation = (path[1] - path[0]) / 2.0;
                assert!((deviation / closed.sqrt() - 1.0).abs() < 0.07, "{form} {ahead}: {closed} {deviation}");
            }
        }
    }
}
