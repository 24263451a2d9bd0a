//! The likelihood of a form on a window as a function of its weights and starting states.
//!
//! With the error's variance put at its best, minus twice the log-likelihood is, but for a constant,
//! `n ln Σe² + 2 Σ ln|f|`, the second sum for multiplicative noise alone (Hyndman et al. 2008, §5.1). This is what
//! `forecast::ets` and statsforecast report, so that figures compare.

use super::form::{Form, Noise, Seasonal, Trend, Weights};
use super::pass::{Law, backward, forward};
use super::quasi_newton::Objective;
use super::recursion::{Gradient, Moving, Step};
use super::start::Start;
use super::window::Window;

/// Squared errors have at least this mean, in the window's scale, so that a perfect fit has a finite likelihood.
const LEAST_SQUARE: f64 = 1e-24;
/// The effects that a longer season starts with are not searched for: a history of a few rounds would be fitted to its noise.
const SEARCHED: usize = 200;
/// Forecasts multiplied up before a logarithm is taken: far too few to leave the range of numbers near one.
const GROUPED: usize = 16;

/// Room for passes over windows of up to some length, to be used again.
#[derive(Default)]
pub(in super::super) struct Workspace {
    fitted: Vec<f64>,
    on_fitted: Vec<f64>,
    steps: Vec<Step>,
}

/// Minus twice the log-likelihood of `form` on `window`, at a point whose coordinates are, each over its unit, the weights
/// that the form has, level, slope if there is a trend, and the effects of the season.
pub(super) struct Likelihood<'a> {
    window: &'a Window,
    form: Form,
    units: Vec<f64>,
    room: &'a mut Workspace,
    weights: Weights,
    season: Vec<f64>,
    squares: f64,
}

impl<'a> Likelihood<'a> {
    pub(super) fn new(window: &'a Window, form: Form, room: &'a mut Workspace) -> Self {
        let rows = window.values.len();
        room.fitted.resize(rows, 0.0);
        room.on_fitted.resize(rows, 0.0);
        room.steps.resize(rows, Step::default());
        let season = if form.seasonal == Seasonal::None { 0 } else { window.season_rows };
        let slope = usize::from(form.trend != Trend::None);
        let units = vec![1.0; form.weights() + 1 + slope + season];
        let weights = Weights { alpha: 0.5, beta: 0.0, gamma: 0.0, phi: 1.0 };
        Self { window, form, units, room, weights, season: vec![0.0; season], squares: 0.0 }
    }

    /// Minus twice the log-likelihood, in the window's scale, and what the recursion is after the last row; infinite where
    /// a component leaves the range in which the form makes sense.
    pub(super) fn at(&mut self, weights: &Weights, start: &Start) -> (f64, Start) {
        self.weights = *weights;
        self.season.copy_from_slice(&start.season);
        let mut moving = start.moving;
        let value = self.pass(&mut moving);
        (value, Start { moving, season: self.season.clone() })
    }

    /// Sum of the squared errors of the latest pass: of the relative ones if noise is multiplicative.
    pub(super) fn squares(&self) -> f64 {
        self.squares
    }

    /// Mean square of what the latest pass missed, in the window's scale.
    pub(super) fn mean_square(&self) -> f64 {
        let rows = self.window.values.iter().zip(&self.window.seen).zip(&self.room.fitted);
        let sum: f64 = rows.map(|((value, seen), fitted)| seen * (value - fitted) * (value - fitted)).sum();
        sum / self.window.count.max(1) as f64
    }

    /// The units of the coordinates: what changes the likelihood by about one, at `weights`, `start` and the mean square
    /// error there (from the sensitivities of the errors to a state, which die out as the state is smoothed away).
    pub(super) fn measure(&mut self, weights: &Weights, mean_square: f64) {
        let rows = self.window.count.max(1) as f64;
        let error = mean_square.sqrt().max(1e-9);
        // Sum of the squares of a share that is kept from row to row, over `n` rows.
        let kept = |share: f64, n: f64| (1.0 / (1.0 - share * share).max(1.0 / n)).max(1.0);
        let typical = self.window.typical();
        let mut units = Vec::with_capacity(self.units.len());
        let swift = 1.0 / rows.sqrt();
        units.push(swift);
        if self.form.trend != Trend::None {
            units.push(0.1 * swift);
        }
        if self.form.seasonal != Seasonal::None {
            units.push(swift);
        }
        if self.form.trend.is_damped() {
            units.push(0.02);
        }
        let Weights { alpha, beta, gamma, phi } = *weights;
        let of_level = error / kept(1.0 - alpha, rows).sqrt();
        units.push(of_level);
        if self.form.trend != Trend::None {
            let fades = kept(phi * (1.0 - (beta / alpha).min(1.0)), rows);
            let of_slope = error * alpha / fades.sqrt();
            units.push(if self.form.trend.is_multiplicative() { of_slope / typical } else { of_slope });
        }
        if !self.season.is_empty() {
            let cycles = (rows / self.season.len() as f64).max(1.0);
            let of_effect = error / kept(1.0 - gamma, cycles).sqrt();
            let unit = if self.form.seasonal == Seasonal::Multiplicative { of_effect / typical } else { of_effect };
            units.resize(self.units.len(), unit);
        }
        self.units = units;
    }

