//! The exact Gaussian likelihood of a form, its unknowns taken out in closed form.

use super::filter::{Filtered, filter};
use super::polynomial::Coefficients;
use super::sample::Sample;
use super::stationary::Process;

/// A pivot below this share of its diagonal tells nothing of its unknown.
const SINGULAR: f64 = 1e-12;

/// The likelihood at some coefficients.
pub(super) struct Likelihood {
    pub(super) process: Process,
    pub(super) filtered: Filtered,
    /// For the gaps and the constant: their most likely values, as differences from what the columns were filled with.
    pub(super) unknowns: Vec<f64>,
    /// Lower factor of the unknowns' information, `unknowns × unknowns`.
    pub(super) factor: Vec<f64>,
    /// Sum of the squared innovations, each over its variance.
    pub(super) squares: f64,
    /// Minus the log likelihood a row, without its constant part: half the logarithm of the innovations' mean square and
    /// half the mean logarithm of their variances.
    pub(super) cost: f64,
}

/// The Gaussian likelihood of `sample` at `coefficients`, at the variance that makes it largest. Mean or drift are at their
/// generalised least squares. Gaps are integrated out: with flat priors on what was missing, that is the likelihood
/// of what was seen, which a filter that skips gaps finds (Gómez, Maravall & Peña 1999). Without gaps it is that of the
/// differenced series, which is the diffuse likelihood of the series. `None` if numbers fail.
pub(super) fn likelihood(sample: &Sample, coefficients: &Coefficients, season: usize) -> Option<Likelihood> {
    let process = Process::new(coefficients.ar_taps(season), coefficients.ma_taps(season));
    let mut filtered = filter(&process, &sample.columns, sample.rows)?;
    let size = sample.columns.len();
    let lower = &mut filtered.products;
    // Cholesky's factorisation in place: the series comes last, so its pivot is what the unknowns leave of its squares.
    for row in 0..size {
        for column in 0..=row {
            let dot: f64 = (0..column).map(|k| lower[row * size + k] * lower[column * size + k]).sum();
            let left = lower[row * size + column] - dot;
            let diagonal = lower[column * size + column];
            lower[row * size + column] = if row > column {
                if diagonal > 0.0 { left / diagonal } else { 0.0 }
            } else if left > SINGULAR * diagonal || row + 1 == size {
                left.max(0.0).sqrt()
            } else {
                0.0
            };
        }
    }
    let unknown = size - 1;
    let squares = lower[size * size - 1].powi(2);
    let gaps: f64 = (0..sample.gaps.len()).map(|i| 2.0 * lower[i * size + i].max(f64::MIN_POSITIVE).ln()).sum();
    let mut unknowns = vec![0.0; unknown];
    for i in (0..unknown).rev() {
        let dot: f64 = (i + 1..unknown).map(|k| lower[k * size + i] * unknowns[k]).sum();
        let pivot = lower[i * size + i];
        unknowns[i] = if pivot > 0.0 { (lower[unknown * size + i] - dot) / pivot } else { 0.0 };
    }
    let factor = (0..unknown).flat_map(|i| lower[i * size..i * size + unknown].to_vec()).collect();
    let used = sample.used as f64;
    let mean_square = (squares / used).max(f64::MIN_POSITIVE);
    let cost = 0.5 * (mean_square.ln() + (filtered.log_determinant + gaps) / used);
    cost.is_finite().then_some(Likelihood { process, filtered, unknowns, factor, squares, cost })
}

#[cfg(test)]
mod tests {
    use foresail_core::{Frame, SeededRng};
    use proptest::prelude::*;

    use super::super::form::ArimaForm;
    use super::super::polynomial::Limits;
    use super::super::sample::Window;
    use super::*;

