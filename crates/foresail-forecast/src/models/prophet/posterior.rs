//! The most probable parameters.
//!
//! Prophet's posterior (Taylor & Letham 2018; its Stan model): y ~ N(f(θ), σ²), k, m ~ N(0, 5²), coefficients ~ N(0, s²),
//! changes of the slope ~ Laplace(0, τ), σ ~ half N(0, 0.5²), everything in units of the largest value and of the whole
//! history. Where f is linear, all that the rows say is in their [`Sums`]: they are read once. For a given σ the normal
//! parameters are eliminated by Cholesky's factorisation, which leaves a lasso over the changes; σ² then follows in
//! closed form, and both are repeated until they agree. From above σ² only falls, so this ends at the same place each
//! time. Where f is not linear (logistic growth, multiplicative terms), Gauss-Newton steps are made of such problems.

use serde::{Deserialize, Serialize};

use super::super::cholesky::Cholesky;
use super::basis::{CONSTANT, TIME};
use super::lasso::lasso;
use super::shape::Shape;
use super::sums::{Gathering, Sums};

/// Prior scale of slope and offset, and of σ.
const TREND_SCALE: f64 = 5.0;
const NOISE_SCALE: f64 = 0.5;
/// σ² is kept above this, so that a series without noise has an answer too.
const LEAST_VARIANCE: f64 = 1e-10;
/// Share of itself added to each diagonal element, so that columns that are alike can be told apart.
const TRACE: f64 = 1e-11;
/// Relative change of σ² at which it stands, and rounds at most.
const VARIANCE_STANDS: f64 = 1e-7;
const VARIANCE_ROUNDS: usize = 60;
/// Gauss-Newton steps at most, halvings of one, and the gain below which it stands.
const STEPS: usize = 60;
const HALVINGS: usize = 12;
const GAIN_STANDS: f64 = 1e-7;

/// What is believed before any row is seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Priors {
    /// Scale of the normal prior, a column; those of the trend's changes play no part.
    scales: Vec<f64>,
    /// Scale of the Laplace prior on the trend's changes.
    tau: f64,
}

impl Priors {
    /// With these scales of all columns but the trend's first two, which have their own.
    pub(super) fn new(mut scales: Vec<f64>, tau: f64) -> Self {
        scales[TIME] = TREND_SCALE;
        scales[CONSTANT] = TREND_SCALE;
        Self { scales, tau }
    }

    fn precision(&self, column: usize) -> f64 {
        self.scales[column].powi(-2)
    }

    /// Negative logarithm of the prior density of `theta`, up to a constant.
    fn surprise(&self, theta: &[f64], shape: &Shape) -> f64 {
        let term = |(column, value): (usize, &f64)| {
            if shape.changes.contains(&column) {
                value.abs() / self.tau
            } else {
                0.5 * value * value * self.precision(column)
            }
        };
        theta.iter().enumerate().map(term).sum()
    }

    /// Whether restored state fits `size` columns.
    pub(super) fn is_sound(&self, size: usize) -> bool {
        self.scales.len() == size && self.scales.iter().all(|s| *s > 0.0) && self.tau > 0.0
    }
}

/// The most probable parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Estimate {
    pub(super) theta: Vec<f64>,
    /// Standard deviation of the noise.
    pub(super) sigma: f64,
}

/// The σ² that is most probable with `rows` squared errors of this sum, from the root of 4σ⁴ + nσ² = sum.
fn variance(rows: f64, squared_error: f64) -> f64 {
    let b = NOISE_SCALE.powi(-2);
    // Written so that nothing cancels where the error is small.
    let value = 2.0 * squared_error / (rows + (rows * rows + 4.0 * b * squared_error).sqrt());
    if value.is_finite() { value.max(LEAST_VARIANCE) } else { 1.0 }
}

/// Negative logarithm of the posterior density at `theta`, up to a constant, with the σ² that is most probable there.
/// `sums` are of the rows as they look from `theta`.
pub(super) fn surprise(sums: &Sums, theta: &[f64], shape: &Shape, priors: &Priors) -> f64 {
    let (rows, squared_error) = (sums.rows(), sums.squared_error(theta));
    let variance = variance(rows, squared_error);
    let noise = 0.5 * (rows * variance.ln() + squared_error / variance + variance * NOISE_SCALE.powi(-2));
    noise + priors.surprise(theta, shape)
}

/// The most probable parameters where the value is linear in them, or as if it were: `sums` are of the derivatives by
/// each parameter and of the [`response`]. Starts from a variance of `sigma_squared`, which had better be above the
/// answer, and from the changes in `warm`. `None` where `sums` are not numbers. O(columns³) a round, some ten rounds.
pub(super) fn solve(
    sums: &Sums,
    shape: &Shape,
    priors: &Priors,
    mut sigma_squared: f64,
    warm: &[f64],
) -> Option<Estimate> {
    let mut theta = warm.to_vec();
    for _ in 0..VARIANCE_ROUNDS {
        solve_given(sums, shape, priors, sigma_squared, &mut theta)?;
        let before = sigma_squared;
        sigma_squared = variance(sums.rows(), sums.squared_error(&theta));
        if (sigma_squared / before - 1.0).abs() < VARIANCE_STANDS {
            break;
        }
    }
    Some(Estimate { theta, sigma: sigma_squared.sqrt() })
}

