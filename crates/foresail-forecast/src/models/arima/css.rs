//! Conditional least squares: where the search for the largest likelihood starts.

use super::form::ArimaForm;
use super::polynomial::{Coefficients, Limits};
use super::sample::Sample;

/// Rounds of the search at most.
const ROUNDS: usize = 12;
/// A round that lowers the logarithm of the squares by less is the last.
const ENOUGH: f64 = 1e-5;
const APART: f64 = 1e-5;

/// Where conditional least squares led.
pub(super) struct Conditional {
    pub(super) point: Vec<f64>,
    /// The inverse of the second derivatives of the cost there, as the slopes of the errors tell them.
    pub(super) inverse: Vec<f64>,
}

/// The point with the smallest sum of squared one-step errors near `start`, taking what was before the first row for zero
/// (Box & Jenkins' conditional sum of squares): Gauss & Newton's method, damped as Levenberg and Marquardt did.
pub(super) fn conditional(
    sample: &Sample,
    form: ArimaForm,
    season: usize,
    start: &[f64],
    limits: Limits,
) -> Conditional {
    let size = start.len();
    if size == 0 {
        return Conditional { point: Vec::new(), inverse: Vec::new() };
    }
    let mut work = Work::new(sample, limits);
    let mut point = start.to_vec();
    let mut squares = work.errors(form, season, &point);
    let mut errors = work.result.clone();
    let (mut damping, mut inverse) = (1e-3, super::bfgs::identity(size));
    let mut slopes: Vec<Vec<f64>> = vec![Vec::new(); size];
    for _ in 0..ROUNDS {
        for i in 0..size {
            let mut moved = point.clone();
            moved[i] += APART;
            work.errors(form, season, &moved);
            slopes[i] = work.result.iter().zip(&errors).map(|(a, b)| (a - b) / APART).collect();
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let normal: Vec<f64> = (0..size * size).map(|k| dot(&slopes[k / size], &slopes[k % size]) / squares).collect();
        let side: Vec<f64> = slopes.iter().map(|slope| dot(slope, &errors) / squares).collect();
        let before = squares;
        for _ in 0..6 {
            let Some(damped) = inverted(&normal, size, damping) else {
                damping = damping.max(1e-6) * 10.0;
                continue;
            };
            let step: Vec<f64> = damped.chunks_exact(size).map(|row| -dot(row, &side)).collect();
            let longest = step.iter().fold(0.0, |most: f64, s| most.max(s.abs()));
            let share = (1.0 / longest).min(1.0);
            let next: Vec<f64> = point.iter().zip(&step).map(|(x, s)| x + share * s).collect();
            let reached = work.errors(form, season, &next);
            if reached < squares {
                (point, squares) = (next, reached);
                errors.clone_from(&work.result);
                (inverse, damping) = (damped, damping * 0.2);
                break;
            }
            damping = damping.max(1e-6) * 10.0;
        }
        if squares >= before * (1.0 - ENOUGH) || squares.is_nan() {
            break;
        }
    }
    Conditional { point, inverse }
}

/// The inverse of `matrix` with its diagonal raised by a share of itself; `None` if it has none.
fn inverted(matrix: &[f64], size: usize, damping: f64) -> Option<Vec<f64>> {
    let mut damped = matrix.to_vec();
    (0..size).for_each(|i| damped[i * size + i] += damping * (damped[i * size + i] + 1e-3));
    let factor = super::super::cholesky::Cholesky::new(damped, size)?;
    let mut inverse = super::bfgs::identity(size);
    // Symmetric: the solutions may stand in rows.
    inverse.chunks_exact_mut(size).for_each(|row| factor.solve(row));
    Some(inverse)
}

/// Room for the errors of the series and of its constant.
struct Work<'a> {
    series: &'a [f64],
    has_constant: bool,
    limits: Limits,
    filtered: Vec<f64>,
    errors: Vec<f64>,
    unit: Vec<f64>,
    /// The errors at the best constant.
    result: Vec<f64>,
}