    /// The same by the definition: the density of what was seen under its covariance matrix, of which the responses to
    /// shocks give the entries; for a differenced form, of a basis of the contrasts that differencing leaves.
    fn by_definition(window: &Window, form: ArimaForm, season: usize, coefficients: &Coefficients) -> f64 {
        use super::super::polynomial::Taps;
        let process = Process::new(coefficients.ar_taps(season), coefficients.ma_taps(season));
        let psi = process.responses(8000);
        let differencing = Taps::differencing(form, season);
        let lost = differencing.reach();
        let n = window.values.len() - lost;
        let gamma: Vec<f64> = (0..n).map(|lag| psi.iter().zip(&psi[lag..]).map(|(a, b)| a * b).sum()).collect();
        let w = super::super::sample::difference(&window.values, &differencing);
        // log p(seen) = log p(w) with the missing values integrated out: a Gaussian in them with precision X'VX.
        let sample = Sample::new(window, form, season, 99).unwrap();
        let mut v: Vec<f64> = (0..n * n).map(|i| gamma[(i / n).abs_diff(i % n)]).collect();
        let mut sides: Vec<Vec<f64>> = sample.columns.iter().map(|c| c.values.clone()).collect();
        *sides.last_mut().unwrap() = w.iter().map(|y| y - sample.centre).collect();
        // Factor and whiten.
        let mut log_det = 0.0;
        for i in 0..n {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| v[i * n + k] * v[j * n + k]).sum();
                v[i * n + j] = if i == j { (v[i * n + i] - dot).sqrt() } else { (v[i * n + j] - dot) / v[j * n + j] };
            }
            log_det += 2.0 * v[i * n + i].ln();
            for side in &mut sides {
                let dot: f64 = (0..i).map(|k| v[i * n + k] * side[k]).sum();
                side[i] = (side[i] - dot) / v[i * n + i];
            }
        }
        // Gram-Schmidt: what of the series is at right angles to all unknowns.
        for c in 0..sides.len() {
            let norm: f64 = sides[c].iter().map(|x| x * x).sum();
            if c + 1 == sides.len() {
                return 0.5 * ((norm / sample.used as f64).ln() + log_det / sample.used as f64);
            }
            log_det += if c < sample.gaps.len() { norm.ln() } else { 0.0 };
            let unit = sides[c].clone();
            for side in &mut sides[c + 1..] {
                let share = side.iter().zip(&unit).map(|(a, b)| a * b).sum::<f64>() / norm;
                side.iter_mut().zip(&unit).for_each(|(a, b)| *a -= share * b);
            }
        }
        unreachable!("the series is a column")
    }

    fn walk(rows: usize, gaps: &[usize]) -> Window {
        let mut rng = SeededRng::seed_from_u64(3);
        let mut level = 20.0;
        let values = (0..rows).map(|i| {
            level += rng.normal();
            if gaps.contains(&i) { f64::NAN } else { level + 3.0 * (i as f64 * 1.57).sin() }
        });
        Window::of(&Frame::from_values(values), 1, 1000).unwrap()
    }

    fn check(orders: [usize; 3], seasonal: [usize; 3], constant: bool, gaps: &[usize], point: &[f64]) {
        let form = ArimaForm::new(orders, seasonal, constant);
        let coefficients = Coefficients::at(form, point, Limits::OPEN);
        let window = walk(60, gaps);
        let sample = Sample::new(&window, form, 4, 99).unwrap();
        let got = likelihood(&sample, &coefficients, 4).unwrap().cost;
        let expected = by_definition(&window, form, 4, &coefficients);
        assert!((got - expected).abs() < 1e-6, "{form} {gaps:?}: {got}, not {expected}");
    }

    #[test]
    fn the_likelihood_is_that_of_the_covariance_matrix() {
        let some = &[5, 6, 30, 44][..];
        for gaps in [&[][..], some, &[2, 40]] {
            check([0, 0, 0], [0, 0, 0], true, gaps, &[]);
            check([1, 0, 0], [0, 0, 0], false, gaps, &[1.2]);
            check([0, 0, 2], [0, 0, 0], true, gaps, &[0.5, -0.8]);
            check([2, 0, 1], [0, 0, 0], true, gaps, &[0.9, -0.4, 0.3]);
            check([0, 1, 1], [0, 1, 1], false, gaps, &[-0.5, -1.0]);
            check([1, 0, 0], [0, 1, 1], true, gaps, &[0.8, 0.7]);
            check([2, 1, 2], [1, 0, 1], true, gaps, &[0.4, 0.3, -0.6, 0.2, 1.1, -0.5]);
            check([5, 0, 0], [2, 0, 0], true, gaps, &[0.9, 0.1, -0.2, 0.0, 0.3, 0.6, 0.2]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_stationary_point_has_its_likelihood(point in proptest::collection::vec(-2.0..2.0_f64, 6), gap in 1_usize..59) {
            check([2, 0, 2], [1, 0, 1], true, &[gap], &point);
            check([2, 1, 2], [1, 1, 1], false, &[], &point);
        }
    }
}