    /// The point of `weights` and `start`.
    pub(super) fn point(&self, weights: &Weights, start: &Start) -> Vec<f64> {
        let mut point = self.of_weights(weights).to_vec();
        point.truncate(self.form.weights());
        point.push(start.moving.level);
        if self.form.trend != Trend::None {
            point.push(start.moving.slope);
        }
        point.extend_from_slice(&start.season);
        point.iter_mut().zip(&self.units).for_each(|(x, unit)| *x /= unit);
        point
    }

    /// What a point stands for.
    pub(super) fn told(&mut self, point: &[f64]) -> (Weights, Start) {
        let moving = self.load(point);
        (self.weights, Start { moving, season: self.season.clone() })
    }

    /// Puts weights and season to what `point` stands for, and gives level and slope.
    fn load(&mut self, point: &[f64]) -> Moving {
        let (head, season) = point.split_at(point.len() - self.season.len());
        let (of_head, of_season) = self.units.split_at(head.len());
        let mut next = head.iter().zip(of_head).map(|(x, unit)| x * unit);
        let mut take = |there: bool, other: f64| if there { next.next().unwrap_or(other) } else { other };
        let has_trend = self.form.trend != Trend::None;
        self.weights = Weights {
            alpha: take(true, 0.5),
            beta: take(has_trend, 0.0),
            gamma: take(!self.season.is_empty(), 0.0),
            phi: take(self.form.trend.is_damped(), 1.0),
        };
        let moving = Moving { level: take(true, 0.0), slope: take(has_trend, 0.0) };
        for (effect, (x, unit)) in self.season.iter_mut().zip(season.iter().zip(of_season)) {
            *effect = x * unit;
        }
        moving
    }

    /// Bounds of the coordinates, given those of the weights.
    pub(super) fn bounds(&self, weights: &Weights, free: f64) -> Vec<f64> {
        let mut bounds = vec![free; self.units.len()];
        let of_weights = self.of_weights(weights);
        for (i, bound) in bounds.iter_mut().take(self.form.weights()).enumerate() {
            *bound = of_weights[i] / self.units[i];
        }
        bounds
    }

    /// The weights that the form has, in the order of the coordinates, and then nothing of meaning.
    fn of_weights(&self, weights: &Weights) -> [f64; 4] {
        let Weights { alpha, beta, gamma, phi } = *weights;
        match (self.form.trend != Trend::None, !self.season.is_empty()) {
            (true, true) => [alpha, beta, gamma, phi],
            (true, false) => [alpha, beta, phi, 0.0],
            (false, _) => [alpha, gamma, 0.0, 0.0],
        }
    }

    /// A pass from `moving` and `self.season` on, which become those at the end.
    fn pass(&mut self, moving: &mut Moving) -> f64 {
        let rows = self.window.rows();
        let law = Law { trend: self.form.trend, seasonal: self.form.seasonal, weights: &self.weights };
        forward(law, rows, moving, &mut self.season, &mut self.room.fitted, &mut self.room.steps);
        let count = self.window.count as f64;
        let all = rows.values.iter().zip(rows.seen).zip(&self.room.fitted);
        match self.form.noise {
            Noise::Additive => {
                self.squares = all.map(|((value, seen), fitted)| seen * (value - fitted) * (value - fitted)).sum();
                count * self.squares.max(LEAST_SQUARE * count).ln()
            }
            Noise::Multiplicative => {
                self.squares = all
                    .map(|((value, seen), fitted)| {
                        let error = value / fitted - 1.0;
                        seen * error * error
                    })
                    .sum();
                count * self.squares.max(LEAST_SQUARE * count).ln() + 2.0 * self.log_of_fitted()
            }
        }
    }

    /// Sum of the logarithms of the forecasts of what was seen, of their size if below zero.
    fn log_of_fitted(&self) -> f64 {
        let groups = self.room.fitted.chunks(GROUPED).zip(self.window.seen.chunks(GROUPED));
        let product = |(fitted, seen): (&[f64], &[f64])| -> f64 {
            fitted.iter().zip(seen).map(|(fitted, seen)| if *seen > 0.0 { *fitted } else { 1.0 }).product()
        };
        groups.map(|group| product(group).abs().ln()).sum()
    }

    /// Fills `on_fitted` from the latest pass.
    fn pull(&mut self) {
        let count = self.window.count as f64;
        let rows = self.window.values.iter().zip(&self.window.seen).zip(&self.room.fitted);
        let rows = rows.zip(&mut self.room.on_fitted);
        let pull = if self.squares > LEAST_SQUARE * count { 2.0 * count / self.squares } else { 0.0 };
        match self.form.noise {
            Noise::Additive => {
                rows.for_each(|(((value, seen), fitted), on)| *on = -pull * seen * (value - fitted));
            }
            Noise::Multiplicative => rows.for_each(|(((value, seen), fitted), on)| {
                let ratio = value / fitted;
                *on = seen * (2.0 - pull * (ratio - 1.0) * ratio) / fitted;
            }),
        }
    }
}

