//! The weights and starting states that make a form most likely.

use super::form::{Form, Seasonal, Trend, Weights};
use super::likelihood::{Likelihood, Workspace};
use super::quasi_newton::{Limits, minimise};
use super::start::Start;
use super::state::Smoothing;
use super::window::Window;

/// Bounds of the weights (those of `forecast::ets`).
const LOWER: Weights = Weights { alpha: 1e-4, beta: 1e-4, gamma: 1e-4, phi: 0.8 };
pub(in super::super) const UPPER: Weights = Weights { alpha: 0.9999, beta: 0.9999, gamma: 0.9999, phi: 0.98 };
/// A gain in minus twice the log-likelihood that is not worth another step.
const TOLERANCE: f64 = 1e-4;
/// Places that a search is begun at, how many steps each is tried, and the weight from which on a component is swift: places
/// that differ in what is swift are apart.
const BEGINS: usize = 3;
const PROBE: usize = 15;
const SWIFT: Weights = Weights { alpha: 0.3, beta: 0.01, gamma: 0.3, phi: 1.0 };
/// Places that forecasts are judged at.
const ORIGINS: usize = 500;
/// Steps of the search at most, for windows of up to so many rows, and for longer ones, which are begun at one place alone.
const STEPS: usize = 150;
const LONG: usize = 4_000;
const STEPS_LONG: usize = 40;

/// A form fitted to a window.
#[derive(Clone, Debug)]
pub(in super::super) struct Fit {
    pub(in super::super) form: Form,
    pub(in super::super) weights: Weights,
    /// One row before the window.
    pub(super) start: Start,
    /// After the last row.
    end: Start,
    /// Minus twice the log-likelihood in the unit of the history.
    pub(in super::super) deviance: f64,
    /// Akaike's criterion, corrected for short samples (FPP3, §8.6); infinite if there are too few rows to judge.
    pub(in super::super) aicc: f64,
    /// Variance of the one-step errors in the window's scale; of the relative ones if noise is multiplicative.
    pub(in super::super) variance: f64,
}

/// Upper bounds for a level that takes up no more than `alpha` of an error: its slope then takes up no more than `alpha²`,
/// which is about where a level with a slope stops overshooting.
pub(in super::super) fn steady(alpha: f64) -> Weights {
    Weights { alpha, beta: alpha * alpha, ..UPPER }
}

/// Finds the weights, within `upper`, and the starting states of `form` on `window`, in some ten to hundred passes forward and
/// back. `known` are forms fitted to the same window, whose findings may be good places to begin at. The search is given up
/// once it does not seem to lead to a criterion below `to_beat`.
pub(in super::super) fn fit(
    window: &Window,
    form: Form,
    upper: &Weights,
    known: &[Fit],
    to_beat: f64,
    room: &mut Workspace,
) -> Fit {
    let typical = window.typical();
    let mut likelihood = Likelihood::new(window, form, room);
    let is_long = window.values.len() > LONG;
    let first = Start::of(window, form, false);
    let whole = (form.trend != Trend::None && !is_long).then(|| Start::of(window, form, true));
    let own = [Some(first.clone()), whole].into_iter().flatten();
    let own = own.flat_map(|start| guesses(form, is_long).into_iter().map(move |weights| (weights, start.clone())));
    let told = known
        .iter()
        .filter_map(|other| Some((weights_in(other, form), other.start.told_in(other.form, form, typical)?)));
    let mut begins: Vec<Begin> = Vec::new();
    for (weights, start) in own.chain(told) {
        let weights = within(weights, upper);
        let deviance = likelihood.at(&weights, &start).0;
        if !deviance.is_finite() {
            continue;
        }
        let begin = Begin { deviance, mean_square: likelihood.mean_square(), weights, start };
        match begins.iter_mut().find(|other| other.is_like(&begin)) {
            None => begins.push(begin),
            Some(other) if deviance < other.deviance => *other = begin,
            Some(_) => {}
        }
    }
    begins.sort_by(|a, b| a.deviance.total_cmp(&b.deviance));
    // Where the form has been fitted before, under other bounds, there is nothing left to explore.
    let is_known = known.iter().any(|other| other.form == form);
    begins.truncate(if is_known || is_long { 1 } else { BEGINS });
    let parameters = form.parameters(window.season_rows);
    let penalty = penalty(window.count, parameters);
    let goal = to_beat - penalty - 2.0 * window.count as f64 * window.scale.ln();
    let several = begins.len() > 1;
    let iterations = if is_long { STEPS_LONG } else { STEPS };
    if several {
        begins.iter_mut().for_each(|begin| begin.improve(&mut likelihood, upper, goal, PROBE));
        begins.sort_by(|a, b| a.deviance.total_cmp(&b.deviance));
    }
    let (mut weights, mut start) = match begins.into_iter().next() {
        None => (guesses(form, is_long)[0], first),
        Some(mut begin) => {
            begin.improve(&mut likelihood, upper, goal, iterations);
            (begin.weights, begin.start)
        }
    };
    weights = within(weights, upper);
    start.level_season(form);
    let (deviance, end) = likelihood.at(&weights, &start);
    let end = if end.is_finite() { end } else { start.clone() };
    let deviance = deviance + 2.0 * window.count as f64 * window.scale.ln();
    let spare = window.count.saturating_sub(parameters).max(1) as f64;
    let variance = likelihood.squares() / spare;
    let variance = if variance.is_finite() { variance } else { 0.0 };
    let aicc = if deviance.is_finite() { deviance + penalty } else { f64::INFINITY };
    Fit { form, weights, start, end, deviance, aicc, variance }
}