/// [`solve`] for one σ², from where the changes stand in `theta`.
fn solve_given(sums: &Sums, shape: &Shape, priors: &Priors, sigma_squared: f64, theta: &mut [f64]) -> Option<()> {
    let changes = shape.changes.clone();
    let normal: Vec<usize> = (0..sums.size()).filter(|column| !changes.contains(column)).collect();
    let (size, count) = (normal.len(), changes.len());
    let mut matrix = vec![0.0; size * size];
    for (a, i) in normal.iter().enumerate() {
        for (b, j) in normal[..=a].iter().enumerate() {
            matrix[a * size + b] = sums.product(*i, *j);
        }
        matrix[a * size + a] += TRACE * matrix[a * size + a] + sigma_squared * priors.precision(*i);
    }
    let factor = Cholesky::new(matrix, size)?;
    let mut base: Vec<f64> = normal.iter().map(|i| sums.side(*i)).collect();
    factor.solve(&mut base);
    // What the normal parameters answer to each change, and what of the changes is left to explain.
    let answers: Vec<Vec<f64>> = changes
        .clone()
        .map(|change| {
            let mut answer: Vec<f64> = normal.iter().map(|i| sums.product(*i, change)).collect();
            factor.solve(&mut answer);
            answer
        })
        .collect();
    let mut left = vec![0.0; count * count];
    let mut linear = vec![0.0; count];
    for (a, change) in changes.clone().enumerate() {
        let column: Vec<f64> = normal.iter().map(|i| sums.product(*i, change)).collect();
        let dot = |other: &[f64]| -> f64 { column.iter().zip(other).map(|(x, y)| x * y).sum() };
        linear[a] = sums.side(change) - dot(&base);
        for b in 0..=a {
            let value = sums.product(change, changes.start + b) - dot(&answers[b]);
            left[a * count + b] = value;
            left[b * count + a] = value;
        }
    }
    let found = &mut theta[changes];
    lasso(&left, &linear, sigma_squared / priors.tau, found);
    for (answer, change) in answers.iter().zip(&*found) {
        base.iter_mut().zip(answer).for_each(|(v, a)| *v -= a * change);
    }
    normal.iter().zip(base).for_each(|(i, v)| theta[*i] = v);
    theta.iter().all(|v| v.is_finite()).then_some(())
}

/// Learns from a history of `count` rows: `write` puts the regressors of row `i` in place and gives its value. The
/// estimate is the most probable one where the value is linear in the parameters, else one that is locally so, reached
/// from `start`. The sums are of the rows as the estimate sees them, to be solved again when more have been added.
/// `None` where something is not a number. O(rows × columns²) once, or a step.
pub(super) fn learn(
    count: usize,
    write: &dyn Fn(usize, &mut [f64]) -> f64,
    shape: &Shape,
    priors: &Priors,
    start: &[f64],
) -> Option<(Estimate, Sums)> {
    let gather = |theta: &[f64]| {
        let mut gathering = Gathering::new(theta.len());
        for i in 0..count {
            let row = gathering.place();
            let value = write(i, row);
            let response = response(shape, theta, row, value);
            gathering.push(response);
        }
        gathering.finish()
    };
    if shape.is_linear() {
        let zero = vec![0.0; start.len()];
        let sums = gather(&zero);
        return solve(&sums, shape, priors, 1.0, &zero).map(|estimate| (estimate, sums));
    }
    let mut theta = start.to_vec();
    let mut sums = gather(&theta);
    let mut now = surprise(&sums, &theta, shape, priors);
    for _ in 0..STEPS {
        let aim = solve(&sums, shape, priors, 1.0, &theta)?;
        let mut gain = 0.0;
        for halving in 0..HALVINGS {
            let share = 0.5_f64.powi(halving as i32);
            let tried: Vec<f64> = theta.iter().zip(&aim.theta).map(|(a, b)| a + share * (b - a)).collect();
            let new_sums = gather(&tried);
            let then = surprise(&new_sums, &tried, shape, priors);
            if then < now {
                gain = now - then;
                (theta, sums, now) = (tried, new_sums, then);
                break;
            }
        }
        if gain <= GAIN_STANDS * (1.0 + now.abs()) {
            break;
        }
    }
    let sigma = variance(sums.rows(), sums.squared_error(&theta)).sqrt();
    theta.iter().all(|v| v.is_finite()).then_some((Estimate { theta, sigma }, sums))
}