impl Objective for Likelihood<'_> {
    fn value(&mut self, point: &[f64]) -> f64 {
        let mut moving = self.load(point);
        let factors = self.form.seasonal == Seasonal::Multiplicative;
        if (factors && self.season.iter().any(|factor| *factor <= 0.0))
            || (self.form.trend.is_multiplicative() && moving.slope <= 0.0)
        {
            return f64::INFINITY;
        }
        self.pass(&mut moving)
    }

    fn gradient(&mut self, gradient: &mut [f64]) {
        self.pull();
        let law = Law { trend: self.form.trend, seasonal: self.form.seasonal, weights: &self.weights };
        let Gradient { alpha, beta, gamma, phi, level, slope } =
            backward(law, &self.window.seen, &self.room.steps, &self.room.on_fitted, &mut self.season);
        let of_weights = self.of_weights(&Weights { alpha, beta, gamma, phi });
        let (head, season) = gradient.split_at_mut(gradient.len() - self.season.len());
        let count = self.form.weights();
        head[..count].copy_from_slice(&of_weights[..count]);
        head[count] = level;
        if let Some(on) = head.get_mut(count + 1) {
            *on = slope;
        }
        if season.len() > SEARCHED {
            season.fill(0.0);
            gradient.iter_mut().zip(&self.units).for_each(|(on, unit)| *on *= unit);
            return;
        }
        // The sum of the effects stays what it is: a search goes along it alone.
        let mean = self.season.iter().sum::<f64>() / season.len().max(1) as f64;
        season.iter_mut().zip(&self.season).for_each(|(on, effect)| *on = effect - mean);
        gradient.iter_mut().zip(&self.units).for_each(|(on, unit)| *on *= unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foresail_core::SeededRng;

    fn window(gaps: bool) -> Window {
        let mut rng = SeededRng::seed_from_u64(4);
        let law = |i: usize| (20.0 + 0.1 * i as f64) * [1.2, 0.9, 1.1, 0.8][i % 4];
        let values: Vec<f64> = (0..50).map(|i| law(i) + rng.normal()).collect();
        let mask: Vec<bool> = (0..50).map(|i| !gaps || i % 7 != 3).collect();
        Window::over(values, &mask, 10.0, 4, 2)
    }

    /// Every derivative of every form, with and without gaps, against differences.
    #[test]
    fn gradients_are_those_of_the_likelihood() {
        let weights = Weights { alpha: 0.3, beta: 0.05, gamma: 0.2, phi: 0.9 };
        for gaps in [false, true] {
            let window = window(gaps);
            for form in Form::all() {
                let mut room = Workspace::default();
                let mut likelihood = Likelihood::new(&window, form, &mut room);
                let weights = Weights { phi: if form.trend.is_damped() { 0.9 } else { 1.0 }, ..weights };
                likelihood.measure(&weights, 0.02);
                let point = likelihood.point(&weights, &Start::of(&window, form, false));
                let mut gradient = vec![0.0; point.len()];
                assert!(likelihood.value(&point).is_finite(), "{form}");
                likelihood.gradient(&mut gradient);
                let season = if form.seasonal == Seasonal::None { 0 } else { 4 };
                let first = point.len() - season;
                let at = |likelihood: &mut Likelihood<'_>, i: usize, by: f64| {
                    let mut moved = point.clone();
                    moved[i] += by;
                    // The effects' sum is held.
                    if i >= first {
                        moved[first..].iter_mut().for_each(|x| *x -= by / 4.0);
                    }
                    likelihood.value(&moved)
                };
                for (i, told) in gradient.iter().enumerate() {
                    let slope = (at(&mut likelihood, i, 1e-5) - at(&mut likelihood, i, -1e-5)) / 2e-5;
                    assert!((slope - told).abs() < 1e-5 * (1.0 + slope.abs()), "{form} {i}: {slope} is not {told}");
                }
            }
        }
    }

    #[test]
    fn points_tell_what_they_were_made_of() {
        let window = window(false);
        for form in Form::all() {
            let mut room = Workspace::default();
            let mut likelihood = Likelihood::new(&window, form, &mut room);
            let has = |there: bool, value: f64, other: f64| if there { value } else { other };
            let weights = Weights {
                alpha: 0.3,
                beta: has(form.trend != Trend::None, 0.1, 0.0),
                gamma: has(form.seasonal != Seasonal::None, 0.2, 0.0),
                phi: has(form.trend.is_damped(), 0.9, 1.0),
            };
            likelihood.measure(&weights, 0.5);
            let start = Start::of(&window, form, false);
            let (told, from) = likelihood.told(&likelihood.point(&weights, &start));
            let off = (told.alpha - 0.3).abs() + (told.beta - weights.beta).abs() + (told.phi - weights.phi).abs();
            assert!(off + (told.gamma - weights.gamma).abs() < 1e-12, "{form}: {told:?}");
            assert!((from.moving.level - start.moving.level).abs() < 1e-12, "{form}: {from:?}");
        }
    }
}