/// Minus twice the log-likelihood at given weights and starting states, in the unit of the history, and the recursion after
/// the last row.
#[cfg(test)]
pub(in super::super) fn deviance_at(
    window: &Window,
    form: Form,
    weights: &Weights,
    start: &Start,
    room: &mut Workspace,
) -> (f64, Smoothing) {
    let (deviance, end) = Likelihood::new(window, form, room).at(weights, start);
    let (weights, start) = (*weights, start.clone());
    let fit = Fit { form, weights, start, end, deviance, aicc: 0.0, variance: 0.0 };
    (deviance + 2.0 * window.count as f64 * window.scale.ln(), fit.running(window))
}

impl Fit {
    /// The recursion after the last row of `window`, to go on from.
    pub(in super::super) fn running(&self, window: &Window) -> Smoothing {
        self.at(&self.end, window)
    }

    /// Mean absolute error of the forecasts of up to `horizon` rows that the form would have made at places all over the
    /// later part of `window`, in its scale; its weights and start know what came, which few parameters hardly tell.
    pub(in super::super) fn error_ahead(&self, window: &Window, horizon: usize) -> f64 {
        let mut state = self.at(&self.start, window);
        let rows = window.values.len();
        let (first, season) = (rows / 4, state.season_rows());
        let every = ((rows - first) / ORIGINS).max(1);
        let (mut sum, mut count) = (0.0, 0.0);
        for (i, (value, seen)) in window.values.iter().zip(&window.seen).enumerate() {
            let slot = (window.slot + i) % season;
            if i >= first && (i - first).is_multiple_of(every) {
                let ahead = state.ahead(slot, horizon.min(rows - i));
                for (expected, (value, seen)) in ahead.iter().zip(window.values[i..].iter().zip(&window.seen[i..])) {
                    sum += seen * (expected - value).abs();
                    count += seen;
                }
            }
            state.step(slot, (*seen > 0.0).then_some(*value));
        }
        sum / count
    }

    fn at(&self, place: &Start, window: &Window) -> Smoothing {
        let Start { moving, season } = place;
        let rows = season.len();
        let mut slots = vec![0.0; rows];
        season.iter().enumerate().for_each(|(i, effect)| slots[(window.slot + i) % rows] = *effect);
        Smoothing { form: self.form, weights: self.weights, level: moving.level, slope: moving.slope, season: slots }
    }
}

/// Where a search begins.
struct Begin {
    deviance: f64,
    mean_square: f64,
    weights: Weights,
    start: Start,
}

impl Begin {
    /// Whether a search from the other may well end at the same place.
    fn is_like(&self, other: &Self) -> bool {
        let side = |begin: &Self| {
            let Weights { alpha, beta, gamma, .. } = begin.weights;
            (alpha > SWIFT.alpha, beta > SWIFT.beta, gamma > SWIFT.gamma)
        };
        side(self) == side(other)
    }

    /// Goes on from here.
    fn improve(&mut self, likelihood: &mut Likelihood<'_>, upper: &Weights, to_beat: f64, iterations: usize) {
        likelihood.measure(&self.weights, self.mean_square);
        let mut point = likelihood.point(&self.weights, &self.start);
        let limits = Limits {
            lower: &likelihood.bounds(&LOWER, f64::NEG_INFINITY),
            upper: &likelihood.bounds(upper, f64::INFINITY),
            tolerance: TOLERANCE,
            iterations,
            to_beat,
        };
        self.deviance = minimise(likelihood, &mut point, &limits);
        self.mean_square = likelihood.mean_square();
        (self.weights, self.start) = likelihood.told(&point);
    }
}