/// Turns `row` into the derivatives at `theta`, and `value` into its distance from what a plane with these would have at
/// zero: the response of a linear problem.
pub(super) fn response(shape: &Shape, theta: &[f64], row: &mut [f64], value: f64) -> f64 {
    let predicted = shape.linearise(theta, row);
    let at_theta: f64 = row.iter().zip(theta).map(|(slope, v)| slope * v).sum();
    value - predicted + at_theta
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::super::shape::Trend;
    use super::*;

    /// A line with one change, a sine, noise; changepoints at 0.1, 0.2, … 0.7.
    fn write(i: usize, row: &mut [f64]) -> f64 {
        let t = i as f64 / 199.0;
        let angle = t * 60.0;
        row[..4].copy_from_slice(&[t, 1.0, angle.sin(), angle.cos()]);
        (1..=7).for_each(|c| row[3 + c] = (t - 0.1 * c as f64).max(0.0));
        let noise = SeededRng::seed_from_u64(i as u64).normal();
        0.3 + 0.2 * t + 0.9 * row[6] + 0.1 * row[2] + 0.02 * noise
    }

    fn problem(trend: Trend, share: bool) -> (Shape, Priors) {
        let mut multiplicative = vec![false; 11];
        multiplicative[2..4].fill(share);
        (Shape { trend, changes: 4..11, multiplicative }, Priors::new(vec![10.0; 11], 0.05))
    }

    #[test]
    fn a_change_of_slope_is_found_and_noise_measured() {
        let (shape, priors) = problem(Trend::Linear, false);
        let (found, sums) = learn(200, &write, &shape, &priors, &[0.0; 11]).unwrap();
        let at_end = shape.parts(&found.theta, &{
            let mut row = [0.0; 11];
            write(199, &mut row);
            row
        });
        assert!((at_end.line - (0.3 + 0.2 + 0.9 * 0.7)).abs() < 0.03, "{at_end:?}");
        assert!((found.sigma - 0.02).abs() < 0.003, "{}", found.sigma);
        assert!(found.theta[4..].iter().filter(|v| **v == 0.0).count() >= 3, "{:?}", found.theta);
        assert_eq!(sums.rows(), 200.0);
    }

    /// No parameter can be moved either way for a more probable answer.
    #[test]
    fn the_answer_is_the_most_probable_nearby() {
        for (trend, share) in [
            (Trend::Linear, false),
            (Trend::Linear, true),
            (Trend::Logistic { cap: 1.5 }, false),
            (Trend::Logistic { cap: 1.5 }, true),
        ] {
            let (shape, priors) = problem(trend, share);
            let mut start = vec![0.0; 11];
            (start[0], start[1]) = (1.0, 0.5);
            let (found, _) = learn(200, &write, &shape, &priors, &start).unwrap();
            let at = |theta: &[f64]| {
                let mut sums = Sums::new(11);
                for i in 0..200 {
                    let mut row = [0.0; 11];
                    let value = write(i, &mut row);
                    let response = response(&shape, theta, &mut row, value);
                    sums.add(&row, response);
                }
                surprise(&sums, theta, &shape, &priors)
            };
            let best = at(&found.theta);
            for column in 0..11 {
                for by in [-1e-3, 1e-3] {
                    let mut moved = found.theta.clone();
                    moved[column] += by;
                    assert!(at(&moved) > best - 1e-5, "{trend:?} {share}: {column} by {by}: {} {best}", at(&moved));
                }
            }
        }
    }

    #[test]
    fn sums_that_grow_row_by_row_end_where_a_fit_of_all_rows_does() {
        let (shape, priors) = problem(Trend::Linear, false);
        let (_, mut sums) = learn(150, &write, &shape, &priors, &[0.0; 11]).unwrap();
        for i in 150..200 {
            let mut row = [0.0; 11];
            let value = write(i, &mut row);
            let response = response(&shape, &[0.0; 11], &mut row, value);
            sums.add(&row, response);
        }
        let grown = solve(&sums, &shape, &priors, 1.0, &[0.0; 11]).unwrap();
        let (all, _) = learn(200, &write, &shape, &priors, &[0.0; 11]).unwrap();
        assert!((grown.sigma - all.sigma).abs() < 1e-9);
        assert!(grown.theta.iter().zip(&all.theta).all(|(a, b)| (a - b).abs() < 1e-6), "{grown:?} {all:?}");
    }

    #[test]
    fn the_variance_is_the_root_of_its_equation() {
        for (rows, squared) in [(100.0, 3.0), (2.0, 1e-9), (1e6, 1e5)] {
            let v = variance(rows, squared);
            assert!((4.0 * v * v + rows * v - squared).abs() < 1e-9 * squared.max(1e-3), "{rows} {squared} {v}");
        }
        assert_eq!(variance(10.0, 0.0), LEAST_VARIANCE);
        assert_eq!(variance(10.0, f64::INFINITY), 1.0);
    }
}