impl<'a> Work<'a> {
    fn new(sample: &'a Sample, limits: Limits) -> Self {
        let empty = || vec![0.0; sample.rows];
        let (series, has_constant) = (sample.series(), sample.has_constant);
        Self { series, has_constant, limits, filtered: empty(), errors: empty(), unit: empty(), result: empty() }
    }

    /// The errors at a point, and the sum of their squares: infinite if it is none.
    fn errors(&mut self, form: ArimaForm, season: usize, point: &[f64]) -> f64 {
        let coefficients = Coefficients::at(form, point, self.limits);
        self.filtered.copy_from_slice(self.series);
        recursion(&coefficients, season, &mut self.filtered, &mut self.errors);
        self.result.copy_from_slice(&self.errors);
        if self.has_constant {
            self.filtered.fill(1.0);
            recursion(&coefficients, season, &mut self.filtered, &mut self.unit);
            let over: f64 = self.unit.iter().zip(&self.errors).map(|(u, e)| u * e).sum();
            let under: f64 = self.unit.iter().map(|u| u * u).sum();
            let constant = if under > 0.0 { over / under } else { 0.0 };
            self.result.iter_mut().zip(&self.unit).for_each(|(e, u)| *e -= constant * u);
        }
        let squares: f64 = self.result.iter().map(|e| e * e).sum();
        if squares.is_finite() { squares } else { f64::INFINITY }
    }
}

/// `errors = Φ(B) φ(B) values / Θ(B) θ(B)`, factor by factor; rows that the AR part reaches beyond count as known. `values`
/// is spoilt.
fn recursion(coefficients: &Coefficients, season: usize, values: &mut [f64], errors: &mut [f64]) {
    let known = coefficients.ar.len() + season * coefficients.seasonal_ar.len();
    // From the end, so that what is read has not been written yet.
    let mut ahead = |taps: &[f64], apart: usize| {
        for t in (taps.len() * apart..values.len()).rev() {
            values[t] -= taps.iter().enumerate().map(|(i, c)| c * values[t - (i + 1) * apart]).sum::<f64>();
        }
    };
    ahead(&coefficients.ar, 1);
    ahead(&coefficients.seasonal_ar, season);
    let known = known.min(values.len());
    values[..known].fill(0.0);
    errors.copy_from_slice(values);
    let mut back = |taps: &[f64], apart: usize| {
        for t in 0..errors.len() {
            let reach = taps.iter().enumerate().take_while(|(i, _)| (i + 1) * apart <= t);
            let before: f64 = reach.map(|(i, c)| c * errors[t - (i + 1) * apart]).sum();
            errors[t] -= before;
        }
    };
    back(&coefficients.ma, 1);
    back(&coefficients.seasonal_ma, season);
}

#[cfg(test)]
mod tests {
    use foresail_core::{Frame, SeededRng};

    use super::super::sample::Window;
    use super::*;

    #[test]
    fn the_coefficients_of_a_long_series_are_found() {
        let mut rng = SeededRng::seed_from_u64(11);
        let shocks: Vec<f64> = (0..6000).map(|_| rng.normal()).collect();
        let mut values = vec![0.0; 6000];
        for t in 5..6000 {
            let shock = shocks[t] - 0.5 * shocks[t - 4] + 0.3 * shocks[t - 1] - 0.15 * shocks[t - 5];
            values[t] = 10.0 * 0.3 + 0.7 * (values[t - 1]) + shock;
        }
        let window = Window::of(&Frame::from_values(values), 1, 10_000).unwrap();
        let form = ArimaForm::new([1, 0, 1], [0, 0, 1], true);
        let sample = Sample::new(&window, form, 4, 9).unwrap();
        let found = conditional(&sample, form, 4, &[0.0; 3], Limits::OPEN);
        let c = Coefficients::at(form, &found.point, Limits::OPEN);
        for (got, true_value) in [(c.ar[0], 0.7), (c.ma[0], 0.3), (c.seasonal_ma[0], -0.5)] {
            assert!((got - true_value).abs() < 0.04, "{c:?}");
        }
    }
}