/// What the criterion adds to minus twice the log-likelihood for `parameters` learned from `count` rows.
fn penalty(count: usize, parameters: usize) -> f64 {
    let (n, k) = (count as f64, parameters as f64);
    if n - k - 1.0 > 0.0 { 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0) } else { f64::INFINITY }
}

/// Weights to begin at, before anything is known; fewer if `is_long`, for each costs a pass.
fn guesses(form: Form, is_long: bool) -> Vec<Weights> {
    let phi = if form.trend.is_damped() { 0.95 } else { 1.0 };
    let betas: &[f64] = match form.trend {
        Trend::None => &[0.0],
        _ if is_long => &[0.01],
        _ => &[1e-3, 0.05],
    };
    let gammas: &[f64] = match form.seasonal {
        Seasonal::None => &[0.0],
        _ if is_long => &[0.01, 0.2],
        _ => &[0.01, 0.1, 0.4, 0.8],
    };
    let mut guesses = Vec::new();
    for alpha in [0.05, 0.3, 0.8] {
        for beta in betas {
            guesses.extend(gammas.iter().map(|gamma| Weights { alpha, beta: *beta, gamma: *gamma, phi }));
        }
    }
    guesses
}

/// The weights of another form as far as `form` has them.
fn weights_in(other: &Fit, form: Form) -> Weights {
    let Weights { alpha, beta, gamma, phi } = other.weights;
    let beta = match (form.trend, other.form.trend) {
        (Trend::None, _) => 0.0,
        (_, Trend::None) => 1e-3,
        _ => beta,
    };
    let phi = if form.trend.is_damped() { phi.min(UPPER.phi) } else { 1.0 };
    Weights { alpha, beta, gamma: if form.seasonal == Seasonal::None { 0.0 } else { gamma }, phi }
}

/// The weights pressed into their bounds; those that a form has not stay.
fn within(weights: Weights, upper: &Weights) -> Weights {
    let clamp = |weight: f64, low: f64, high: f64| if weight == 0.0 { 0.0 } else { weight.clamp(low, high) };
    Weights {
        alpha: clamp(weights.alpha, LOWER.alpha, upper.alpha),
        beta: clamp(weights.beta, LOWER.beta, upper.beta),
        gamma: clamp(weights.gamma, LOWER.gamma, upper.gamma),
        phi: if weights.phi == 1.0 { 1.0 } else { weights.phi.clamp(LOWER.phi, upper.phi) },
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::Noise;
    use super::super::textbook::{AIR, OIL};
    use super::*;

    fn window(values: &[f64], rows: usize) -> Window {
        Window::over(values.to_vec(), &vec![true; values.len()], 1.0, rows, values.len() % rows.max(1))
    }

    fn fitted(window: &Window, trend: Trend, seasonal: Seasonal) -> Fit {
        let form = Form { noise: Noise::Additive, trend, seasonal };
        fit(window, form, &UPPER, &[], f64::INFINITY, &mut Workspace::default())
    }

    /// FPP2, §7.1 and §7.2: the weights that R's `ses` and `holt` find.
    #[test]
    fn the_textbook_weights_are_found() {
        let found = fitted(&window(&OIL, 0), Trend::None, Seasonal::None);
        assert!((found.weights.alpha - 0.8339).abs() < 1e-3, "{found:?}");
        assert!((found.start.moving.level - 446.5868).abs() < 1e-1, "{found:?}");

        let found = fitted(&window(&AIR, 0), Trend::Additive, Seasonal::None);
        assert!((found.weights.alpha - 0.8302).abs() < 2e-2 && found.weights.beta < 1e-3, "{found:?}");
    }

    #[test]
    fn a_season_is_found_from_any_place_in_it() {
        let values: Vec<f64> = (0..120).map(|i| 10.0 + [3.0, -1.0, -2.0][i % 3]).collect();
        for cut in 0..3 {
            let window = window(&values[..120 - cut], 3);
            let next = fitted(&window, Trend::None, Seasonal::Additive).running(&window).ahead((120 - cut) % 3, 3);
            let expected: Vec<f64> = (0..3).map(|h| 10.0 + [3.0, -1.0, -2.0][(120 - cut + h) % 3]).collect();
            assert!(next.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{next:?} {expected:?}");
        }
    }

    #[test]
    fn more_parameters_must_earn_their_place() {
        assert!(penalty(100, 4) > penalty(100, 3));
        assert_eq!(penalty(5, 4), f64::INFINITY);
        let found = fitted(&window(&[7.0; 20], 0), Trend::None, Seasonal::None);
        assert!(found.aicc.is_finite(), "{found:?}");
    }
}
